"""The one process of ours in the container: hooks, encoders, packaging and delivery of live broadcasts."""
