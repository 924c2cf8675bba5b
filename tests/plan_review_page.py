"""The example of docs/plan-review.md: a comment on real plans, as text and as a picture. `make plan-review-picture`."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from markdown_it import MarkdownIt
from playwright.sync_api import sync_playwright

from ops.plan_review.comment import comment
from ops.plan_review.reading import plan_in
from ops.plan_review.review import review
from tests.ops.plan_review.plans import Change, Plans, edited
from tests.shipped import ROOT

PAGE = ROOT / "docs" / "plan-review.md"
PICTURE = ROOT / "docs" / "plan-review.png"
_BEGIN, _END = "<!-- example -->\n", "<!-- end of the example -->"
_FENCE = "``````"  # longer than any in the comment

_CHANGES: dict[str, tuple[Change, ...]] = {
    "dev": ({"task": {"image_digest": f"sha256:{'f' * 64}"}},),
    "prod": (
        {"ingest": {"publisher_cidrs": ["203.0.113.0/24"]}, "viewer": {"price_class": "PriceClass_100"}},
        edited("aws_lb_target_group", "Ingest", deregistration_delay="30"),
    ),
}
_SIGNS = {"✅": "#1a7f37", "⏳": "#9a6700", "⛔": "#d1242f"}
# As GitHub shows a comment, near enough to judge it by.
_STYLE = """
body { font: 14px/1.5 "Helvetica Neue", Arial, "DejaVu Sans", sans-serif; color: #1f2328; margin: 24px; width: 860px }
h2 { font-size: 21px; border-bottom: 1px solid #d1d9e0; padding-bottom: .3em } h3 { font-size: 17px }
code, pre { font: 12px/1.45 "DejaVu Sans Mono", monospace; background: #f6f8fa; border-radius: 6px }
code { padding: .2em .4em } pre { padding: 12px; overflow: hidden } pre code { padding: 0 }
table { border-collapse: collapse } td, th { border: 1px solid #d1d9e0; padding: 5px 12px }
.add { background: #dafbe1; display: block } .del { background: #ffebe9; display: block }
"""


def example(plans: Plans) -> str:
    """The comment on both environments."""
    return comment(
        review(
            [
                plan_in(plans.of(*changes), source=environment, environment=environment)
                for environment, changes in _CHANGES.items()
            ]
        )
    )


def text_in_page() -> str:
    """The example as it stands in the page."""
    fenced = PAGE.read_text().partition(_BEGIN)[2].partition(_END)[0]
    return fenced.removeprefix(f"{_FENCE}markdown\n").removesuffix(f"{_FENCE}\n")


def _html(text: str) -> str:
    body = MarkdownIt("commonmark").enable("table").render(text)
    for sign, colour in _SIGNS.items():  # Debian has no colour emoji installed
        body = body.replace(sign, f'<span style="color: {colour}">●</span>')
    lines = []
    in_diff = False
    for line in body.split("\n"):
        in_diff = (in_diff or 'class="language-diff"' in line) and "</code></pre>" not in line
        start, opened, rest = line.partition('<code class="language-diff">')
        content = rest if opened else line
        kind = {"+": "add", "-": "del"}.get(content[:1]) if in_diff else None
        lines.append(
            f'{start + opened if opened else ""}<span class="{kind}">{content}</span>' if kind else line + "\n"
        )
    return f'<!doctype html><meta charset="utf-8"><style>{_STYLE}</style>{"".join(lines)}'


def _draw(text: str) -> None:
    chromium = shutil.which("chromium")
    assert chromium, "chromium is not installed"
    with tempfile.TemporaryDirectory(prefix="plan-review-page-") as folder, sync_playwright() as playwright:
        (Path(folder) / "page.html").write_text(_html(text))
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        page = browser.new_page(viewport={"width": 910, "height": 600})
        page.goto(f"file://{folder}/page.html")
        page.screenshot(path=PICTURE, full_page=True)
        browser.close()


def main() -> int:
    with Plans() as plans:
        text = example(plans)
    before, _, rest = PAGE.read_text().partition(_BEGIN)
    after = rest.partition(_END)[2]
    PAGE.write_text(f"{before}{_BEGIN}{_FENCE}markdown\n{text}{_FENCE}\n{_END}{after}")
    _draw(text)
    print(f"written: {PAGE.relative_to(ROOT)}, {PICTURE.relative_to(ROOT)} ({PICTURE.stat().st_size // 1000} kB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
