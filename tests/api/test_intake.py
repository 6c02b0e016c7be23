"""The row of an alert depends on which phases came, never on their order or number."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from support.alerts import alert_in

from api.db.intake import Batch, fold
from api.schemas import AlertIn
from detector.types import Phase

NOW = datetime(2026, 3, 1, 13, tzinfo=UTC)
LIFE = [
    alert_in(phase=Phase.OPENED, revision=0),
    alert_in(phase=Phase.UPDATED, revision=1),
    alert_in(phase=Phase.UPDATED, revision=2),
    alert_in(phase=Phase.CLOSED, revision=3),
]


def _row(phases: list[AlertIn], split: int) -> dict[str, Any]:
    """The row after the phases came in two batches."""
    first = Batch(stored=set(), known={})
    for phase in phases[:split]:
        fold(first, phase, NOW)
    second = Batch(stored=first.stored, known=first.new)
    for phase in phases[split:]:
        fold(second, phase, NOW)
    return (second.new or second.known)[phases[0].alert_id]


@given(st.sets(st.integers(0, 3), min_size=1), st.data())
def test_order_and_repeats_do_not_matter(chosen: set[int], data: st.DataObject) -> None:
    """Any order of any phases, with repeats, over two commits, gives the row of the ordered life."""
    wanted = _row([LIFE[i] for i in sorted(chosen)], 0)
    came = data.draw(st.permutations(sorted(chosen)))
    came += data.draw(st.lists(st.sampled_from(sorted(chosen)), max_size=3))
    assert _row([LIFE[i] for i in came], data.draw(st.integers(0, len(came)))) == wanted


def test_a_repeat_within_one_batch_is_known() -> None:
    """The same phase twice in one commit is new once."""
    batch = Batch(stored=set(), known={})
    assert [fold(batch, LIFE[0], NOW), fold(batch, LIFE[0], NOW)] == [True, False]
    assert len(batch.phases) == 1
