"""The streams of a task: those that are live, and those whose playlists viewers still ask for."""

import logging
from collections.abc import Callable, Iterator, Mapping

from origin.packaging.position import Position
from origin.packaging.stream import Stream
from origin.settings import Settings

_LOG = logging.getLogger(__name__)


class Catalogue(Mapping[str, Stream]):
    """By playback id."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._streams: dict[str, Stream] = {}

    def __getitem__(self, playback_id: str) -> Stream:
        return self._streams[playback_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._streams)

    def __len__(self) -> int:
        return len(self._streams)

    def go_on(self, playback_id: str) -> Stream | None:
        """The stream that a publisher who comes back carries on with, if it is still to be had."""
        stream = self._streams.get(playback_id)
        return None if stream is None or stream.ended else stream

    def begin(self, playback_id: str, label: str, position: Position, *, continued: bool) -> Stream:
        """A new one, in place of what may be here of that id; arguments as `Stream` has them."""
        stream = Stream(playback_id, label, self._settings, position, continued=continued)
        self._streams[playback_id] = stream
        return stream

    def forget(self, stream: Stream) -> None:
        """It is not ours any more."""
        if self._streams.get(stream.playback_id) is stream:
            del self._streams[stream.playback_id]

    def sweep(self, now: float, busy: Callable[[str], bool]) -> list[str]:
        """End streams whose publisher did not come back, and forget what ended a while ago.

        `now` is `time.monotonic()`; `busy` says that a publisher has the id, or is being let in. Returns the ids that
        are not known any more.
        """
        gone = []
        for playback_id, stream in list(self._streams.items()):
            if stream.live or busy(playback_id):
                continue
            quiet = now - stream.quiet_since
            over = quiet > self._settings.end_after_seconds + self._settings.forget_after_seconds
            if over or not stream.renditions:
                del self._streams[playback_id]
                gone.append(playback_id)
            elif quiet > self._settings.end_after_seconds and not stream.ended:
                stream.end()
                _LOG.info("stream ended", extra={"stream": stream.label})
        return gone

    def end(self) -> None:
        """Every playlist, for good."""
        for stream in self._streams.values():
            stream.end()
