"""Real Terraform core on synthesized stacks, with an offline stand-in for the AWS provider; see README.md."""
