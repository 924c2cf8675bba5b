"""What is in a coded picture."""

import pytest
from origin.broadcast.meter import BrokenPictureError, units


def test_only_idr_pictures_are_random_access() -> None:
    """FLV's flag says nothing of the sort for recovery points."""
    sei, idr, other = b"\x00\x00\x00\x02\x06\x00", b"\x00\x00\x00\x03\x65ab", b"\x00\x00\x00\x03\x61ab"
    assert units(sei + idr, 4).random_access
    assert not units(sei + other, 4).random_access
    assert units(b"\x00\x00\x00\x00" + idr + b"\x00", 4).random_access  # an empty unit, and padding


@pytest.mark.parametrize(
    "data",
    [b"\xff\xff\xff\xff", b"\x00\x00\x00\x03\x65a", b"\x00\x00\x00\x00" * 1_000_000],
    ids=["huge", "cut", "empty"],
)
def test_fails_when_units_do_not_add_up(data: bytes) -> None:
    """Four megabytes of empty units as well: nobody looks through a million of them."""
    with pytest.raises(BrokenPictureError):
        units(data, 4)
