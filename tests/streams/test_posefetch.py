"""Laws of the pose network's fetch: whoever asks never waits, what fails is tried again, and then it is there."""

from __future__ import annotations

import threading
import time

from support.looking import LEFT, RIGHT, Pose, people, scene, watch

from detector.errors import ModelError
from models.handoff.network import ActivityNetwork
from streams.pairlook import Networks, PairLooker
from streams.posefetch import PoseFetch

LATEST_S = 30.0


def died(name: str, error: BaseException) -> None:
    raise AssertionError(f"{name} died of {error}")


def test_a_pair_waits_for_no_network() -> None:
    """While the network is fetched, after a failure too, pictures are judged without skeletons; then with them."""
    pose, may, tries = Pose(LEFT, RIGHT), threading.Event(), []

    def load() -> Networks:
        tries.append(len(tries))
        if len(tries) == 1:
            raise ModelError("no connection", where="somewhere")
        may.wait(LATEST_S)
        return Networks(pose, ActivityNetwork())  # type: ignore[arg-type]

    fetch = PoseFetch(died, load, retry_s=0.01)
    look, one = PairLooker(fetch), scene("a")
    for n in range(8):
        (sights,) = look.look([watch(one, "a", people(LEFT, RIGHT), n)])
    assert not sights[0].skeletons.any()
    assert pose.calls == []
    may.set()
    n, deadline = 8, time.monotonic() + LATEST_S
    while not sights[0].skeletons.any():
        assert time.monotonic() < deadline
        fetch.stage.wait(0.05)
        (sights,) = look.look([watch(one, "a", people(LEFT, RIGHT), n)])
        n += 1
    assert len(tries) == 2


def test_nothing_is_fetched_before_a_pair_is_near() -> None:
    """No question, no thread; and one that waits to try again ends when it is asked to."""

    def load() -> Networks:
        raise ModelError("no connection", where="somewhere")

    fetch = PoseFetch(died, load, retry_s=600.0)
    assert not fetch.stage.running
    assert fetch.stage.stop(1.0)
    fetch = PoseFetch(died, load, retry_s=600.0)
    assert fetch() is None
    assert fetch.stage.stop(LATEST_S)
