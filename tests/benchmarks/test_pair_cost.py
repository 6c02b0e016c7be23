"""Laws of the cost of pairs: nothing without one, and more for five than for one."""

from __future__ import annotations

import pytest
from support.staging import write_networks

from benchmarks import pair_cost as cost


def test_no_pair_costs_nothing_and_five_more_than_one(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """People out of reach: no look at all. One and five pairs in reach are looked at, and both have their figure."""
    monkeypatch.setenv("WATCHPOST_NETWORKS", str(write_networks(tmp_path / "networks")))
    monkeypatch.setattr(cost, "N_LOOKS", 4)
    report = cost.pair_cost(1, lambda *_: None)
    figures = {figure.name: figure.value for figure in report.figures}
    assert list(figures) == ["handoff.cost.pairs0", "handoff.cost.pairs1", "handoff.cost.pairs5"]
    assert figures["handoff.cost.pairs0"] < figures["handoff.cost.pairs5"]
