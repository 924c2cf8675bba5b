"""Changes that are held at their beginning for as long as a test wants: so an apply is caught in the act."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_LOOK_SECONDS = 0.02


@dataclass(frozen=True)
class Hold:
    """A file, which the stand-in's process sees too: while it is there, so are the changes that it lists."""

    file: Path

    def begin(self, *types: str) -> None:
        """From now on hold changes of these resource types; of all, if none is named."""
        self.file.write_text("\n".join(types))

    def end(self) -> None:
        """Let all of them go on."""
        self.file.unlink(missing_ok=True)

    def wait(self, type_name: str) -> None:
        """Return when a change of this type may go on."""
        while self._holds(type_name):
            time.sleep(_LOOK_SECONDS)

    def _holds(self, type_name: str) -> bool:
        try:
            types = self.file.read_text().split()
        except FileNotFoundError:
            return False
        return not types or type_name in types
