"""What differs between people rather than between environments: `.env` and the process's own environment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dotenv import dotenv_values

if TYPE_CHECKING:
    from pathlib import Path


def operator_variables(root: Path) -> dict[str, str]:
    """Name to value; the process comes before `root/.env`, and what is set but empty is left out."""
    return {name: value for name, value in {**dotenv_values(root / ".env"), **os.environ}.items() if value}
