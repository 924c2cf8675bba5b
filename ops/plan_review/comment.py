"""The review as Markdown for a pull request's comment."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from ops.plan_review import words
from ops.plan_review.effect import Effect, Verdict
from ops.plan_review.review import COUNTED
from ops.plan_review.text import difference_lines, markdown_block, markdown_code, markdown_text, short, visible
from ops.plan_review.values import Difference

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ops.plan_review.change import Change
    from ops.plan_review.review import Review

MARKER_VERSION = 1
MOST_CHARACTERS = 60_000  # GitHub takes 65,536
_ROOM_FOR_LEFT_OUT = 400
_MOST_LISTED = 100
_SIGNS = {Verdict.SAFE_NOW: "✅", Verdict.WAIT: "⏳", Verdict.NEEDS_APPROVAL: "⛔"}


class Kind(IntEnum):
    """What a block is; what is less important goes first when there is no room."""

    HEADING = 0
    CARD = 1
    LIST_OF_NOT_JUDGED = 2
    LIST_OF_FINDINGS = 3
    LIST_OF_OUTPUTS = 4
    LIST_OF_DRIFT = 5
    LIST_OF_OTHER_CHANGES = 6
    NOISE = 7


_KINDS = {
    Kind.HEADING: ("heading",),
    Kind.CARD: ("card",),
    Kind.LIST_OF_NOT_JUDGED: ("list of what is not judged", "lists of what is not judged"),
    Kind.LIST_OF_FINDINGS: ("list of findings", "lists of findings"),
    Kind.LIST_OF_OUTPUTS: ("list of outputs", "lists of outputs"),
    Kind.LIST_OF_DRIFT: ("list of what was changed outside", "lists of what was changed outside"),
    Kind.LIST_OF_OTHER_CHANGES: ("list of other changes", "lists of other changes"),
    Kind.NOISE: ("line on noise", "lines on noise"),
}


@dataclass(frozen=True, slots=True)
class _Block:
    """Markdown that is whole by itself: its fences and folds are closed."""

    kind: Kind
    severity: tuple[int, ...]
    text: str


def marker(environment: str) -> str:
    """The hidden line by which a comment about this environment is found again."""
    return f"<!-- plan-review:v{MARKER_VERSION}:{environment} -->"


def comment(reviews: Sequence[Review], most_characters: int = MOST_CHARACTERS) -> str:
    """The comment on all environments."""
    head = [
        "\n".join(marker(review.environment) for review in reviews),
        "\n".join(f"{verdict_line(review)}<br>" for review in reviews).removesuffix("<br>"),
    ]
    changing = [review for review in reviews if not review.nothing_changes]
    if changing:
        head.append(_table(changing))
    blocks = [block for review in changing for block in _blocks(review)]
    room = most_characters - sum(len(part) + 2 for part in head) - _ROOM_FOR_LEFT_OUT
    kept = _fitting(blocks, room)
    left_out = [block for index, block in enumerate(blocks) if index not in kept]
    body = [block.text for index, block in enumerate(blocks) if index in kept]
    return "\n\n".join([*head, *body, *_left_out(left_out)]) + "\n"


def verdict_line(review: Review) -> str:
    name = f"**{markdown_text(review.environment)}**"
    if review.nothing_changes:
        return f"{_SIGNS[Verdict.SAFE_NOW]} {name}: nothing changes."
    return (
        f"{_SIGNS[review.verdict]} {name}: **{words.VERDICTS[review.verdict]}** · "
        f"broadcasts cut: **{words.BROADCASTS[review.broadcasts]}** · "
        f"URLs that change: **{words.urls(review)}** · cost: {markdown_text(words.cost(review))}"
    )


def _fitting(blocks: list[_Block], room: int) -> set[int]:
    """From the most important on, until one does not fit."""
    kept: set[int] = set()
    for index in sorted(range(len(blocks)), key=lambda i: (blocks[i].kind, blocks[i].severity)):
        room -= len(blocks[index].text) + 2
        if room < 0:
            break
        kept.add(index)
    return kept


def _left_out(blocks: list[_Block]) -> Iterator[str]:
    if not blocks:
        return
    counts = Counter(block.kind for block in blocks)
    counted = ", ".join(words.plural(counts[kind], *_KINDS[kind]) for kind in sorted(counts))
    yield f"**Left out for want of room:** {counted}. The terminal view (`--format terminal`) has all of it."


def _table(reviews: Sequence[Review]) -> str:
    lines = [f"| environment | {' | '.join(COUNTED)} |", f"|---|{'--:|' * len(COUNTED)}"]
    for review in reviews:
        counts = " | ".join(str(count or "") for count in review.counts.values())
        lines.append(f"| {markdown_text(review.environment)} | {counts} |")
    return "\n".join(lines)


def _blocks(review: Review) -> Iterator[_Block]:
    worst = (-review.verdict,)
    yield _Block(Kind.HEADING, worst, f"## {markdown_text(review.environment)}")
    for effect in review.effects:
        yield _Block(Kind.CARD, effect.severity, _card(effect))
    for kind, text in (
        (Kind.LIST_OF_NOT_JUDGED, _not_judged(review)),
        (Kind.LIST_OF_OUTPUTS, _outputs(review)),
        (Kind.LIST_OF_FINDINGS, _findings(review)),
        (Kind.LIST_OF_DRIFT, _drift(review)),
        (Kind.LIST_OF_OTHER_CHANGES, _others(review)),
        (Kind.NOISE, _noise(review)),
    ):
        if text:
            yield _Block(kind, worst, text)


def _card(effect: Effect) -> str:
    parts = [f"### {_SIGNS[effect.verdict]} {markdown_text(effect.title)}", _what(effect.changes[0])]
    lines = words.shown_differences(effect)
    if lines:
        parts.append(markdown_block(lines, "diff"))
    if len(effect.changes) > 1:
        along = [markdown_code(change.address) for change in effect.changes[1:]]
        more = f" and {len(along) - 8} more" if len(along) > 8 else ""
        parts.append(f"Along with it: {', '.join(along[:8])}{more}")
    told = [
        f"- **Streamers:** {markdown_text(effect.streamers)}",
        f"- **Viewers:** {markdown_text(effect.viewers)}",
    ]
    if effect.safe_way:
        told.append(f"- **The safe way:** {markdown_text(effect.safe_way)}")
    parts.append("\n".join(told))
    if effect.paste:
        parts.append(markdown_block([short(visible(line), 400) for line in effect.paste.splitlines()[:40]], "python"))
    return "\n\n".join(parts)


def _what(change: Change) -> str:
    text = f"{markdown_code(change.address)} (construct {markdown_code(change.construct_path)}): {change.action}"
    if change.forced_by:
        text += f", forced by {', '.join(markdown_code(path) for path in change.forced_by[:8])}"
    if change.moved_from:
        text += f", moved from {markdown_code(change.moved_from)}"
    return text


def _not_judged(review: Review) -> str:
    """Under a heading of its own: it is why somebody has to look."""
    entries = review.not_judged
    if not entries:
        return ""
    whole: dict[str, list[str]] = {}
    block: list[str] = []
    for entry in entries:
        address = visible(entry.change.address) if entry.change is not None else ""
        lines = words.not_judged_lines(entry)
        if not lines:
            whole.setdefault(entry.what, []).append(address)
        elif len(block) < _MOST_LISTED:
            block += [f"  {address}", *lines]
    parts = [
        f"### ⛔ Not judged: {len(entries)}",
        "No rule has looked at these, so nobody knows what they do to those who are live.",
        "\n".join(_not_judged_line(what, addresses) for what, addresses in list(whole.items())[:_MOST_LISTED]),
        markdown_block(block, "diff") if block else "",
    ]
    return "\n\n".join(part for part in parts if part)


def _not_judged_line(what: str, addresses: list[str]) -> str:
    named = [address for address in addresses if address]
    if not named:
        return f"- {markdown_code(what)}"
    more = f" and {len(named) - 8} more" if len(named) > 8 else ""
    return f"- {markdown_code(what)}: {', '.join(map(markdown_code, named[:8]))}{more}"


def _bounded(lines: list[str], count: int) -> list[str]:
    return lines if count <= len(lines) else [*lines, f"- … and {count - len(lines):,} more"]


def _outputs(review: Review) -> str:
    lines = [
        line
        for output in review.output_changes[:_MOST_LISTED]
        for line in difference_lines(Difference((output.name,), output.before, output.after))
    ]
    return f"**Outputs**\n\n{markdown_block(lines, 'diff')}" if lines else ""


def _findings(review: Review) -> str:
    if not review.new_findings:
        return ""
    lines = [
        f"- {markdown_code(finding.check)} {markdown_code(finding.address)}: {markdown_text(finding.message)}"
        + (f" Accepted: {markdown_text(finding.accepted)}" if finding.accepted else "")
        for finding in review.new_findings[:_MOST_LISTED]
    ]
    heading = f"**Findings of checkov and our own policy that are new: {len(review.new_findings)}**"
    return "\n".join([heading, "", *_bounded(lines, len(review.new_findings))])


def _drift(review: Review) -> str:
    return _folded("changed outside Terraform", review.drift)


def _others(review: Review) -> str:
    return _folded("other change" if len(review.others) == 1 else "other changes", review.others)


def _folded(what: str, changes: Sequence[Change]) -> str:
    if not changes:
        return ""
    lines = [_line(change) for change in changes[:_MOST_LISTED]]
    return "\n".join(
        [
            f"<details><summary>{len(changes):,} {what}</summary>",
            "",
            *_bounded(lines, len(changes)),
            "",
            "</details>",
        ]
    )


def _line(change: Change) -> str:
    text = f"- {markdown_code(words.sign(change))} {markdown_code(change.address)}"
    if change.moved_from:
        text += f" moved from {markdown_code(change.moved_from)}"
    if change.imported:
        text += " imported"
    names = words.changed_names(change)
    return f"{text}: {markdown_code(names)}" if names else text


def _noise(review: Review) -> str:
    if not review.noise:
        return ""
    return f"{words.plural(review.noise, 'value')} without effect (tags, descriptions and the like) not shown."
