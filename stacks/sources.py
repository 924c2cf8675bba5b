"""Which line of ours made which construct: findings on synthesized JSON name it (SARIF, `make policy`)."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsii

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

ROOT = Path(__file__).resolve().parent.parent
FILE = "sources.json"  # beside the folder `stacks`
_OURS = tuple(str(ROOT / name) + "/" for name in ("constructs_lib", "stacks"))


class Sources:
    """Construct path to "file:line", relative to the repository."""

    def __init__(self) -> None:
        self.lines: dict[str, str] = {}
        self._paths: dict[int, tuple[object, str]] = {}  # by identity; the object is kept, so that ids stay unique

    def add(self, construct: object, arguments: list[Any], line: str) -> None:
        """A construct was made of a scope and an id, which are the first arguments of every one."""
        if len(arguments) < 2 or not isinstance(arguments[1], str):
            return
        _, scope = self._paths.get(id(arguments[0]), (None, ""))
        path = f"{scope}/{arguments[1]}" if scope else arguments[1]
        self._paths[id(construct)] = (construct, path)
        self.lines[path] = line

    def write(self, folder: Path) -> None:
        """Write them to `folder/sources.json`."""
        (folder / FILE).write_text(json.dumps(self.lines, indent=1, sort_keys=True) + "\n")


@contextmanager
def recorded() -> Iterator[Sources]:
    """Record every construct that is made: Python's bindings make each by `jsii.create`."""
    sources, create = Sources(), jsii.create

    def recording(klass: type, construct: object, arguments: list[Any] | None = None) -> Any:
        made = create(klass, construct, arguments)
        sources.add(construct, arguments or [], _line_of_ours())
        return made

    jsii.create = recording  # type: ignore[assignment] # the kernel's method, which no type of ours is
    try:
        yield sources
    finally:
        jsii.create = create


def _line_of_ours() -> str:
    """The innermost line of `constructs_lib/` or `stacks/` that led here, but for base classes' own constructors."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - inspect.stack() reads every source file each time
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(_OURS) and name != __file__ and not _calls_its_base(frame):
            return f"{Path(name).relative_to(ROOT)}:{frame.f_lineno}"
        frame = frame.f_back
    return ""


def _calls_its_base(frame: FrameType) -> bool:
    """A construct of ours in its `super().__init__(scope, id_)`: who made it is the caller."""
    return frame.f_code.co_name == "__init__" and frame.f_lineno in _super_lines(frame.f_code.co_filename)


_SUPER_LINES: dict[str, frozenset[int]] = {}


def _super_lines(name: str) -> frozenset[int]:
    if name not in _SUPER_LINES:
        lines = Path(name).read_text(encoding="utf-8").splitlines()
        _SUPER_LINES[name] = frozenset(at for at, line in enumerate(lines, 1) if "super().__init__(" in line)
    return _SUPER_LINES[name]
