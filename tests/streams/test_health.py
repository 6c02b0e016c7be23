"""Laws of the pulse: what the service knows of cameras is true again soon after any trouble."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import numpy as np
import pytest
from support.sink import TOKEN, Sink
from support.site import camera

from api.schemas import CameraState
from detector.errors import Trouble
from detector.types import Stamp
from streams.analysis import Counts
from streams.config import parse_site
from streams.courier import open_client
from streams.evidence import Folder, Room
from streams.flow import Board
from streams.frame import Frame
from streams.health import Census, Parts, Pulse, Watched, describe
from streams.outbox import Outbox
from streams.reader import CameraHealth

AT = datetime(2026, 3, 1, tzinfo=UTC)


class Still:
    """Stands for a reader and an analysis: only what the pulse reads of them."""

    def __init__(self, camera_id):
        self.health = CameraHealth(camera_id, CameraState.ONLINE, "", 640, 480, t=50.0, n_decoded=100)
        self.counts = Counts(n_analysed=40, n_people=3, covered_s=40.0)
        self.newest = None
        self.frozen = False
        self.n_waiting = 2
        self.warning = ""

    def show(self, index):
        video = av.VideoFrame.from_ndarray(np.zeros((480, 640, 3), np.uint8), format="rgb24")
        self.newest = Frame(Stamp("yard", 0, index, index / 10, AT, 640, 480), video)


@pytest.fixture
def sink():
    server = Sink()
    yield server
    server.close()


@pytest.fixture
def watched(tmp_path):
    content = {"cameras": [camera(name, f"rtsp://u:s3cret@cam/{name}") for name in ("yard", "gate")]}
    return {
        one.id: Watched(one, still := Still(one.id), still, still)
        for one in parse_site(content, tmp_path).cameras
    }


class Told:
    """The census that a pulse reads; a test may change it."""

    def __init__(self, watched):
        self.now = Census(watched)

    def __call__(self):
        return self.now


@pytest.fixture
def census(watched):
    return Told(watched)


@pytest.fixture
def pulse(tmp_path, sink, census):
    outbox = Outbox(tmp_path / "o.db")
    parts = Parts(census, Board(), outbox, Folder(tmp_path / "evidence"))
    with open_client(sink.url, TOKEN) as client:
        yield Pulse("w1", client, parts, lambda: AT + timedelta(seconds=1))
    outbox.close()


def test_a_beat_tells_every_camera(sink, pulse):
    """Cameras are registered with zones and rules, then their state and counts are told."""
    assert pulse.beat()
    assert sink.cameras["yard"]["zones"][0]["name"] == "lawn"
    assert sink.cameras["yard"]["rules"][0]["params"]["min_people"] == 3
    beat = sink.beats[0]
    assert (beat["worker_id"], beat["n_outbox"], beat["n_refused"]) == ("w1", 0, 0)
    yard = beat["cameras"][0]
    assert (yard["state"], yard["n_decoded"], yard["n_analysed"], yard["n_people"]) == ("online", 100, 40, 3)


def test_no_address_and_no_login_is_told(sink, pulse, watched):
    """What is sent of a camera holds neither its address nor its login."""
    pulse.beat()
    assert "s3cret" not in str(sink.cameras) + str(sink.beats)
    assert "rtsp" not in describe(watched["yard"].camera, watched["yard"].reader.health).model_dump_json()


def test_lines_are_told_as_zones_of_two_corners(watched):
    """A camera's lines travel with its zones, and a rule at a line names it as its place."""
    points = [[0.1, 0.5], [0.9, 0.5]]
    table = camera("yard", "yard.mp4", lines=[{"name": "door", "points": points}], rules=[
        {"rule": "crossing", "line": "door", "active": ["Sat-Sun"]},
    ])  # fmt: skip
    (told,) = parse_site({"cameras": [table]}, Path()).cameras
    out = describe(told, watched["yard"].reader.health)
    assert [(z.name, [list(c) for c in z.polygon]) for z in out.zones][-1] == ("door", points)
    (rule,) = out.rules
    assert (rule.rule, rule.zone, rule.params["active"]) == ("crossing", "door", "Sat-Sun")


def test_a_picture_is_sent_when_it_is_new(sink, pulse, watched):
    """The first at once, then not before its time, and never the same one again."""
    pulse.beat()
    assert sink.pictures == {}
    watched["yard"].analysis.show(1)
    pulse.beat()
    first = len(sink.log)
    assert set(sink.pictures) == {"yard"}
    watched["yard"].analysis.show(2)
    pulse.beat()
    assert [line for line in sink.log[first:] if "picture" in line] == []
    watched["yard"].told_picture = (1, -1000.0)
    pulse.beat()
    assert [line for line in sink.log[first:] if "picture" in line] == ["PUT /api/v1/cameras/yard/picture"]


def test_a_new_size_is_registered_again(sink, pulse, watched):
    """Once the picture size is known or changes, the camera is told anew; else it is told once."""
    pulse.beat()
    pulse.beat()
    assert sink.log.count("PUT /api/v1/cameras/yard") == 1
    watched["yard"].reader.health = CameraHealth("yard", CameraState.ONLINE, "", 1920, 1080)
    pulse.beat()
    assert sink.log.count("PUT /api/v1/cameras/yard") == 2
    assert sink.cameras["yard"]["width"] == 1920


def test_after_an_outage_all_is_told_again(sink, pulse):
    """A service that gave no answer may have forgotten everything."""
    pulse.beat()
    sink.fail(1, 503)
    assert not pulse.beat()
    assert pulse.beat()
    assert sink.log.count("PUT /api/v1/cameras/yard") == 2


