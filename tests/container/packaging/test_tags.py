"""Tags: what is written is read as the same, and nothing else is read."""

from dataclasses import fields
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from origin.packaging import tags

from tests.container.packaging.by_hand import fed, generation, pictures, text, timeline

NUMBERS = st.integers(0, 10**12)
TEXTS = st.text(st.characters(exclude_characters='"\r\n', exclude_categories=["Cs"]), max_size=20)
VALUES: dict[tags.Kind, st.SearchStrategy[Any]] = {
    tags.NUMBER: NUMBERS,
    tags.SECONDS: NUMBERS,
    tags.QUOTED: TEXTS,
    tags.RESOLUTION: st.tuples(NUMBERS, NUMBERS),
    tags.RATE: st.integers(0, 10**6).map(lambda thousandths: float(Decimal(thousandths) / 1000)),
    tags.YES: st.just(True),
    tags.PART: st.just("PART"),
    tags.WALL: st.integers(0, 4_000_000_000_000),
}


@st.composite
def any_tag(draw: st.DrawFn) -> tags.Tag:
    made: Any = draw(st.sampled_from(list(tags.TAGS.values())))
    values = {}
    for each in fields(made):
        value = draw(VALUES.get(each.metadata["kind"], NUMBERS))
        values[each.name] = draw(st.sampled_from([value, each.default])) if not _needed(each) else value
    tag: tags.Tag = made(**values)
    return tag


def _needed(each: Any) -> bool:
    return type(each.default).__name__ == "_MISSING_TYPE"


URIS = st.from_regex(r"[A-Za-z0-9./-]{1,30}", fullmatch=True)


@given(st.lists(any_tag() | URIS, max_size=30))
def test_what_is_written_is_read_as_the_same(lines: list[tags.Line]) -> None:
    assert tags.parse(tags.text(lines)) == lines


def test_every_kind_of_value_is_tried() -> None:
    """Or else the property above says nothing of a new one."""
    used = {each.metadata["kind"] for tag in tags.TAGS.values() for each in fields(tag)}  # type: ignore[arg-type] # dataclasses
    assert used - VALUES.keys() == {fields(tags.Inf)[0].metadata["kind"]}


def test_real_playlists_are_read() -> None:
    each = fed(timeline(), pictures(20), generation())
    for written in (text(each), text(each, skip=True)):
        assert tags.text(tags.parse(written)) == written


def test_comments_and_empty_lines_are_left_out() -> None:
    assert tags.parse("#EXTM3U\r\n\n# a remark\nsegment.m4s\n") == [tags.ExtM3u(), "segment.m4s"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("#EXT-X-UNHEARD-OF:1", "unknown tag"),
        ("#EXT-X-TARGETDURATION", "has a value, or has none"),
        ("#EXT-X-ENDLIST:1", "has a value, or has none"),
        ("#EXT-X-TARGETDURATION:2.0", "no decimal integer"),
        ("#EXT-X-MEDIA-SEQUENCE:-1", "no decimal integer"),
        ("#EXTINF:2.0001,", "finer than a millisecond"),
        ("#EXTINF:NaN,", "no decimal number"),
        ("#EXT-X-PART:DURATION=0.3", "an attribute is missing"),
        ('#EXT-X-PART:DURATION=0.3,URI="a",INDEPENDENT=NO', "neither YES nor left out"),
        ("#EXT-X-PART:DURATION=0.3,URI=a", "no quoted string"),
        ('#EXT-X-PART:DURATION=0.3,URI="a', "no list of attributes"),
        ('#EXT-X-PRELOAD-HINT:TYPE=MAP,URI="a"', "only parts are hinted at"),
        ("#EXT-X-PROGRAM-DATE-TIME:yesterday", "no time in UTC"),
        ("#EXT-X-PROGRAM-DATE-TIME:2026-13-01T00:00:00.000Z", "must be in 1..12"),
    ],
)
def test_fails_when_a_line_is_no_tag_of_ours(line: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        tags.parse(f"#EXTM3U\n{line}\n")


@pytest.mark.parametrize("name", ['a"b', "a\nb", "a\rb"])
def test_fails_when_a_name_would_end_its_quotes(name: str) -> None:
    """Nothing that is written can make another line or attribute."""
    with pytest.raises(tags.BadTagError, match="cannot be quoted"):
        str(tags.Map(name))
