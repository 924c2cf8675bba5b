"""Orphans of a container's first process."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from origin.app import bury


@contextmanager
def zombie() -> Iterator[int]:
    """A dead child that nobody waits for."""
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", ""], os.environ)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    yield pid


def test_orphans_are_buried_at_the_second_look() -> None:
    with zombie() as pid:
        assert bury(0) == pid
        assert bury(pid) == 0
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, 0)


def test_nobody_is_buried_alive() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        assert bury(0) == 0
        child.kill()
