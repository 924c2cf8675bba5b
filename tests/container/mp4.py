"""Reading fragmented MP4, for tests: what each fragment holds, with its times in ticks."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Sample:
    dts: int
    duration: int
    cts: int
    key: bool
    size: int


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Name, start of content and end of each box."""
    end = len(data) if end is None else end
    while start + 8 <= end:
        size, name = struct.unpack_from(">I4s", data, start)
        assert size >= 8
        assert start + size <= end, f"{name!r} ends outside"
        yield name, start + 8, start + size
        start += size
    assert start == end


def find(data: bytes, *path: bytes, start: int = 0, end: int | None = None) -> tuple[int, int]:
    """The content of the first box at this path."""
    for name, first, last in boxes(data, start, end):
        if name == path[0]:
            return (first, last) if len(path) == 1 else find(data, *path[1:], start=first, end=last)
    raise AssertionError(f"no {path[0]!r}")


def samples(data: bytes) -> dict[int, list[Sample]]:
    """All samples of all fragments, by track."""
    found: dict[int, list[Sample]] = {}
    for name, start, end in boxes(data):
        if name != b"moof":
            continue
        for inner, first, last in boxes(data, start, end):
            if inner == b"traf":
                track, run = _fragment(data, first, last)
                found.setdefault(track, []).extend(run)
    return found


def _fragment(data: bytes, start: int, end: int) -> tuple[int, list[Sample]]:
    track = struct.unpack_from(">I", data, find(data, b"tfhd", start=start, end=end)[0] + 4)[0]
    dts = struct.unpack_from(">Q", data, find(data, b"tfdt", start=start, end=end)[0] + 4)[0]
    if all(name != b"trun" for name, _, _ in boxes(data, start, end)):
        return track, []
    position = find(data, b"trun", start=start, end=end)[0]
    flags, count = struct.unpack_from(">II", data, position)
    flags &= 0xFFFFFF
    position += 12
    run = []
    for _ in range(count):
        duration, size = struct.unpack_from(">II", data, position)
        position += 8
        sample_flags, cts = struct.unpack_from(">Ii", data, position) if flags & 0x800 else (0, 0)
        position += 8 if flags & 0x800 else 0
        run.append(Sample(dts, duration, cts, not sample_flags & 0x10000, size))
        dts += duration
    return track, run


def timescales(init: bytes) -> dict[int, int]:
    """The timescale of each track in an initialisation section."""
    found = {}
    start, end = find(init, b"moov")
    for name, first, last in boxes(init, start, end):
        if name == b"trak":
            track = struct.unpack_from(">I", init, find(init, b"tkhd", start=first, end=last)[0] + 12)[0]
            found[track] = struct.unpack_from(">I", init, find(init, b"mdia", b"mdhd", start=first, end=last)[0] + 12)[
                0
            ]
    return found
