"""The review for a terminal."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from ops.plan_review import words
from ops.plan_review.effect import Effect, Verdict
from ops.plan_review.review import COUNTED
from ops.plan_review.text import difference_lines, visible
from ops.plan_review.values import Difference

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ops.plan_review.review import Review

_WIDTH = 100
_BOLD, _RED, _GREEN, _YELLOW = "1", "31", "32", "33"
_COLOURS = {Verdict.SAFE_NOW: _GREEN, Verdict.WAIT: _YELLOW, Verdict.NEEDS_APPROVAL: _RED}


class TerminalView:
    """Writes reviews, in colours or without."""

    def __init__(self, *, colours: bool) -> None:
        self._colours = colours

    def text(self, reviews: Sequence[Review]) -> str:
        lines = [line for review in reviews for line in self._verdict(review)]
        for review in reviews:
            if not review.nothing_changes:
                lines += ["", *self._environment(review)]
        return "\n".join(lines) + "\n"

    def _paint(self, text: str, *codes: str) -> str:
        return f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if self._colours else text

    def _verdict(self, review: Review) -> Iterator[str]:
        name = self._paint(review.environment, _BOLD)
        if review.nothing_changes:
            yield f"{name}: nothing changes."
            return
        verdict = self._paint(words.VERDICTS[review.verdict], _BOLD, _COLOURS[review.verdict])
        yield (
            f"{name}: {verdict}; broadcasts cut: {words.BROADCASTS[review.broadcasts]}; "
            f"URLs that change: {words.urls(review)}; cost: {visible(words.cost(review))}"
        )
        counts = review.counts
        yield "  " + ", ".join(f"{counts[kind]} {kind}" for kind in COUNTED if counts[kind])

    def _environment(self, review: Review) -> Iterator[str]:
        yield self._paint(f"== {review.environment} ==", _BOLD)
        for effect in review.effects:
            yield from self._card(effect)
        if review.not_judged:
            yield ""
            yield self._paint(f"Not judged: {len(review.not_judged)} (no rule has looked at these)", _BOLD, _RED)
            for entry in review.not_judged:
                where = f"{visible(entry.change.address)}: " if entry.change is not None else ""
                yield f"  {where}{visible(entry.what)}"
                yield from (f"    {self._difference(line)}" for line in words.not_judged_lines(entry))
        yield from self._list(
            "Outputs",
            (
                self._difference(line)
                for output in review.output_changes
                for line in difference_lines(Difference((output.name,), output.before, output.after))
            ),
        )
        yield from self._list(
            "New findings",
            (
                visible(f"{finding.check} {finding.address}: {finding.message}")
                + (visible(f" Accepted: {finding.accepted}") if finding.accepted else "")
                for finding in review.new_findings
            ),
        )
        for title, changes in (("Changed outside Terraform", review.drift), ("Other changes", review.others)):
            yield from self._list(
                title,
                (
                    visible(f"{words.sign(change):>3} {change.address} {words.changed_names(change)}".rstrip())
                    for change in changes
                ),
            )
        if review.noise:
            yield ""
            yield f"{words.plural(review.noise, 'value')} without effect (tags, descriptions and the like) not shown."

    def _list(self, title: str, lines: Iterable[str]) -> Iterator[str]:
        listed = list(lines)
        if listed:
            yield ""
            yield self._paint(title, _BOLD)
            yield from (f"  {line}" for line in listed)

    def _card(self, effect: Effect) -> Iterator[str]:
        change = effect.changes[0]
        yield ""
        yield self._paint(visible(effect.title), _BOLD, _COLOURS[effect.verdict])
        forced = f", forced by {', '.join(change.forced_by)}" if change.forced_by else ""
        yield visible(f"  {change.address} (construct {change.construct_path}): {change.action}{forced}")
        yield from (f"    {self._difference(line)}" for line in words.shown_differences(effect))
        for who, what in (
            ("streamers", effect.streamers),
            ("viewers", effect.viewers),
            ("the safe way", effect.safe_way),
        ):
            if what:
                yield textwrap.fill(f"{who}: {visible(what)}", _WIDTH, initial_indent="  ", subsequent_indent="    ")
        yield from (f"    {visible(line)}" for line in effect.paste.splitlines())

    def _difference(self, line: str) -> str:
        return self._paint(line, _GREEN if line.startswith("+") else _RED)
