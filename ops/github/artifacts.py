"""An artifact of another run, which may be a stranger's: bounded in size and number, no path of its own."""

from __future__ import annotations

import io
import urllib.request
import zipfile
from typing import TYPE_CHECKING

from ops.errors import FailedError

if TYPE_CHECKING:
    from pathlib import Path

    from ops.github.api import Github

_LARGEST_ZIP = 32 << 20
_LARGEST_FILE = 64 << 20
_MOST_FILES = 64
_SECONDS = 60


def fetch_artifact(github: Github, run: int, name: str, folder: Path) -> list[Path]:
    """Unpack its JSON files into `folder`, under their own names.

    Raises:
        FailedError: there is none, it is too large, or it holds something else.
    """
    found = github.get(f"/actions/runs/{run}/artifacts?name={name}")
    ids = [int(one["id"]) for one in found.get("artifacts", []) if one.get("name") == name and not one.get("expired")]
    if not ids:
        raise FailedError(f"run {run} has no artifact {name}")
    url = github.redirection(f"/actions/artifacts/{ids[0]}/zip")
    try:
        with urllib.request.urlopen(url, timeout=_SECONDS) as answer:  # noqa: S310 - checked by redirection()
            packed = answer.read(_LARGEST_ZIP + 1)
    except OSError as error:
        raise FailedError(f"artifact {name} cannot be fetched: {error}") from None
    if len(packed) > _LARGEST_ZIP:
        raise FailedError(f"artifact {name} is larger than {_LARGEST_ZIP >> 20} MB")
    return _unpack(packed, name, folder)


def _unpack(packed: bytes, name: str, folder: Path) -> list[Path]:
    try:
        archive = zipfile.ZipFile(io.BytesIO(packed))
        entries = archive.infolist()
        if len(entries) > _MOST_FILES:
            raise FailedError(f"artifact {name} has {len(entries)} files, at most {_MOST_FILES}")
        return [_extract(archive, entry, folder) for entry in entries]
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
        raise FailedError(f"artifact {name} is no zip that can be read: {error}") from None


def _extract(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path) -> Path:
    stem, dot, suffix = entry.filename.rpartition(".")
    plain = stem.replace("-", "").replace("_", "").isalnum() and stem.isascii() and len(stem) <= 64
    if not plain or f"{dot}{suffix}" != ".json":
        raise FailedError(f"the artifact holds {entry.filename[:100]!r}: only NAME.json is expected in it")
    with archive.open(entry) as packed:
        # As it is read, not as the archive says: a bomb says little.
        content = packed.read(_LARGEST_FILE + 1)
    if len(content) > _LARGEST_FILE:
        raise FailedError(f"{entry.filename} is larger than {_LARGEST_FILE >> 20} MB")
    path = folder / entry.filename
    path.write_bytes(content)
    return path
