"""Where a broadcast's media comes from: what any protocol of ingest has to give. Another one is one more module."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from origin.media.packets import Media


class SourceError(Exception):
    """The source cannot be read any further; the text says why, for the streamer."""


@dataclass(frozen=True, slots=True)
class Received:
    """One message of a publisher: how many bytes it took, and what is in it, if anything that concerns us.

    Times are of the source's own clock, in ms, which begins anywhere and may wrap at 2^32.
    """

    size: int
    media: Media | None


class Source(Protocol):
    """A publisher's connection."""

    def media(self) -> AsyncIterator[Received]:
        """What arrives, in its order, until the publisher leaves or the connection ends.

        Raises:
            SourceError: from the iterator.
        """

    def close(self) -> None:
        """Hang up."""
