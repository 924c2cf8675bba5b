"""The stacks: composition only."""

import constructs_lib  # noqa: F401 - before cdktf: chooses the Node that cdktf's first import starts
