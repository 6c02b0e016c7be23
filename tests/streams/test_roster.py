"""Laws of the roster: a camera that is not wanted any more is there, as stopping, until all it held is let go."""

from __future__ import annotations

import threading
from pathlib import Path
from uuid import UUID

import pytest
from support.site import camera

from api.schemas import CameraState
from streams.analysis import Run
from streams.config import Camera, Site, parse_site
from streams.flow import Board, Pipe, Stage
from streams.health import Watched
from streams.inference import Orders
from streams.reader import CameraHealth
from streams.recorder import ClipRequest
from streams.roster import Lookout, Roster

RUN = Run(run_id=UUID(int=7), network="n", model_sha256="a" * 64, provider="cpu", config_hash="b" * 64)
LONG_S = 20.0


class Still:
    """Stands for a reader, an analysis and a recorder."""

    def __init__(self, camera_id: str) -> None:
        self.health = CameraHealth(camera_id, CameraState.ONLINE)
        self.retired = False


class Rig:
    """A roster whose cameras do nothing until they are stopped, and then until `end` is set."""

    def __init__(self) -> None:
        self.built: list[Lookout] = []
        self.end, self.board = threading.Event(), Board()
        self.orders: Pipe[Orders] = Pipe(64)
        self.roster = Roster(self._build, self.orders, self.board, threading.Event())

    def _build(self, camera: Camera) -> Lookout:
        still = Still(camera.id)

        def run(stop: threading.Event) -> None:
            stop.wait()
            self.end.wait()

        requests: Pipe[ClipRequest] = Pipe(4)
        stage = Stage(camera.id, run, on_death=lambda *_: None)
        watched = Watched(camera, still, still, still)  # type: ignore[arg-type]
        self.built.append(Lookout(watched, requests, stage))
        return self.built[-1]

    def apply(self, site: Site) -> None:
        self.roster.apply(site, RUN)
        self.look()

    def look(self) -> None:
        self.roster.look(len(self.orders))


def site_of(*names: str) -> Site:
    return parse_site({"cameras": [camera(name, f"rtsp://cam/{name}") for name in names]}, Path())


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_a_removed_camera_is_leaving_until_its_thread_has_ended(rig: Rig) -> None:
    """Watched, then leaving while its thread and its analysis have something to do, then gone."""
    rig.apply(site_of("yard", "gate"))
    rig.apply(site_of("gate"))
    census = rig.roster.census
    assert (set(census.watched), set(census.leaving), census.removed) == ({"gate"}, {"yard"}, {"yard"})
    rig.look()
    assert "yard" in rig.roster.census.there
    rig.built[0].watched.analysis.retired = True
    rig.look()
    assert rig.built[0].requests.closed
    assert "yard" in rig.roster.census.there, "its thread still runs"
    rig.end.set()
    assert rig.built[0].stage.wait(LONG_S)
    rig.look()
    assert set(rig.roster.census.there) == {"gate"}
    assert rig.roster.census.removed == {"yard"}


def test_a_changed_camera_is_leaving_before_it_starts_again(rig: Rig) -> None:
    """Never two of one id: the new one is built when the old one has been let go."""
    rig.apply(site_of("yard"))
    changed = parse_site({"cameras": [camera("yard", "rtsp://cam/elsewhere")]}, Path())
    rig.apply(changed)
    assert (set(rig.roster.census.watched), set(rig.roster.census.leaving)) == (set(), {"yard"})
    assert len(rig.built) == 1
    rig.built[0].watched.analysis.retired = True
    rig.end.set()
    assert rig.built[0].stage.wait(LONG_S)
    rig.look()
    assert (set(rig.roster.census.watched), set(rig.roster.census.leaving)) == ({"yard"}, set())
    rig.roster.stop_reading()
