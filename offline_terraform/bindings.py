"""The installed AWS bindings as a source of facts: their version, and the JavaScript of each of their modules."""

from __future__ import annotations

import importlib.util
import re
import tarfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = "cdktf_cdktf_provider_aws"


class BindingsNotFoundError(RuntimeError):
    """The AWS bindings are not installed in this Python environment."""


@dataclass(frozen=True, kw_only=True)
class Bindings:
    """The bindings' jsii tarball, and the version in its file name."""

    tarball: Path
    version: str

    def modules(self) -> Iterator[tuple[str, str]]:
        """Name and JavaScript of each module, e.g. `("data-aws-region", "...")`.

        A few modules have their structs in further files; they come joined.
        """
        parts: dict[str, list[bytes]] = defaultdict(list)
        # As a stream: the archive is 37 MB, and seeking in gzip would start from the front each time.
        with tarfile.open(self.tarball, "r|gz") as archive:
            for member in archive:
                match = re.fullmatch(r"package/lib/([^/]+)/.*\.js", member.name)
                file = archive.extractfile(member) if match else None
                if match and file:
                    parts[match[1]].append(file.read())
        for name in sorted(parts):
            yield name, b"\n".join(parts[name]).decode()


def find_bindings() -> Bindings:
    """The bindings of this environment, found but not imported: their import takes 14 seconds."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise BindingsNotFoundError(f"{PACKAGE} is not installed in this environment; run `make setup`")
    for location in spec.submodule_search_locations:
        for tarball in sorted((Path(location) / "_jsii").glob("provider-aws@*.jsii.tgz")):
            version = tarball.name.removeprefix("provider-aws@").removesuffix(".jsii.tgz")
            return Bindings(tarball=tarball, version=version)
    raise BindingsNotFoundError(f"{PACKAGE} is installed without its jsii tarball")
