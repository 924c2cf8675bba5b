"""What runs, and how many of it: image repository, task definition, roles, service, scaling."""
