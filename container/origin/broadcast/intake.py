"""What one publisher sends, made ready: one clock, known formats, pictures and sound in order, all within bounds."""

import asyncio
import time
from collections.abc import AsyncIterator

from origin.allowance import Allowance
from origin.broadcast.clock import LATE_MS, Clock, Kind
from origin.broadcast.meter import Meter
from origin.broadcast.source import Received, Source, SourceError
from origin.media import nal_units
from origin.media.codecs import (
    Picture,
    UnreadableConfigError,
    configuration,
    parameter_sets,
    picture,
    picture_parameter_sets,
    read_sps,
    sound,
)
from origin.media.nal_units import BrokenPictureError, Units
from origin.media.packets import AudioConfig, AudioPacket, Media, Metadata, Unsupported, VideoConfig, VideoPacket
from origin.packaging.timeline import Soundtrack

_FIRST_KEY_FRAME_SECONDS = 10
_WAIT_FOR_SOUND_MS = 500

# A second of 4K at 60 pictures has some 110 messages and 6 MB. After a gap in the network encoders send what piled up.
_MESSAGES, _MESSAGES_AT_ONCE = 1000, 10_000
_BYTES, _BYTES_AT_ONCE = 10_000_000, 40_000_000
# The source's own clock: it may be a little off for ever, and catch up.
_CLOCK_MS, _CLOCK_MS_AT_ONCE = 1050, 30_000
_BROKEN_PICTURES = 300
_SETS_KNOWN = 4
_BESIDE_BYTES = 1 << 16  # captions and time codes have some hundred
_FORMATS, _FORMATS_AT_ONCE = 0.2, 10  # a phone that adapts to its network changes the size now and then


class UnsupportedSourceError(Exception):
    """What arrives cannot be shown; the text says what and what to send instead."""