def test_a_refused_camera_keeps_no_other_from_being_told(sink, pulse):
    """One camera that the service does not take: the others and the heartbeat arrive."""
    sink.verdict = lambda path, body: 422 if path.endswith("cameras/yard") else 0
    assert pulse.beat()
    assert set(sink.cameras) == {"gate"}
    assert len(sink.beats) == 1


def test_what_the_site_file_has_wrong_is_told(sink, pulse, watched, census):
    """A camera that is watched as before says so; one that is not watched is offline with the reason."""
    census.now = Census(watched, rejected={"yard": "cameras[0]: bad\x07", "roof": "cameras[2]: worse"})
    pulse.beat()
    told = {one["camera_id"]: (one["state"], one["reason"]) for one in sink.beats[0]["cameras"]}
    assert told == {
        "yard": ("online", "(watched as before; site file: cameras[0]: bad?)"),
        "gate": ("online", ""),
        "roof": ("offline", "site file: cameras[2]: worse"),
    }


def test_the_word_for_the_trouble_is_told(sink, pulse, watched, census):
    """Why a camera is offline, as a word beside the sentence; of one that is wrong in the site file too."""
    watched["yard"].reader.health = CameraHealth(
        "yard", CameraState.OFFLINE, "cam: the login was refused", trouble=Trouble.AUTH_FAILED
    )
    census.now = Census(watched, rejected={"roof": "cameras[2]: worse"})
    pulse.beat()
    told = {one["camera_id"]: (one["state"], one["trouble"]) for one in sink.beats[0]["cameras"]}
    assert told == {
        "yard": ("offline", "auth_failed"),
        "gate": ("online", ""),
        "roof": ("offline", "misconfigured"),
    }


def test_a_picture_that_stands_still_is_no_sight(sink, pulse, watched):
    """Pictures come and are all the same: offline, frozen; once it moves, online."""
    watched["yard"].analysis.frozen = True
    pulse.beat()
    watched["yard"].analysis.frozen = False
    pulse.beat()
    told = [
        (one["state"], one["trouble"], one["reason"]) for beat in sink.beats for one in beat["cameras"][:1]
    ]
    assert told == [("offline", "frozen", "the picture stands still"), ("online", "", "")]


def test_the_workers_disk_is_told(sink, pulse, monkeypatch):
    """Free, size and whether evidence is still stored; a disk that does not answer is none."""
    room = Room(free=900, total=1000, spare=100)
    monkeypatch.setattr(Folder, "room", property(lambda _: room))
    pulse.beat()
    room = replace(room, free=99)
    pulse.beat()
    monkeypatch.undo()
    monkeypatch.setattr("streams.evidence.shutil.disk_usage", broken_disk)
    pulse.beat()
    assert [beat["disk"] for beat in sink.beats] == [
        {"free_bytes": 900, "total_bytes": 1000, "full": False},
        {"free_bytes": 99, "total_bytes": 1000, "full": True},
        None,
    ]


def broken_disk(_path):
    raise OSError(5, "Input/output error")


def test_a_removed_camera_is_told_until_it_is_heard(sink, pulse, watched, census):
    """Once the service has it, it is not repeated; after an outage it is told again."""
    census.now = Census({"yard": watched["yard"]}, removed=frozenset({"gate"}))
    sink.fail(1, 503)
    for _ in range(3):
        pulse.beat()
    told = [[(one["camera_id"], one["state"]) for one in beat["cameras"]] for beat in sink.beats]
    assert told == [[("yard", "online"), ("gate", "removed")], [("yard", "online")]]
    sink.fail(1, 503)
    assert not pulse.beat()
    pulse.beat()
    assert sink.beats[-1]["cameras"][-1]["state"] == "removed"


def test_a_camera_on_its_way_out_is_stopping_then_removed(sink, pulse, watched, census):
    """While it is being let go it is told as stopping, whatever its reader says yet; then once as removed."""
    gone = frozenset({"gate"})
    census.now = Census({"yard": watched["yard"]}, removed=gone, leaving={"gate": watched["gate"]})
    assert pulse.beat()
    census.now = Census({"yard": watched["yard"]}, removed=gone)
    assert pulse.beat()
    assert pulse.beat()
    told = [[(one["camera_id"], one["state"]) for one in beat["cameras"]] for beat in sink.beats]
    assert told == [
        [("yard", "online"), ("gate", "stopping")],
        [("yard", "online"), ("gate", "removed")],
        [("yard", "online")],
    ]


def test_a_change_of_state_is_told_soon(sink, pulse, watched, monkeypatch):
    """It does not wait for the next beat."""
    monkeypatch.setattr("streams.health.BEAT_S", 3600.0)
    stop = threading.Event()
    thread = threading.Thread(target=pulse.run, args=(stop,))
    thread.start()
    assert sink.wait_for(lambda: len(sink.beats) == 1)
    lost = CameraHealth("yard", CameraState.OFFLINE, "no data", 640, 480)
    watched["yard"].reader.health = lost
    pulse.note(lost)
    found = sink.wait_for(lambda: sink.beats[-1]["cameras"][0]["state"] == "offline", 20)
    stop.set()
    thread.join(20)
    assert found


def test_the_last_state_is_told_at_the_end(sink, pulse, watched):
    """A stop ends the wait and sends one more heartbeat."""
    stop = threading.Event()
    thread = threading.Thread(target=pulse.run, args=(stop,))
    thread.start()
    assert sink.wait_for(lambda: len(sink.beats) == 1)
    watched["yard"].reader.health = CameraHealth("yard", CameraState.ENDED, "the file has ended", 640, 480)
    stop.set()
    thread.join(10)
    assert sink.beats[-1]["cameras"][0]["state"] == "ended"
