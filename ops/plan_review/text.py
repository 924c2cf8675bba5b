"""Strings of a plan for people: what cannot be seen made visible, what is long cut, and Markdown that stays text."""

from __future__ import annotations

import json
import re
from typing import Any

from ops.plan_review.values import Difference, Marker, Secret

VALUE_CHARACTERS = 160
TEXT_CHARACTERS = 1500
_MOST_MEMBERS = 12  # of a list, that came or went
_LEAD = 24  # characters before the first one that differs
_BREAK = "\u200b"  # zero width: what is linked or notified of with the parts together is neither with this between


def visible(text: str) -> str:
    """Controls, line ends, directions, lone surrogates and the like as their escapes."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode()
        for character in text
    )


def short(text: str, most: int = VALUE_CHARACTERS) -> str:
    """The beginning, and how much there is more."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text) - most:,} more)"


# Underscores within words are none. The rest of ASCII is markup at the start of a line only, or in pairs with these.
_MARKUP = re.compile(r"[\\\\`*\[\]<>|~]|(?<![^\W_])_|_(?![^\W_])")
_AT_LINE_START = re.compile(r"^\s*([-+=:#]|\d+[.)])")
# What GitHub finds in rendered text: mentions, issues (#1, GH-1), addresses, commits.
# Between "www" and its dot, not after it: to GitHub's parser a space of no width may be in a host's name.
_FOUND = re.compile(r"@|#(?=\w)|(?<=\bGH)-(?=\d)|:(?=//)|www(?=\.)|[0-9a-f]{6}(?=[0-9a-f])", re.IGNORECASE)
_ENTITIES = {"&": "&amp;", "$": "&#36;"}


def markdown_text(text: str) -> str:
    """A plan's or a rule's words as Markdown that is these words: no markup, link, reference or mention."""
    words = short(visible(text), TEXT_CHARACTERS)
    words = _FOUND.sub(lambda found: found.group() + _BREAK, words)
    words = _AT_LINE_START.sub(lambda found: _BREAK + found.group().lstrip(), words)
    words = re.sub("[&$]", lambda found: _ENTITIES[found.group()], words)
    return _MARKUP.sub(lambda found: "&lt;" if found.group() == "<" else f"\\{found.group()}", words)


def markdown_code(text: str, most: int = VALUE_CHARACTERS) -> str:
    """A code span: GitHub links and notifies of nothing in it. Not for tables."""
    content = short(visible(text), most)
    if not content.strip():
        content = f"\u2423{content}" if content else "\u2423"
    fence = "`" * (_longest_run(content) + 1)
    pad = " " if content.startswith(("`", " ")) or content.endswith(("`", " ")) else ""
    return f"{fence}{pad}{content}{pad}{fence}"


def markdown_block(lines: list[str], language: str = "") -> str:
    """A fenced block of lines, each already visible."""
    content = "\n".join(lines)
    fence = "`" * max(3, _longest_run(content) + 1)
    return f"{fence}{language}\n{content}\n{fence}"


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


def shown(value: Any) -> str:
    """A value of a view, in full."""
    match value:
        case Marker():
            return str(value)
        case Secret():
            return "(sensitive)"
        case str() | None | bool() | int() | float():
            return visible(json.dumps(value, ensure_ascii=False))
        case tuple():
            return f"[{', '.join(shown(member) for member in value)}]"
        case dict():
            return f"{{{', '.join(f'{visible(name)}: {shown(member)}' for name, member in value.items())}}}"
        case _:
            return visible(json.dumps(value, default=str))


def difference_lines(difference: Difference) -> list[str]:
    """`- name = before` and `+ name = after`; of lists only the members that differ, of long texts where they do."""
    name = short(visible(difference.name))
    before, after = difference.before, difference.after
    if isinstance(before, tuple) and isinstance(after, tuple):
        lines = _members("-", name, before, after) + _members("+", name, after, before)
        if lines:
            return lines
    if isinstance(before, Secret) and isinstance(after, Secret):
        return [f"- {name} = (sensitive)", f"+ {name} = (sensitive, another one)"]
    old, new = _where_they_differ(shown(before), shown(after))
    lines = [] if before is None else [f"- {name} = {short(old)}"]
    return lines + ([] if after is None else [f"+ {name} = {short(new)}"])


def _members(sign: str, name: str, members: tuple[Any, ...], others: tuple[Any, ...]) -> list[str]:
    ours = [member for member in map(shown, members) if member not in set(map(shown, others))]
    lines = [f"{sign} {name}: {short(member)}" for member in ours[:_MOST_MEMBERS]]
    return lines + ([f"{sign} {name}: {len(ours) - _MOST_MEMBERS} more"] if len(ours) > _MOST_MEMBERS else [])


def _where_they_differ(before: str, after: str) -> tuple[str, str]:
    if max(len(before), len(after)) <= VALUE_CHARACTERS:
        return before, after
    same = next(
        (i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after))
    )
    skipped = max(same - _LEAD, 0)
    return (f"…{before[skipped:]}", f"…{after[skipped:]}") if skipped else (before, after)
