"""Which broadcasts are live, and on which task, for people."""

from __future__ import annotations

from ops.aws.asking import UnansweredError
from ops.aws.broadcasts import live_broadcasts, table
from ops.aws.credentials import check_credentials
from ops.environment import find_environment, with_account
from ops.errors import FailedError
from ops.terminal import result, say


def print_broadcasts(name: str, task: str | None) -> None:
    """Print what is live in an environment; with `task` (an ARN, or its last part) on that task only.

    Raises:
        FailedError: AWS did not tell.
    """
    config = with_account(find_environment(name))
    check_credentials(config)
    try:
        broadcasts = live_broadcasts(config)
    except UnansweredError as error:
        raise FailedError(f"AWS does not tell: {error}") from None
    if task is not None:
        broadcasts = [each for each in broadcasts if each.task_id == task.rpartition("/")[2]]
    if broadcasts:
        result(table(broadcasts))
    else:
        say(f"broadcasts: nothing is live in {name}" + (f" on {task}" if task is not None else ""))
