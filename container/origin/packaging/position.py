"""Where playlists go on."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Position:
    """How far a stream's playlists got, for whoever continues them."""

    next_msn: int
    discontinuity_sequence: int
