"""What workflows tell GitHub: the comment on a pull request, its check, findings, an issue about drift."""
