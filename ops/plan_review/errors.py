"""A plan that cannot be reviewed."""

from __future__ import annotations

from ops.errors import FailedError


class NotUnderstoodError(FailedError):
    """The file is no plan that we understand. The text names it and says what to do. Exit status 1."""
