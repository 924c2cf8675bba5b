"""What is kept: buckets and the table of leases."""
