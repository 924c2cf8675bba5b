"""One rendition of one stream: a segmenter that fills a window, and what was measured on the way."""

from origin.packaging.rates import Rates
from origin.packaging.segmenter import Segmenter
from origin.packaging.timeline import Timeline
from origin.packaging.window import Window


class Rendition:
    """What a program feeds (`segmenter`) and what viewers see (`window`), under the name of a rung of the ladder."""

    def __init__(self, name: str, timeline: Timeline, *, part_target_ms: int, kept_segments: int) -> None:
        self.name = name
        self.window = Window(timeline, kept_segments)
        self.rates = Rates()
        self.segmenter = Segmenter(name, timeline, self.window, part_target_ms)
        self.window.published.append(self.rates.see_part)
        self.window.completed.append(self.rates.see_segment)
