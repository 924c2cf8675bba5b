"""Whether a source can be passed on to viewers as it is, judged by what is seen of it over time.

What its format alone says is `ladder.misfit`. Key frames too far apart and too many bits show only on air.
"""

from origin.broadcast.meter import Meter
from origin.logs import fingerprint
from origin.media.packets import VideoPacket
from origin.packaging.segmenter import PAUSE_MS
from origin.packaging.timeline import Generation

_BIT_RATE_SPAN_MS = 6000
_BIT_RATE_GLIMPSE_MS = 1000  # enough to see twice the limit
_FORGIVEN_AFTER_MS = 30_000
# Slides come seconds apart, and each can be held; only, whoever joins must not wait much longer for one.
_LATEST_KEY_OF_SLIDES_MS = 10_000
_REMEMBERED = 1000
KEY_FRAME_ADVICE = "set the key frame interval to 2 s in the streaming software (OBS: Settings, Output, Streaming)"


class Fitness:
    """Looks at every picture of a session, in decoding order."""

    def __init__(self, meter: Meter, *, limit_kbps: float, latest_key_ms: int) -> None:
        """`latest_key_ms`: the longest that a segment may get before its next key frame."""
        self.newest_pts = -1
        self._meter = meter
        self._limit_kbps = limit_kbps
        self._latest_key_ms = latest_key_ms
        self._step = 0  # between pictures in order of presentation
        self._last_key_pts = 0
        self._paused_ms = 0  # since the last key frame
        self._pauses = 0

    def why_not_copy(self, packet: VideoPacket, *, segment_began: int) -> str | None:
        """Why the source can be passed on no longer, if so; asked before a picture is seen.

        Only at pictures that are shown after all before them: there a copied rendition can end.
        """
        if packet.pts <= self.newest_pts:
            return None
        late = packet.pts - segment_began + max(self._step, 1) > self._latest_key_ms
        slides = self._pauses > 1 and packet.pts - self._last_key_pts > _LATEST_KEY_OF_SLIDES_MS
        if not packet.key and (late or slides):
            return f"no key frame for {(packet.pts - self._last_key_pts) / 1000:.1f} s; {KEY_FRAME_ADVICE}"
        kbps, span = self._meter.video_kbps, self._meter.span_ms
        limit = self._limit_kbps if span >= _BIT_RATE_SPAN_MS else 2 * self._limit_kbps
        if kbps > limit and span > _BIT_RATE_GLIMPSE_MS:
            return (
                f"{kbps:.0f} kbit/s is above the limit of {self._limit_kbps:.0f} kbit/s"
                " for passing the picture on as it is"
            )
        return None

    def see(self, packet: VideoPacket, generation: Generation) -> None:
        """Measure the distances of key frames and of pictures, pauses aside."""
        step = packet.pts - self.newest_pts if self.newest_pts >= 0 else 0
        if step > PAUSE_MS:
            self._paused_ms += step
            self._pauses += 1
        elif step > 0:
            self._step = max(step, self._step * 9 // 10)
        if packet.key:
            if self._last_key_pts:
                gop = packet.pts - self._last_key_pts - self._paused_ms
                generation.longest_gop_ms = max(generation.longest_gop_ms, gop)
            self._last_key_pts, self._paused_ms, self._pauses = packet.pts, 0, 0
        self.newest_pts = max(self.newest_pts, packet.pts)

    def fits_again(self, packet: VideoPacket, generation: Generation) -> bool:
        """Whether a source that is encoded has sent for a while what could have been passed on."""
        return (
            packet.dts - generation.start_pts > _FORGIVEN_AFTER_MS
            and generation.longest_gop_ms <= self._latest_key_ms
            and self._meter.video_kbps <= self._limit_kbps
        )


class KnownMisfits:
    """Which keys sent something that has to be encoded, so that the next broadcast begins that way."""

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}

    def remember(self, key: str, reason: str) -> None:
        self.forget(key)
        self._reasons[fingerprint(key)] = reason
        while len(self._reasons) > _REMEMBERED:
            del self._reasons[next(iter(self._reasons))]

    def recall(self, key: str) -> str | None:
        return self._reasons.get(fingerprint(key))

    def forget(self, key: str) -> None:
        self._reasons.pop(fingerprint(key), None)
