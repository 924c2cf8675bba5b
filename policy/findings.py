"""What a check found, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stacks.document import CONFIGURATION, StackDocument

if TYPE_CHECKING:
    from pathlib import Path


class PolicyError(ValueError):
    """The review cannot be made: input is missing or cannot be understood. One line."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One failed check on one Terraform address of one stack."""

    check: str
    stack: str
    address: str
    message: str

    @property
    def environment(self) -> str:
        """The environment of the stack, which is the end of its name."""
        return self.stack.partition("-")[2]


def read_stacks(folder: Path) -> list[StackDocument]:
    """Read every stack below `folder` (`cdktf.out/stacks`).

    Raises:
        PolicyError: when there is none.
    """
    stacks = [StackDocument.read(path.parent) for path in sorted(folder.glob(f"*/{CONFIGURATION}"))]
    if not stacks:
        raise PolicyError(f"{folder}: holds no synthesized stack; run make synth first")
    return stacks
