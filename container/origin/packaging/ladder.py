"""Which renditions a source becomes, and which of them is the source itself, uncoded."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from origin.media.codecs import Picture
from origin.settings import Rung

COPIED_COST, ENCODED_COST = 1, 2
_FAST = 45.0  # pictures a second from which on a source is one of 50 or 60: twice the work of one of 25 or 30
_ORDINARY_PIXELS = 1920 * 1088
_PIXELS_PER_UNIT = 3_200_000  # to decode and to scale: 1440p takes one more, 4K two
_COPY_KBPS_MARGIN = 1.25  # a source may be this much above the rung's bit rate and still be passed on as it is
_WIDEST = 2.4  # cinema's aspect ratio; wider pictures have more pixels than their height says


@dataclass(frozen=True, slots=True, kw_only=True)
class RenditionPlan:
    """One rendition of one broadcast; width and height in square pixels."""

    rung: Rung
    width: int
    height: int
    copied: bool

    @property
    def name(self) -> str:
        return self.rung.name


def limit_kbps(ladder: Sequence[Rung]) -> float:
    """The video bit rate above which the source is not passed on to viewers."""
    return ladder[0].video_kbps * _COPY_KBPS_MARGIN


def misfit(picture: Picture, ladder: Sequence[Rung]) -> str | None:
    """Why this picture has to be encoded before anyone sees it, in the streamer's words; None if it fits."""
    if not picture.decodes_anywhere:
        return "the picture is not 8-bit 4:2:0 progressive H.264 of at most High profile"
    if min(picture.shown) > ladder[0].height or max(picture.shown) > ladder[0].height * _WIDEST:
        return f"{picture.described} is larger than {ladder[0].name}"
    return None


def plan(picture: Picture, ladder: Sequence[Rung], *, copy: bool) -> tuple[RenditionPlan, ...]:
    """The renditions from the top; never larger than the source. With `copy` the first is the source itself."""
    reaching = [rung for rung in ladder if rung.height >= min(picture.shown)]
    top = reaching[-1] if reaching else ladder[0]
    below = [rung for rung in ladder if rung.height < top.height]
    return tuple(_rendition(picture, rung, copied=copy and rung is top) for rung in (top, *below))


def _rendition(picture: Picture, rung: Rung, *, copied: bool) -> RenditionPlan:
    if copied:
        return RenditionPlan(rung=rung, width=picture.shown[0], height=picture.shown[1], copied=True)
    scale = min(1, rung.height / min(picture.shown))
    width, height = (max(2, round(side * scale / 2) * 2) for side in picture.shown)
    return RenditionPlan(rung=rung, width=width, height=height, copied=False)


def lighter(renditions: Sequence[RenditionPlan], steps: int) -> tuple[RenditionPlan, ...]:
    """Less to encode: with each step the largest encoded one goes. What is copied stays, and the last one."""
    encoded = [rendition for rendition in renditions if not rendition.copied]
    spared = encoded if len(encoded) < len(renditions) else encoded[:-1]
    return tuple(rendition for rendition in renditions if rendition not in spared[:steps])


def cost(renditions: Sequence[RenditionPlan], frame_rate: float, pixels: int = _ORDINARY_PIXELS) -> int:
    """Capacity that a broadcast takes, in copied broadcasts of 30 pictures a second; `pixels` are the source's."""
    base = COPIED_COST if any(rendition.copied for rendition in renditions) else ENCODED_COST
    beyond = max(0, pixels - _ORDINARY_PIXELS)
    return (base + math.ceil(beyond / _PIXELS_PER_UNIT)) * (2 if frame_rate > _FAST else 1)
