"""How a command ends when it cannot go on: a text for the operator, and an exit status."""

from __future__ import annotations


class FailedError(Exception):
    """Work was begun and did not succeed, or the operator said no."""

    status = 1


class StaleError(FailedError):
    """The plan is not the one that was reviewed; nothing was applied."""

    status = 3


class NotReadyError(FailedError):
    """Something is missing or wrong, and nothing was begun."""

    status = 2
