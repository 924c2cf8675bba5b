"""The state of a bootstrap until it is in the bucket: a file that survives whatever happens to Terraform.

Terraform writes its local state in place, after each resource: emptied first, then filled. Cut off in between, it
leaves an empty file, and all that it had recorded is gone. So a copy of each whole state is kept beside it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ops.environment import ROOT
from ops.errors import FailedError
from ops.terminal import say
from ops.terraform.remote_state import State

if TYPE_CHECKING:
    from pathlib import Path

    from config.environment import EnvironmentConfig


@dataclass(frozen=True, slots=True)
class LocalState:
    """A state file in a folder of its own, and the last whole state beside it."""

    path: Path

    @property
    def _last_whole(self) -> Path:
        return self.path.with_name("terraform.tfstate.last-whole")

    def read(self) -> State | None:
        """What the file records, put back from the copy if it was cut off; None when there is nothing."""
        whole = _whole(self.path)
        if whole is None and (copy := _whole(self._last_whole)) is not None:
            say(f"bootstrap: {self.path.name} was cut off while being written; going on from the last whole one")
            _write(self.path, copy)
            whole = copy
        return State.parse(whole, self.path.name) if whole is not None else None

    def keep(self) -> None:
        """Copy the file, if there is anything new in it and it is whole."""
        content = _whole(self.path)
        if content is not None and content != _whole(self._last_whole):
            _write(self._last_whole, content)

    def set_aside(self) -> None:
        """The state is in the bucket now; this one is history."""
        self._last_whole.unlink(missing_ok=True)
        self.path.rename(self.path.with_name("terraform.tfstate.moved-to-s3"))

    def discard(self) -> None:
        """All that it described is gone."""
        self._last_whole.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)


def _whole(path: Path) -> bytes | None:
    try:
        content = path.read_bytes()
        return content if State.parse(content, path.name) is not None else None
    except (FileNotFoundError, FailedError):
        return None


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, on the disk and not only in its cache."""
    temporary = path.with_name(f"{path.name}.new")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def local_state(config: EnvironmentConfig) -> LocalState:
    """Where the state lies until it is in the bucket; by bucket, so that accounts and regions stay apart."""
    return LocalState(ROOT / ".bootstrap" / config.state_bucket_name / "terraform.tfstate")


def taking_down(config: EnvironmentConfig) -> Path:
    """A file that says: destroy-bootstrap has begun to destroy, and the state in the file is the true one."""
    return local_state(config).path.with_name("taking-down")
