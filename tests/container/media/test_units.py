"""What is in a coded picture."""

import pytest
from origin.media.nal_units import BrokenPictureError, join, read


def test_only_idr_pictures_are_random_access() -> None:
    """FLV's flag says nothing of the sort for recovery points."""
    sei, idr, other = b"\x00\x00\x00\x02\x06\x00", b"\x00\x00\x00\x03\x65ab", b"\x00\x00\x00\x03\x61ab"
    assert read(sei + idr, 4).random_access
    assert not read(sei + other, 4).random_access
    assert read(b"\x00\x00\x00\x00" + idr + b"\x00", 4).random_access  # an empty unit, and padding


@pytest.mark.parametrize(
    "data",
    [b"\xff\xff\xff\xff", b"\x00\x00\x00\x03\x65a", b"\x00\x00\x00\x00" * 1_000_000],
    ids=["huge", "cut", "empty"],
)
def test_fails_when_units_do_not_add_up(data: bytes) -> None:
    """Four megabytes of empty units as well: nobody looks through a million of them."""
    with pytest.raises(BrokenPictureError):
        read(data, 4)


@pytest.mark.parametrize("code", [b"\0\0\1", b"\0\0\0\1"])
@pytest.mark.parametrize("length_bytes", [2, 4])
def test_units_between_start_codes_are_put_behind_lengths(code: bytes, length_bytes: int) -> None:
    idr, other = b"\x65" + bytes(range(1, 200)) * 3, b"\x65\x41\0\0\3\1"
    sps, pps = b"\x67\x42\xc0\x1e", b"\x68\xce"
    found = read(b"".join(code + unit for unit in (sps, pps, idr, other)), length_bytes)
    assert found.data == b"".join(len(unit).to_bytes(length_bytes, "big") + unit for unit in (sps, pps, idr, other))
    assert (found.has_picture, found.random_access, found.sps, found.pps) == (True, True, (sps,), (pps,))


def test_lengths_that_look_like_a_start_code_are_lengths() -> None:
    """A unit of one byte (an end of sequence) has the length 00 00 00 01."""
    data = b"\0\0\0\1\x0a\0\0\0\3\x65ab"
    assert read(data, 4).data == data


def test_what_comes_before_a_picture_is_put_behind_its_delimiter() -> None:
    delimiter, picture, sei = b"\0\0\0\2\x09\xf0", b"\0\0\0\3\x65ab", b"\0\0\0\2\x06\x05"
    assert join(sei, picture, 4) == sei + picture
    assert join(sei, delimiter + picture, 4) == delimiter + sei + picture
