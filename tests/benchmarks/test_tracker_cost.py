"""Laws of the tracker's cost: ours and the peers in one run, by stable names; a peer that is not there is said."""

from __future__ import annotations

import logging

import pytest

from benchmarks import tracker_cost as cost
from benchmarks import ultralytics_peer


def test_all_are_timed_on_the_same_boxes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One figure each at 20 and 60 boxes, the peers' beside it; one that cannot be run is left out, with the reason."""
    monkeypatch.setattr(ultralytics_peer, "export_environment", lambda: None)
    monkeypatch.setattr(cost, "N_PICTURES", 8)
    monkeypatch.setattr(cost, "N_WARM", 4)
    seen: list[tuple[str, int, int]] = []
    with caplog.at_level(logging.WARNING):
        report = cost.tracker_cost(2, lambda *step: seen.append(step))
    figures = {figure.name: figure for figure in report.figures}
    assert sorted(figures) == [
        "throughput.carried.n20", "throughput.carried.n60", "throughput.tracker.n20", "throughput.tracker.n60",
    ]  # fmt: skip
    assert all(figure.value is not None and figure.value > 0 for figure in report.figures)
    assert set(figures["throughput.tracker.n60"].peers) == {cost.BYTETRACK}
    assert "left out peer=ultralytics.bytetrack reason=the export environment is not made" in caplog.text
    assert seen[-1] == ("60 boxes", 2, 2)


def test_the_crowd_is_the_same_each_time() -> None:
    """The boxes of a run are those of any other: figures can be compared."""
    once, again = cost.crowd(20), cost.crowd(20)
    assert all((a == b).all() for a, b in zip(once, again, strict=True))
    assert max(len(rows) for rows in once) <= 20
