"""What an operator types: one module for each command of `python -m ops`."""
