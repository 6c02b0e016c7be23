"""Back-off: 1 s doubling to 60 s, shortened by chance, begun anew after a connection that held."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.backoff import Backoff


def test_waits_double_up_to_a_minute() -> None:
    """Without chance the waits are 1, 2, 4 ... 60, 60 s."""
    backoff = Backoff(lambda: 0.0)
    assert [backoff.failed(0.0) for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=20))
def test_chance_only_shortens_and_by_a_quarter_at_most(dice: list[float]) -> None:
    """However the dice fall, a wait lies between three quarters of its step and the step."""
    rolls = iter(dice)
    backoff = Backoff(lambda: next(rolls))
    for i in range(len(dice)):
        step = min(2.0**i, 60.0)
        assert 0.75 * step <= backoff.failed(0.0) <= step


def test_a_connection_that_held_starts_the_row_again() -> None:
    """After 10 s online the next wait is 1 s; after less the row goes on."""
    backoff = Backoff(lambda: 0.0)
    for _ in range(3):
        backoff.failed(0.0)
    backoff.online(100.0)
    backoff.online(105.0)  # still the same connection
    assert backoff.failed(109.0) == 8.0
    backoff.online(200.0)
    assert backoff.failed(210.0) == 1.0
