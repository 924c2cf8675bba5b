"""What one publisher sends, from RTMP messages to pictures and sound: one clock, known formats, in order."""

import asyncio
import time
from collections.abc import AsyncIterator

from origin import flv, rtmp
from origin.codecs import UnreadableConfigError, picture, sound
from origin.media import AudioConfig, AudioPacket, Media, Metadata, Unsupported, VideoConfig, VideoPacket
from origin.source import Clock, Meter, is_random_access
from origin.timeline import Soundtrack

_FIRST_KEY_FRAME_SECONDS = 10
_LATE_MS = 100  # a picture may come with a time that is this much before the one that came before it
_WAIT_FOR_SOUND_MS = 500


class UnsupportedSourceError(Exception):
    """What arrives cannot be shown; the text says what and what to send instead."""


class Intake:
    """Reads a publisher's stream. Times are milliseconds since the session's zero."""

    def __init__(self, player: rtmp.Player) -> None:
        self.meter = Meter()
        self.video_config: VideoConfig | None = None
        self.soundtrack = Soundtrack.mute()
        self.has_sound = False
        self.last_dts = -1
        self._player = player
        self._clock = Clock()
        self._change: str | None = None
        self._sound_announced: bool | None = None
        self._held: list[VideoPacket] = []
        self._begun = False  # pictures go on as they come

    @property
    def jumps(self) -> int:
        """How often the source's clock jumped."""
        return self._clock.jumps

    @property
    def idle_seconds(self) -> float:
        """How long no media has arrived."""
        return time.monotonic() - self.meter.last_arrival

    def take_change(self) -> str | None:
        """What has changed its format since this was asked last; None for nothing."""
        change, self._change = self._change, None
        return change

    async def packets(self) -> AsyncIterator[VideoPacket | AudioPacket]:
        """Pictures in decoding order, and sound when it is in the soundtrack; UnsupportedSourceError."""
        async for media in self._media():
            match media:
                case VideoPacket():
                    for packet in self._ready(media):
                        self.meter.picture(packet)
                        yield packet
                case AudioPacket() if self.has_sound:
                    self.soundtrack.add(media, asyncio.get_running_loop().time())
                    yield media
                case VideoConfig():
                    self._configure_video(media)
                case AudioConfig():
                    self._configure_audio(media)
                case Metadata():
                    self._sound_announced = bool(media.values.get("audiocodecid"))
                case Unsupported():
                    raise UnsupportedSourceError(media.what)

    async def _media(self) -> AsyncIterator[Media]:
        messages = self._player.play()
        limit = asyncio.get_running_loop().time() + _FIRST_KEY_FRAME_SECONDS
        while True:
            try:
                # Only the beginning has a limit: after that, nginx drops publishers that fall silent.
                async with asyncio.timeout_at(None if self._begun else limit):
                    message = await anext(messages, None)
            except TimeoutError:
                raise UnsupportedSourceError(
                    f"no H.264 key frame within {_FIRST_KEY_FRAME_SECONDS} s of publishing"
                ) from None
            if message is None:
                return
            self.meter.last_arrival = time.monotonic()
            media = self._parse(message)
            if media:
                yield media

    def _parse(self, message: rtmp.Message) -> Media | None:
        if message.kind == rtmp.VIDEO:
            return flv.parse_video(message.body, self._clock.read(message.timestamp))
        if message.kind == rtmp.AUDIO:
            return flv.parse_audio(message.body, self._clock.read(message.timestamp))
        values = [value for value in rtmp.amf_decode(message.body) if isinstance(value, dict)]
        return Metadata(values[0]) if values else None

    def _configure_video(self, config: VideoConfig) -> None:
        if config == self.video_config:
            return
        try:
            picture(config)
        except UnreadableConfigError as error:
            raise UnsupportedSourceError(f"H.264 configuration: {error}") from None
        if self.video_config:
            self._change = "the picture's format changed"
        self.video_config = config

    def _configure_audio(self, config: AudioConfig) -> None:
        self.has_sound = True
        if self.soundtrack.config == config:
            return
        try:
            self.soundtrack = Soundtrack(config, sound(config))
        except UnreadableConfigError as error:
            raise UnsupportedSourceError(f"AAC configuration: {error}") from None
        self._change = self._change or "the sound's format changed"

    def _ready(self, packet: VideoPacket) -> list[VideoPacket]:
        """The pictures that can go on now: this one and those that waited, or none."""
        if self.video_config is None or packet.dts < self.last_dts - _LATE_MS:
            return []
        # Leaving one out would spoil all pictures that build on it.
        dts = max(packet.dts, self.last_dts + 1)
        key = is_random_access(packet, self.video_config)
        packet = VideoPacket(dts, packet.pts - dts, key, packet.data)
        self.last_dts = dts
        if not self._begun and self._waits(packet):
            return []
        self._begun = True
        ready, self._held = [*self._held, packet], []
        return ready

    def _waits(self, packet: VideoPacket) -> bool:
        """Whether to wait for the first key frame, or a little for the sound, so that no broadcast begins mute."""
        if not self._held and not packet.key:
            return True
        if self.has_sound or self._sound_announced is False:
            return False
        if packet.dts - (self._held[0] if self._held else packet).dts < _WAIT_FOR_SOUND_MS:
            self._held.append(packet)
            return True
        return False
