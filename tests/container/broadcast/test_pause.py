"""How long the newest picture has been shown, by the source's own clock."""

from origin.broadcast.pause import Pause


def seen(*media: tuple[str, int]) -> list[int]:
    """What the pause says of each sound: how far behind it the newest picture began."""
    pause, said = Pause(), []
    for kind, at in media:
        if kind == "picture":
            pause.see_picture(at)
        else:
            said.append(pause.see_sound(at) - pause.newest)
    return said


def test_pictures_that_keep_up_have_no_pause() -> None:
    assert max(seen(*(each for at in range(0, 10_000, 33) for each in (("picture", at), ("sound", at))))) == 0


def test_a_pause_grows_with_the_sound() -> None:
    assert seen(("picture", 1000), ("sound", 1000), ("sound", 1500), ("sound", 3000)) == [0, 500, 2000]


def test_pictures_that_come_behind_their_sound_are_not_paused() -> None:
    """A second late from the start: then that is how they come."""
    media = [each for at in range(0, 10_000, 33) for each in (("sound", at + 1000), ("picture", at))]
    assert max(seen(*media)[1:]) <= 33


def test_a_burst_that_was_late_once_is_forgotten() -> None:
    late = [("picture", 0), ("sound", 0), ("sound", 1000), ("picture", 33)]
    on_time = [each for at in range(66, 60_000, 33) for each in (("picture", at), ("sound", at))]
    assert seen(*late, *on_time, ("sound", 61_000))[-1] > 950


def test_sound_that_steps_back_tells_nothing() -> None:
    assert seen(("picture", 5000), ("sound", 5000), ("sound", 5400), ("sound", 4000)) == [0, 400, 400]
