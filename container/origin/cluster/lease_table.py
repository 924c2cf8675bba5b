"""What a table of leases is to those who own streams and those who look for them; `dynamodb_table` is one."""

from dataclasses import dataclass
from typing import Protocol

from origin.cluster.registry import Holder
from origin.packaging.position import Position


@dataclass(frozen=True, slots=True)
class Lease:
    """Who has a stream, or had it last. Each write carries a version that no other write ever had."""

    playback_id: str
    version: str
    holder: Holder
    session: str
    position: Position
    released: bool


@dataclass(frozen=True, slots=True)
class Listing:
    """The ids that somebody has, or had within the last hour."""

    ids: frozenset[str]
    units: float  # read request units that it took


class ConflictError(Exception):
    """Somebody else has written meanwhile, or an earlier write of ours went through after all."""

    def __init__(self, current: Lease | None) -> None:
        super().__init__("the lease is of another version")
        self.current = current


class LeaseTable(Protocol):
    """Reads and conditional writes. What owners need is never behind what viewers ask for."""

    async def read(self, playback_id: str) -> Lease | None:
        """The lease as it is, not as it was a moment ago, for who wants to own it; RegistryUnavailableError."""

    async def look(self, playback_id: str) -> Lease | None:
        """The same, for a viewer."""

    async def listing(self) -> Listing:
        """All ids whose lease was written before this was called; RegistryUnavailableError."""

    async def write(self, lease: Lease, *, over: str | None) -> None:
        """Replace the lease that has the version `over`, or be the first one (None).

        Raises:
            ConflictError: it has another version.
            RegistryUnavailableError: no answer. It may be written all the same, or be written yet.
        """
