"""The NAL units of H.264 messages (ISO 14496-10 §7.4.1): what is in them, and in one form whatever they came in."""

import re
from dataclasses import dataclass

_SLICES = frozenset(range(1, 6))  # 2 to 4 are a slice's partitions
_IDR, _SEI, _DELIMITER = 5, 6, 9
SPS, PPS = 7, 8
_BESIDE = frozenset({_SEI, SPS, PPS})
_MAX_UNITS = 1024  # a slice of 1,500 bytes each, as for packet networks, makes some 300 of a large key frame
_START_CODE = re.compile(rb"\x00\x00\x01")
_BEGINS_WITH_START_CODE = re.compile(rb"\x00{2,3}\x01")


class BrokenPictureError(ValueError):
    """The lengths of a picture's NAL units do not add up."""


@dataclass(frozen=True, slots=True)
class Units:
    """What is in one message."""

    data: bytes  # each unit behind its length
    has_picture: bool  # else it is something beside a picture: SEI, parameter sets, delimiters, or nothing
    random_access: bool  # decoding can begin here: an IDR picture. FLV's key frame flag also marks others
    sps: tuple[bytes, ...]  # sequence parameter sets that come in band
    pps: tuple[bytes, ...]


def read(data: bytes, length_bytes: int) -> Units:
    """Look through a message's units; BrokenPictureError. Those of Annex B are put behind their lengths.

    A length of one looks like a start code: data is of Annex B only if it cannot be read as lengths.
    """
    try:
        found = _split(data, length_bytes)
    except BrokenPictureError:
        if not is_annex_b(data):
            raise
        found = split_annex_b(data)
        data = b"".join(len(unit).to_bytes(length_bytes, "big") + unit for unit in found)
    kinds = [unit[0] & 0x1F for unit in found]
    return Units(
        data=data,
        has_picture=not _SLICES.isdisjoint(kinds),
        random_access=_IDR in kinds,
        sps=tuple(unit for unit, kind in zip(found, kinds, strict=True) if kind == SPS),
        pps=tuple(unit for unit, kind in zip(found, kinds, strict=True) if kind == PPS),
    )


def _split(data: bytes, length_bytes: int) -> list[bytes]:
    position, count, found = 0, 0, []
    while position + length_bytes <= len(data):  # less than a length at the end is padding
        start = position + length_bytes
        position = start + int.from_bytes(data[start - length_bytes : start], "big")
        count += 1
        if position > len(data) or count > _MAX_UNITS:
            raise BrokenPictureError
        if position > start:
            found.append(data[start:position])
    return found


def is_annex_b(data: bytes) -> bool:
    """Whether it begins with a start code (ISO 14496-10 annex B)."""
    return _BEGINS_WITH_START_CODE.match(data) is not None


def split_annex_b(data: bytes) -> list[bytes]:
    """The units between start codes; BrokenPictureError if there are too many."""
    pieces = _START_CODE.split(data, maxsplit=_MAX_UNITS + 1)[1:]
    if len(pieces) > _MAX_UNITS:
        raise BrokenPictureError
    return [unit for piece in pieces if (unit := piece.rstrip(b"\0"))]


def beside(data: bytes, length_bytes: int) -> bytes:
    """What a message without a picture has for the picture that follows."""
    kept = [unit for unit in _split(data, length_bytes) if unit[0] & 0x1F in _BESIDE]
    return b"".join(len(unit).to_bytes(length_bytes, "big") + unit for unit in kept)


def join(before: bytes, data: bytes, length_bytes: int) -> bytes:
    """One access unit of what came before a picture and the picture: a delimiter stays the first (§7.4.1.2.3)."""
    size = int.from_bytes(data[:length_bytes], "big")
    first = length_bytes + size
    if size and data[length_bytes] & 0x1F == _DELIMITER:
        return data[:first] + before + data[first:]
    return before + data
