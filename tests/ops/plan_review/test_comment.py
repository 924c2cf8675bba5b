"""The comment: what stands where, how much of it, and that strings of a plan stay strings."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ops.plan_review.comment import MOST_CHARACTERS, comment, marker
from ops.plan_review.reading import plan_in
from ops.plan_review.review import Review, review
from policy.findings_file import ReportedFinding
from tests.ops.plan_review.documents import change, document

if TYPE_CHECKING:
    from markdown_it.token import Token

GITHUB = MarkdownIt("commonmark").enable("table")
OURS = re.compile(r"</?(details|summary)>|<br>|<!-- plan-review:v1:[\w-]+ -->")


def reviewed(*changes: dict[str, Any], environment: str = "dev", **parts: Any) -> Review:
    plan = plan_in(document(*changes, **parts), source="plan", environment=environment)
    findings = parts.get("findings", ())
    return review([plan], findings)[0]


def test_the_first_lines_are_a_marker_and_a_verdict_for_each_environment() -> None:
    text = comment([reviewed(environment="dev"), reviewed(change("aws_unheard_of.x"), environment="prod")])

    assert text.splitlines()[:5] == [
        marker("dev"),
        marker("prod"),
        "",
        "✅ **dev**: nothing changes.<br>",
        "⛔ **prod**: **needs approval** · broadcasts cut: **none** · URLs that change: **none** · cost: unknown",
    ]


def test_nothing_changes_is_one_line() -> None:
    assert comment([reviewed()]).splitlines() == [marker("dev"), "", "✅ **dev**: nothing changes."]


def test_noise_is_a_number_in_one_line() -> None:
    """Tags, descriptions: said how many, and nothing else of them."""
    parts = {
        "before": {"tags": {"a": "1"}, "description": "x"},
        "after": {"tags": {"a": "2", "b": "3"}, "description": "y"},
    }

    text = comment([reviewed(change("aws_security_group.x", ("update",), **parts))])

    assert "3 values without effect (tags, descriptions and the like) not shown." in text
    assert "aws_security_group" not in text


def test_findings_that_are_new_stand_in_the_same_comment() -> None:
    finding = ReportedFinding(check="CKV_1", stack="S-dev", address="aws_lb.x", message="is open")

    (one,) = review([plan_in(document(), source="p", environment="dev")], [finding])

    assert "new: 1" in comment([one])
    assert "`CKV_1` `aws_lb.x`: is open" in comment([one])
    assert "needs approval" in comment([one])


HOSTILE = [
    "@octocat", "<img src=x onerror=alert(1)>", "](https://evil.example)", "![x](https://evil.example/p.png)", "#1",
    "```\n# heading", "</details><script>x</script>", "`a`", "https://evil.example", "www.evil.example", "GH-12",
    "0123456789abcdef0123456789abcdef01234567", "a\r\n- item", "\u202eright", "\x1b[31mred", "| a | b |", "<!-- x -->",
    "&lt;b&gt;", "$x^2$", "\ud800", "~~gone~~", "mailto:a@b.example", "[x]: https://evil.example", "    code",
]  # fmt: skip
strings = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=40), st.lists(st.sampled_from(HOSTILE)).map("".join))


def hostile_reviews(text: str, other: str) -> list[Review]:
    changes = [
        change(f"aws_lb.{text}", before={"name": text, other: "a"}, after={"name": other, text: "b"}, type="aws_lb"),
        change("aws_x.y", (other or "x",), type=text or "x", name=other or "x"),
        change(f"aws_x.{other}", ("create",), before=None, type="aws_lb_listener", name=text or "x"),
        {**change("aws_lb.z", ("delete", "create"), replace_paths=[[text, 0, other]]), "previous_address": text},
    ]
    one, two = (each.encode("utf-8", "replace").decode() for each in (text, other))  # pydantic takes no lone surrogate
    findings = [ReportedFinding(check=one[:99], stack="S-dev", address=two[:99], message=one, accepted=two)]
    plan = plan_in(
        document(*changes, output_changes={text: {"actions": ["update"], "before": other, "after": text}}),
        source="plan",
        environment="dev",
    )
    return review([plan], findings)


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, _attributes: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        if tag not in ("br", "hr", "img", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def flat(tokens: list[Token]) -> list[Token]:
    return [each for token in tokens for each in (token, *flat(token.children or []))]


def assert_harmless(text: str) -> None:
    """As GitHub reads it: no HTML but ours, no link or picture, no mention or reference in text, all closed."""
    tokens = flat(GITHUB.parse(text))
    for token in tokens:
        if token.type in ("html_block", "html_inline"):
            rest = OURS.sub("", token.content)
            assert "<" not in re.sub(r"`[^`]*`", "", rest), token.content
        assert token.type not in ("link_open", "image"), token
        if token.type == "text":
            assert not re.search(
                r"(?<![\w`])@\w|(?<!\w)#\d|\bGH-\d|https?://|\bwww\.|\b[0-9a-f]{7,40}\b", token.content, re.IGNORECASE
            ), token.content
    tags = Tags()
    tags.feed(GITHUB.render(text))
    assert tags.open == []
    assert {character for character in text if not character.isprintable()} <= {"\n", "\u200b"}


@given(strings, strings)
@example("@octocat", "<img src=x onerror=alert(1)>")
@settings(deadline=None, max_examples=150)
def test_strings_of_a_plan_stay_strings(text: str, other: str) -> None:
    """Whatever they are made to break."""
    assert_harmless(comment(hostile_reviews(text, other)))


@given(strings, st.integers(1500, 9000))
@settings(deadline=None, max_examples=60)
def test_what_is_cut_is_counted_and_nothing_is_cut_open(text: str, room: int) -> None:
    reviews = hostile_reviews(text, "x") * 3

    cut = comment(reviews, room)

    assert len(cut) <= room
    assert_harmless(cut)
    whole = comment(reviews)
    assert ("Left out for want of room" in cut) is (cut != whole)


def test_the_least_important_goes_first() -> None:
    """Of 3,000 new resources and one that cuts all shows, the card stays."""
    many = [
        change(f"aws_subnet.Network_{number:04d}", ("create",), before=None, after={"cidr_block": "x" * 150})
        for number in range(3000)
    ]
    goes = change("aws_vpc.Network_1", ("delete", "create"), replace_paths=[["cidr_block"]])
    noisy = [
        change(f"aws_unheard_of.X{number}", ("update",), before={"v": "a" * 150}, after={"v": "b" * 150})
        for number in range(900)
    ]

    text = comment([reviewed(*many, goes, *noisy)])

    assert len(text) <= MOST_CHARACTERS
    assert "The VPC is replaced" in text
    assert "needs approval" in text
    assert re.search(r"900|more", text)


@pytest.mark.parametrize("count", [1, 4])
def test_a_comment_fits_into_githubs_limit_however_many_environments(count: int) -> None:
    changes = [
        change(f"aws_unheard_of.X{number}", before={"v": "<" * 900}, after={"v": "&" * 900}) for number in range(400)
    ]

    text = comment([reviewed(*changes, environment=f"env{index}") for index in range(count)])

    assert len(text) <= MOST_CHARACTERS
    assert len(text.encode()) < 262_144
    assert_harmless(text)