class Intake:
    """Reads a publisher's stream. Times are milliseconds since the session's zero."""

    def __init__(self, source: Source) -> None:
        self.meter = Meter()
        self.video_config: VideoConfig | None = None
        self.soundtrack = Soundtrack.mute()
        self.has_sound = False
        self.last_dts = -1
        self._source = source
        self._clock = Clock()
        self._change: str | None = None
        self._sound_announced: bool | None = None
        self._held: list[VideoPacket] = []
        self._begun = False  # pictures go on as they come
        self._messages = Allowance(_MESSAGES, _MESSAGES_AT_ONCE)
        self._bytes = Allowance(_BYTES, _BYTES_AT_ONCE)
        self._time = Allowance(_CLOCK_MS, _CLOCK_MS_AT_ONCE)
        self._newest: int | None = None  # ms since the session's zero
        self._broken = 0  # pictures in a row
        self._formats = Allowance(_FORMATS, _FORMATS_AT_ONCE)
        self._known_sets: dict[bytes, Picture] = {}
        self._picture: Picture | None = None
        self._beside = b""  # units that belong to the next picture

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
        arriving = self._source.media()
        limit = asyncio.get_running_loop().time() + _FIRST_KEY_FRAME_SECONDS
        while True:
            try:
                # Only the beginning has a limit: after that, nginx drops publishers that fall silent.
                async with asyncio.timeout_at(None if self._begun else limit):
                    received = await anext(arriving, None)
            except TimeoutError:
                raise UnsupportedSourceError(
                    f"no H.264 key frame within {_FIRST_KEY_FRAME_SECONDS} s of publishing"
                ) from None
            except SourceError as error:
                raise UnsupportedSourceError(str(error)) from None
            if received is None:
                return
            self.meter.last_arrival = time.monotonic()
            self._admit(received)
            match received.media:
                case VideoPacket(dts, cts, key, data):
                    yield VideoPacket(self._read_clock("picture", dts), cts, key, data)
                case AudioPacket(dts, data):
                    yield AudioPacket(self._read_clock("sound", dts), data)
                case Metadata() if self._begun:
                    pass  # it said what would come, and that is known by now
                case media if media is not None:
                    yield media

    def _admit(self, received: Received) -> None:
        """UnsupportedSourceError when more arrives than any streaming software sends: it is time taken from others."""
        now = asyncio.get_running_loop().time()
        if not self._messages.take(1, now):
            raise UnsupportedSourceError(f"more than {_MESSAGES} messages a second")
        if not self._bytes.take(received.size, now):
            raise UnsupportedSourceError(f"more than {_BYTES * 8 // 1_000_000} Mbit/s")

    def _read_clock(self, kind: Kind, stamp: int) -> int:
        at = self._clock.read(kind, stamp)
        newest = at if self._newest is None else self._newest
        self._newest = max(at, newest)
        if not self._time.take(self._newest - newest, asyncio.get_running_loop().time()):
            raise UnsupportedSourceError("its clock runs faster than time; send as it happens (with FFmpeg: -re)")
        return at

    def _configure_video(self, config: VideoConfig) -> None:
        try:
            if nal_units.is_annex_b(config.avcc):
                config = self._from_annex_b(config.avcc)
            if config == self.video_config:
                return
            self._note_format()
            self._use(config)
        except UnreadableConfigError as error:
            raise UnsupportedSourceError(f"H.264 configuration: {error}") from None

    def _use(self, config: VideoConfig) -> None:
        shown, sets = picture(config), parameter_sets(config)
        if self.video_config:
            self._change = "the picture's format changed"
        self.video_config, self._picture = config, shown
        self._known_sets = {sps: read_sps(sps) for sps in sets[:_SETS_KNOWN]}
        self._held, self._beside = [], b""

    def _from_annex_b(self, header: bytes) -> VideoConfig:
        """Some encoders send their parameter sets as they are, between start codes."""
        try:
            units = nal_units.split_annex_b(header)
        except BrokenPictureError:
            raise UnreadableConfigError("too many units") from None
        sets = [[unit for unit in units if unit[0] & 0x1F == kind] for kind in (nal_units.SPS, nal_units.PPS)]
        if not all(sets):
            raise UnreadableConfigError("no sequence and picture parameter set")
        return configuration(sets[0][0], sets[1])

    def _note_format(self) -> None:
        """Each new one is read, and may begin everything anew."""
        if not self._formats.take(1, asyncio.get_running_loop().time()):
            raise UnsupportedSourceError(f"its format changed {_FORMATS_AT_ONCE} times in a row")

    @property
    def _length_bytes(self) -> int:
        return (self.video_config.avcc[4] & 3) + 1 if self.video_config else 4

    def _look_into(self, data: bytes) -> Units | None:
        """A message's units; None if they cannot be told apart, which would end some players' decoders."""
        try:
            found = nal_units.read(data, self._length_bytes)
        except BrokenPictureError:
            self._broken += 1
            if self._broken > _BROKEN_PICTURES:
                raise UnsupportedSourceError("the lengths of the pictures' NAL units do not add up") from None
            return None
        self._broken = 0
        return found

    def _check_in_band(self, found: Units) -> None:
        """Encoders may repeat parameter sets before key frames. Another kind of picture is another configuration."""
        try:
            sets = {self._known_sets.get(sps) or self._learn(sps): sps for sps in found.sps}
            others = [seen for seen in sets if seen != self._picture]
            if others and len(sets) == 1 and found.random_access:
                self._change_in_band(sets[others[0]], found)
                return
            before = self._picture.described if self._picture else "nothing"
            if sizes := [seen.described for seen in others if seen.described != before]:
                change = f"the picture changed from {before} to {sizes[0]} without a key frame"
                raise UnsupportedSourceError(f"{change}; start the broadcast anew")
        except UnreadableConfigError as error:
            raise UnsupportedSourceError(f"H.264 configuration within the pictures: {error}") from None

    def _change_in_band(self, sps: bytes, found: Units) -> None:
        """Only where decoding begins: what is there before goes on with what it was made for, and what that costs."""
        assert self.video_config
        self._note_format()
        pps = found.pps or picture_parameter_sets(self.video_config)
        self._use(configuration(sps, pps, length_bytes=self._length_bytes))

    def _learn(self, sps: bytes) -> Picture:
        self._note_format()
        while len(self._known_sets) >= _SETS_KNOWN:
            del self._known_sets[next(iter(self._known_sets))]
        self._known_sets[sps] = read_sps(sps)
        return self._known_sets[sps]

    def _wait_for_its_picture(self, found: Units) -> None:
        """Some cameras send SEI in messages of their own: it is no picture, and belongs to the one that follows."""
        kept = nal_units.beside(found.data, self._length_bytes)
        if len(self._beside) + len(kept) <= _BESIDE_BYTES:
            self._beside += kept

    def _configure_audio(self, config: AudioConfig) -> None:
        self.has_sound = True
        if self.soundtrack.config == config:
            return
        self._note_format()
        try:
            replaced, self.soundtrack = self.soundtrack, Soundtrack(config, sound(config))
            replaced.close()
        except UnreadableConfigError as error:
            raise UnsupportedSourceError(f"AAC configuration: {error}") from None
        self._change = self._change or "the sound's format changed"

    def _ready(self, packet: VideoPacket) -> list[VideoPacket]:
        """The pictures that can go on now: this one and those that waited, or none."""
        if self.video_config is None or packet.dts < self.last_dts - LATE_MS:
            return []
        # Leaving one out would spoil all pictures that build on it.
        found = self._look_into(packet.data)
        if found is None:
            return []
        if not found.has_picture:
            self._wait_for_its_picture(found)
            return []
        if self._beside:
            joined = nal_units.join(self._beside, found.data, self._length_bytes)
            found, self._beside = self._look_into(joined) or found, b""  # without them if they are too many
        self._check_in_band(found)
        dts = max(packet.dts, self.last_dts + 1)
        packet = VideoPacket(dts, packet.pts - dts, found.random_access, found.data)
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
