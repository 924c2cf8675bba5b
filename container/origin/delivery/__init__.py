"""What viewers get, from this task or from the one that has the stream."""
