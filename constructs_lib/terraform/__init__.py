"""What the constructs of all rooms stand on: bindings, stack, provider, state, lifecycle, escape hatches."""
