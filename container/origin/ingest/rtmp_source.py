"""A publisher of nginx-rtmp as a source: RTMP's media messages are FLV tags."""

from collections.abc import AsyncIterator

from origin.broadcast.source import Received, SourceError
from origin.ingest import rtmp
from origin.media import flv
from origin.media.packets import Media, Metadata

_METADATA_READ = 8  # the first one counts; more of them tell nothing


class RtmpSource:
    """Reads what nginx plays of a publisher."""

    def __init__(self, player: rtmp.Player) -> None:
        self._player = player
        self._metadata_left = _METADATA_READ

    async def media(self) -> AsyncIterator[Received]:
        """See `Source`."""
        try:
            async for message in self._player.play():
                yield Received(len(message.body), self._parse(message))
        except rtmp.RtmpError as error:
            raise SourceError(str(error)) from None

    def close(self) -> None:
        """See `Source`."""
        self._player.close()

    def _parse(self, message: rtmp.Message) -> Media | None:
        if message.kind == rtmp.VIDEO:
            return flv.parse_video(message.body, message.timestamp)
        if message.kind == rtmp.AUDIO:
            return flv.parse_audio(message.body, message.timestamp)
        if not self._metadata_left:
            return None
        self._metadata_left -= 1
        values = [value for value in rtmp.amf_decode(message.body) if isinstance(value, dict)]
        return Metadata(values[0]) if values else None
