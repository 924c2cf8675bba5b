"""Terraform as a program, and the states that it leaves: on disk for the bootstrap, in a bucket for the rest."""
