"""Packets and renditions made by hand, for tests of what is done with them."""

from collections.abc import Iterable
from itertools import pairwise

from origin.media.codecs import sound
from origin.media.packets import AudioConfig, VideoConfig, VideoPacket
from origin.packaging import playlists
from origin.packaging.rendition import Rendition
from origin.packaging.timeline import Generation, Soundtrack, Timeline

from tests.container import mp4
from tests.container.media.test_media import AAC_LC_48K

# Any will do: these pictures are never decoded. 512x288, Main profile.
AVCC = VideoConfig(bytes.fromhex("014d4015ffe10017674d4015eca04012d80880000003008000001e078b16cb01000568ebe3cb20"))
FORM = playlists.Form(target_seconds=2, part_target_ms=350, listed_segments=8)


def timeline(first: int = 100) -> Timeline:
    return Timeline(first, 0, 2000, 64)


def generation(number: int = 1, start: int = 10_000, **more: object) -> Generation:
    values = {"session": "s", "wall_offset": 1.7e9, "soundtrack": Soundtrack.mute(), "every_key": False} | more
    return Generation(number=number, start_pts=start, **values)  # type: ignore[arg-type]  # any field


def pictures(seconds: float, *, gop: float = 2, rate: float = 30, start: int = 10_000) -> list[VideoPacket]:
    step = round(gop * rate)
    return [
        VideoPacket(start + int(index * 1000 / rate), 0, index % step == 0, b"p" * 100)
        for index in range(round(seconds * rate))
    ]


def rendition(of: Timeline, name: str = "720p", kept: int = 20) -> Rendition:
    return Rendition(name, of, part_target_ms=350, kept_segments=kept)


def begin(each: Rendition, what: Generation) -> None:
    each.segmenter.begin(what, 0)
    each.segmenter.configure(AVCC)


def add(each: Rendition, packets: VideoPacket | Iterable[VideoPacket]) -> None:
    for packet in [packets] if isinstance(packets, VideoPacket) else packets:
        each.segmenter.add(packet, 0)


def fed(of: Timeline, packets: list[VideoPacket], gen: Generation, name: str = "720p") -> Rendition:
    each = rendition(of, name)
    begin(each, gen)
    add(each, packets)
    return each


def text(each: Rendition, *others: Rendition, skip: bool = False) -> str:
    """Its playlist."""
    return playlists.media(each.name, {other.name: other.window for other in (each, *others)}, FORM, skip=skip)


def soundtrack(config: AudioConfig = AAC_LC_48K) -> Soundtrack:
    return Soundtrack(config, sound(config))


def gapless(samples: list[mp4.Sample]) -> bool:
    return all(before.dts + before.duration == after.dts for before, after in pairwise(samples))
