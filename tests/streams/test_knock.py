"""Laws of waiting for a camera: back within seconds of its return, and never asked more often than it is due."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from detector.errors import Trouble
from streams.address import Address, address_of
from streams.knock import EVERY_S, SPREAD_S, Patience, answers

GO = threading.Event()  # never set


def camera(url: str = "rtsp://192.0.2.7/s") -> Address:
    return address_of(url, "", "", Path())


class Waited:
    """A clock without time, and a port that is open or not at each knock."""

    def __init__(self, *there: bool, stops_after: int = 1000) -> None:
        self.s, self.there, self.stops_after = 0.0, list(there), stops_after
        self.n_knocks = 0

    def wait(self, _stop: threading.Event, wait_s: float) -> bool:
        self.s += wait_s
        self.stops_after -= 1
        return self.stops_after <= 0

    def knock(self, _address: Address) -> bool:
        self.n_knocks += 1
        return self.there.pop(0) if len(self.there) > 1 else self.there[0]

    def through(self, wait_s: float, trouble: Trouble, address: Address | None = None) -> Waited:
        Patience(address or camera(), self.wait, lambda: 0.5, self.knock).wait(GO, wait_s, trouble)
        return self


@pytest.mark.parametrize("trouble", [Trouble.REFUSED, Trouble.NO_ROUTE])
def test_a_camera_that_returns_is_asked_within_seconds(trouble: Trouble) -> None:
    """Away for ten knocks of a minute's wait, then there: asked at once, but for the spread."""
    assert Waited(*[False] * 10, True).through(60.0, trouble).s == 11 * EVERY_S + 0.5 * SPREAD_S


def test_a_camera_that_is_away_is_asked_when_it_is_due() -> None:
    """A knock is no attempt: the wait is as long as it was."""
    waited = Waited(False).through(60.0, Trouble.REFUSED)
    assert waited.s == pytest.approx(60.0)
    assert waited.n_knocks == 39


@pytest.mark.parametrize("trouble", [Trouble.LOST, Trouble.NO_DATA])
def test_a_camera_that_answers_and_does_not_play_is_left_alone(trouble: Trouble) -> None:
    """Its port was never seen closed, so nothing has changed: one knock, and the whole wait."""
    waited = Waited(True).through(60.0, trouble)
    assert (waited.s, waited.n_knocks) == (60.0, 1)


def test_a_camera_that_dies_and_returns_is_asked_soon() -> None:
    """Lost, then seen closed, then open again."""
    assert Waited(False, False, True).through(60.0, Trouble.LOST).s == 3 * EVERY_S + 0.5 * SPREAD_S


@pytest.mark.parametrize("trouble", [Trouble.AUTH_FAILED, Trouble.NOT_FOUND, Trouble.NO_VIDEO])
def test_where_a_knock_tells_nothing_there_is_none(trouble: Trouble) -> None:
    """The camera is there; what is wrong is something else."""
    assert Waited(False).through(300.0, trouble).n_knocks == 0


def test_what_has_no_port_or_only_a_name_is_not_knocked_at() -> None:
    """A file, a device; and a name, which would have to be looked up first."""
    for address in (camera("film.mp4"), camera("v4l2:///dev/video0"), camera("rtsp://yard-camera/s")):
        assert Waited(False).through(60.0, Trouble.UNREADABLE, address).n_knocks == 0


def test_a_stop_ends_the_wait() -> None:
    """At the next look, without another knock."""
    waited = Waited(False, stops_after=3).through(60.0, Trouble.REFUSED)
    assert (waited.s, waited.n_knocks) == (3 * EVERY_S, 2)


def test_a_port_answers_or_not() -> None:
    """Really, on loopback and in both families of addresses."""
    with socket.create_server(("127.0.0.1", 0)) as there:
        port = there.getsockname()[1]
        assert answers(camera(f"rtsp://u:p@127.0.0.1:{port}/s"))
    assert not answers(camera(f"rtsp://127.0.0.1:{port}/s"))
    assert not answers(camera(f"rtsp://[::1]:{port}/s"))
