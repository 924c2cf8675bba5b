"""What a Terraform plan does to people who are live: read, judged by rules, written as a comment."""
