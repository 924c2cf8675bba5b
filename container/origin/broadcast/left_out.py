"""Renditions that are left out because FFmpeg did not keep up, and when to try them again."""

_TRY_AGAIN_AFTER_MS = 600_000


class LeftOut:
    """Counts them, from the top of what is encoded. Times are of the source, in ms."""

    def __init__(self, most: int) -> None:
        """`most`: one rendition always stays."""
        self.count = 0
        self._most = most
        self._at = 0
        self._broadcasts_then = 0

    def one_more(self, at: int, broadcasts: int) -> None:
        """FFmpeg fell behind, while the task had so many broadcasts."""
        self.count = min(self.count + 1, self._most)
        self._at, self._broadcasts_then = at, broadcasts

    def try_again(self, at: int, broadcasts: int, excess: int) -> bool:
        """Whether there may be room again: another broadcast left, or what slowed this one may have passed."""
        long_ago = at - self._at > _TRY_AGAIN_AFTER_MS
        return self.count > 0 and (broadcasts < self._broadcasts_then or (long_ago and not excess))

    def reset(self) -> None:
        self.count = 0
