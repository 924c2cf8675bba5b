"""The directives of a playlist request."""

import pytest
from origin.delivery.answers import BadDirectiveError, Directives


@pytest.mark.parametrize(
    ("query", "directives"),
    [
        ("", Directives()),
        ("x=1", Directives()),
        ("_HLS_msn=5", Directives(msn=5)),
        ("_HLS_msn=5&_HLS_part=0", Directives(msn=5, part=0)),
        ("_HLS_skip=YES", Directives(skip=True)),
        ("_HLS_skip=v2&_HLS_msn=1", Directives(msn=1, skip=True)),
        ("_HLS_skip=NO", Directives()),
    ],
)
def test_directives_are_read(query: str, directives: Directives) -> None:
    assert Directives.parse(query) == directives


@pytest.mark.parametrize("msn", ["", "-1", "1.5", "²", "9" * 99, "1&_HLS_part=x"])
def test_fails_when_directives_make_no_sense(msn: str) -> None:
    with pytest.raises(BadDirectiveError):
        Directives.parse(f"_HLS_msn={msn}")
