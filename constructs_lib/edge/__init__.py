"""What viewers reach: CloudFront, its way into the VPC, its caches, headers, firewall, logs and names."""
