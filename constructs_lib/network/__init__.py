"""The VPC, who may talk to whom in it, and the two load balancers."""
