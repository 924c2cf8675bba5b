"""What AWS is asked, and what its answers mean for a deployment."""
