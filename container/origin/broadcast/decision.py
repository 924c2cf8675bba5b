"""What to do before a source's next picture goes on: decided here, done by the session. No clock, no state."""

from dataclasses import dataclass

from origin.broadcast.fitness import KEY_FRAME_ADVICE
from origin.media.packets import VideoPacket

_KEY_FRAME_PATIENCE_MS = 30_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What counts for it. A session that has not begun has something due."""

    due: str | None = None  # why the next key frame begins a new generation
    misfit: str | None = None  # why what is copied can be copied no longer; None also where nothing is
    lost_ms: int | None = None  # for how long encoding has waited for a key frame to go on from


@dataclass(frozen=True, slots=True)
class Begin:
    """A new generation, from this picture on."""

    cause: str


@dataclass(frozen=True, slots=True)
class EncodeTop:
    """From this picture on the top rendition is encoded as well."""

    reason: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Hang up: a reconnect brings a key frame, which is the only way back to a picture."""

    text: str


@dataclass(frozen=True, slots=True)
class GoOn:
    """As before."""


Decision = Begin | EncodeTop | GiveUp | GoOn


def decide(packet: VideoPacket, facts: Facts) -> Decision:
    """What comes before this picture is passed on. After all but GoOn, decide again with what is true then."""
    if packet.key and facts.due:
        return Begin(facts.due)
    if facts.lost_ms is not None and facts.lost_ms > _KEY_FRAME_PATIENCE_MS:
        return GiveUp(f"encoding waits for a key frame for over {_KEY_FRAME_PATIENCE_MS // 1000} s; {KEY_FRAME_ADVICE}")
    if facts.misfit:
        return EncodeTop(facts.misfit)
    return GoOn()
