"""Pictures that pause while the sound goes on: a camera is changed, a phone rings, a slide is shown for a while.

Told by the source's own clock and not by ours: what a hole in the network holds up comes late, and is no pause.
"""

_FORGETS = 30  # ms of pictures in which a millisecond of lateness is forgotten


class Pause:
    """Sees every picture and every sound, in the order in which they arrive; times in ms of presentation."""

    def __init__(self) -> None:
        self.newest = -1  # when the newest picture begins to be shown
        self._sound = -1
        self._late = 0  # by how much pictures have come after their sound lately: some encoders send them in bursts

    def see_picture(self, pts: int) -> None:
        forgotten = max(pts - self.newest, 0) // _FORGETS
        self._late = max(self._sound - pts, self._late - forgotten, 0)
        self.newest = max(self.newest, pts)

    def see_sound(self, dts: int) -> int:
        """Until when, for all that is known, no other picture is shown than the newest."""
        self._sound = max(self._sound, dts)
        return max(self._sound - self._late, self.newest)
