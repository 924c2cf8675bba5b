"""What people run around the stacks: one small command line, `python -m ops`."""
