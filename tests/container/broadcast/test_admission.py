"""How much one task takes on."""

import pytest
from origin.broadcast.admission import Admission


def test_newcomer_counts_as_encoded_until_it_is_known() -> None:
    admission = Admission(3)
    assert admission.enter("a")
    assert admission.used == 2
    assert not admission.charge("a", 1)
    assert admission.used == 1


@pytest.mark.parametrize(("capacity", "copied", "encoded"), [(1, 1, 1), (2, 2, 1), (3, 3, 2), (4, 4, 2)], ids=str)
def test_task_takes_as_many_as_it_has_units(capacity: int, copied: int, encoded: int) -> None:
    """And never more than one unit above; a full one says at least its capacity, which scaling out goes by."""
    for cost, number in ((1, copied), (2, encoded)):
        admission = Admission(capacity)
        let_in = 0
        while admission.enter(let_in):
            assert admission.excess <= 1
            admission.charge(let_in, cost)
            let_in += 1
        assert let_in == number
        assert admission.used >= capacity


def test_live_broadcast_may_cost_more_than_there_is() -> None:
    """Then nobody else is let in until there is room."""
    admission = Admission(3)
    for name in "abc":
        assert admission.enter(name)
        admission.charge(name, 1)
    assert admission.charge("a", 2)
    assert admission.charge("b", 2)
    assert not admission.charge("b", 2)  # no news
    assert admission.excess == 2
    admission.release("c")
    assert not admission.enter("d")
    admission.release("b")
    assert admission.enter("d")


def test_place_is_handed_over_and_given_back_once() -> None:
    admission = Admission(2)
    assert admission.enter("claim")
    admission.hand_over("claim", "session")
    admission.release("claim")
    assert admission.used == 2
    admission.release("session")
    assert admission.used == 0
