"""Playlists as players read them, and the checker of the tests itself."""

from dataclasses import replace

import pytest
from origin.packaging import playlists

from tests.container.checker import Checker, PlaylistError
from tests.container.packaging.by_hand import fed, generation, pictures, text, timeline


def test_delta_update_skips_old_segments_only() -> None:
    each = fed(timeline(), pictures(20), generation())
    full, delta = text(each), text(each, skip=True)
    skipped = int(delta.partition("SKIPPED-SEGMENTS=")[2].split("\n")[0])
    assert full.count("#EXTINF") - delta.count("#EXTINF") == skipped == 2
    assert full.endswith(delta.partition("#EXT-X-SKIP")[2].partition("\n")[2].partition("#EXT-X-PROGRAM")[2])


def test_playlist_ends() -> None:
    each = fed(timeline(), pictures(4.2), generation())
    each.segmenter.finish(0)
    each.window.end()
    shown = text(each)
    assert shown.endswith("#EXT-X-ENDLIST\n")
    assert "PRELOAD-HINT" not in shown
    assert each.window.has(10**9, 0)


def test_variants_are_described() -> None:
    variant = playlists.Variant(
        name="480p",
        bandwidth=2,
        average_bandwidth=1,
        width=854,
        height=480,
        frame_rate=29.9,
        codecs="avc1.4d401f,mp4a.40.2",
    )
    shown = playlists.multivariant([variant, replace(variant, name="360p")])
    assert "BANDWIDTH=2,AVERAGE-BANDWIDTH=1,RESOLUTION=854x480,FRAME-RATE=29.970" in shown
    assert shown.endswith("360p/index.m3u8\n")


# --- the checker itself: each rule must be able to fail ---


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("DURATION=0.334", "DURATION=0.351", "lasts 0.351"),
        ("DURATION=0.334", "DURATION=0.290", "lasts only 0.29"),
        ("#EXTINF:2.000,\ns.101", "#EXTINF:2.100,\ns.101", "parts of 101 last"),
        ("PART-HOLD-BACK=1.050", "PART-HOLD-BACK=1.000", "PART-HOLD-BACK"),
        ("CAN-SKIP-UNTIL=12.0", "CAN-SKIP-UNTIL=11.0", "CAN-SKIP-UNTIL"),
        ("CAN-BLOCK-RELOAD=YES", "CAN-BLOCK-RELOAD=NO", "blocking"),
        ("TARGETDURATION:2", "TARGETDURATION:1", "longer than the target"),
        (",INDEPENDENT=YES", "", "not independent"),
        ("#EXT-X-INDEPENDENT-SEGMENTS\n", "", "INDEPENDENT-SEGMENTS"),
        ('#EXT-X-MAP:URI="s.1.mp4"\n', "", "no EXT-X-MAP"),
        ("s.101.1.m4s", "s.101.0.m4s", ""),
        ('TYPE=PART,URI="s.103.1', 'TYPE=PART,URI="s.103.0', "the hint"),
    ],
)  # fmt: skip
def test_checker_sees_broken_rules(old: str, new: str, said: str) -> None:
    shown = text(fed(timeline(), pictures(6.5), generation()))
    Checker(renditions=1).check(shown)
    assert old in shown
    broken = shown.replace(old, new)
    if said:
        with pytest.raises(PlaylistError, match=said):
            Checker(renditions=1).check(broken)


def test_checker_sees_changes_between_playlists() -> None:
    each = fed(timeline(), pictures(6.5), generation())
    shown = text(each)
    for old, new in (
        ("s.101.m4s", "x.101.m4s"),
        ("MEDIA-SEQUENCE:100", "MEDIA-SEQUENCE:99"),
        ("TARGET=0.350", "TARGET=0.349"),
    ):
        checker = Checker(renditions=1)
        checker.check(shown)
        with pytest.raises(PlaylistError):
            checker.check(shown.replace(old, new))
