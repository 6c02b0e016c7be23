"""Laws of the living worker: its site file changes, and each camera feels its own change only."""

from __future__ import annotations

import io
import threading

import numpy as np
import pytest
from PIL import Image
from support.running import File, Running
from support.sink import TOKEN, Sink
from support.site import RULE, camera, gathering, write_network

from streams.config import load_site

SOON_S = 20.0


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return write_network(tmp_path_factory.mktemp("networks"))


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """People stand together to the end; nothing but a change of the file ends it."""
    return gathering(tmp_path_factory.mktemp("films") / "stand.mp4", 35)


@pytest.fixture(autouse=True)
def surroundings(monkeypatch, network):
    monkeypatch.setenv("WATCHPOST_NETWORKS", str(network))
    monkeypatch.setenv("WATCHPOST_TOKEN", TOKEN)
    monkeypatch.setattr("streams.sitefile.LOOK_S", 0.1)


@pytest.fixture
def sink():
    server = Sink()
    yield server
    server.close()


@pytest.fixture
def live(tmp_path, sink):
    """Starts a worker on a site file; stopped at the end, whatever happened."""
    running = []

    def start(*cameras, **worker):
        file = File(tmp_path, sink.url, **worker)
        site = load_site(file.write(*cameras))
        running.append(Running(site))
        return file, running[0]

    yield start
    for one in running:
        one.stop.set()
        one.end(20)


def watching(film, camera_id, **more):
    return camera(camera_id, film, pace="realtime", **more)


def told(sink, camera_id, phase):
    """The alerts of a camera in this phase, as they came."""
    return [one for key, one in sink.alerts.items() if (one["camera_id"], key[1]) == (camera_id, phase)]


def pulse(sink, camera_id):
    """The newest that a heartbeat says of a camera; empty: nothing."""
    for beat in reversed(sink.beats):
        for one in beat["cameras"]:
            if one["camera_id"] == camera_id:
                return one
    return {}


def online(sink, camera_id):
    return pulse(sink, camera_id).get("state") == "online"


def hash_of(alert):
    return alert["provenance"]["config_hash"]


def test_cameras_come_and_go_and_change_while_the_others_run(sink, live, film):
    """Added: watched. Rules changed: judged anew on the same pictures. Removed: closed, told and let go."""
    yard, gate = watching(film, "yard"), watching(film, "gate")
    file, worker = live(yard)
    assert sink.wait_for(lambda: told(sink, "yard", "opened"), SOON_S)
    first = load_site(file.path).config_hash
    assert hash_of(told(sink, "yard", "opened")[0]) == first

    file.write(yard, gate)
    assert sink.wait_for(lambda: told(sink, "gate", "opened"), SOON_S)
    second = load_site(file.path).config_hash
    assert hash_of(told(sink, "gate", "opened")[0]) == second != first
    assert not told(sink, "yard", "closed")

    n_decoded = pulse(sink, "yard")["n_decoded"]
    file.write(yard | {"rules": [RULE | {"min_people": 2}]}, gate)
    assert sink.wait_for(lambda: len(told(sink, "yard", "opened")) == 2, SOON_S)
    (closed,) = told(sink, "yard", "closed")
    assert closed["facts"]["end_reason"] == "rules changed"
    assert closed["alert_id"] == told(sink, "yard", "opened")[0]["alert_id"]
    assert told(sink, "yard", "opened")[1]["provenance"]["params"]["min_people"] == 2
    assert hash_of(told(sink, "yard", "opened")[1]) == load_site(file.path).config_hash
    assert pulse(sink, "yard")["n_decoded"] > n_decoded  # the same connection goes on counting
    assert sink.cameras["yard"]["rules"][0]["params"]["min_people"] == 2

    file.write(gate)
    assert sink.wait_for(lambda: pulse(sink, "yard")["state"] == "removed", SOON_S)
    assert sink.wait_for(lambda: len(told(sink, "yard", "closed")) == 2, SOON_S)
    assert told(sink, "yard", "closed")[1]["facts"]["end_reason"] == "camera removed"
    assert not told(sink, "gate", "closed")
    assert worker.done is None


def test_a_new_line_is_taken_live(sink, live, film):
    """A line that is drawn while the camera runs is told to the service and begins its judging anew."""
    yard = watching(film, "yard")
    file, _ = live(yard)
    assert sink.wait_for(lambda: told(sink, "yard", "opened"), SOON_S)
    file.write(yard | {"lines": [{"name": "door", "points": [[0.1, 0.5], [0.9, 0.5]]}]})
    assert sink.wait_for(lambda: sink.cameras["yard"]["zones"][-1]["name"] == "door", SOON_S)
    assert sink.wait_for(lambda: told(sink, "yard", "closed"), SOON_S)
    assert told(sink, "yard", "closed")[0]["facts"]["end_reason"] == "rules changed"


def test_what_a_removed_camera_held_is_given_back(sink, live, film):
    """After its removal there is no thread and no series of a camera, and its id can be used again."""
    yard, gate = watching(film, "yard"), watching(film, "gate")
    file, _ = live(yard, gate, metrics_listen="127.0.0.1:0")
    assert sink.wait_for(lambda: online(sink, "yard") and online(sink, "gate"), SOON_S)
    assert {"camera yard", "yard-feed"} <= {thread.name for thread in threading.enumerate()}
    file.write(gate)
    gone = [thread for thread in threading.enumerate() if thread.name in ("camera yard", "yard-feed")]
    for thread in gone:
        thread.join(SOON_S)
        assert not thread.is_alive(), thread.name
    assert sink.wait_for(lambda: pulse(sink, "yard")["state"] == "removed", SOON_S)
    file.write(yard, gate)
    assert sink.wait_for(lambda: online(sink, "yard"), SOON_S)
    assert sink.wait_for(lambda: told(sink, "yard", "opened"), SOON_S)


def test_another_source_is_another_connection(sink, live, film, tmp_path):
    """A changed address reconnects that camera; its open alert is closed, the next one is of the new source."""
    other = gathering(tmp_path / "other.mp4", 15, x=250)
    file, _ = live(watching(film, "yard"), watching(film, "gate"))
    assert sink.wait_for(lambda: told(sink, "yard", "opened") and told(sink, "gate", "opened"), SOON_S)
    file.write(watching(other, "yard", analyse_fps=4.0), watching(film, "gate"))
    assert sink.wait_for(lambda: len(told(sink, "yard", "opened")) == 2, SOON_S)
    (closed,) = told(sink, "yard", "closed")
    assert closed["facts"]["end_reason"] == "camera changed"
    before, after = (one["box"] for one in told(sink, "yard", "opened"))
    assert after[0] < before[0] - 30
    assert not told(sink, "gate", "closed")


def test_one_wrong_camera_is_told_and_the_rest_is_taken(sink, live, film, caplog):
    """A camera that becomes wrong is watched as before and says so; one that is new and wrong is offline."""
    yard = watching(film, "yard")
    file, _ = live(yard)
    assert sink.wait_for(lambda: online(sink, "yard"), SOON_S)
    wrong = yard | {"rules": [RULE | {"min_people": 99}]}
    file.write(wrong, {"id": "gate", "source": "ftp://u:s3cret@host/path"}, watching(film, "roof"))
    assert sink.wait_for(lambda: online(sink, "roof") and pulse(sink, "gate"), SOON_S)
    assert (pulse(sink, "gate")["state"], pulse(sink, "gate")["n_decoded"]) == ("offline", 0)
    assert pulse(sink, "gate")["reason"].startswith("site file: cameras[1].source: ")
    assert sink.wait_for(lambda: "min_people" in pulse(sink, "yard")["reason"], SOON_S)
    assert online(sink, "yard")
    assert "watched as before" in pulse(sink, "yard")["reason"]
    assert "s3cret" not in caplog.text + str(sink.beats)
    assert "camera not taken from the site file camera_id=gate" in caplog.text
    file.write(yard, watching(film, "roof"))
    assert sink.wait_for(lambda: pulse(sink, "yard")["reason"] == "", SOON_S)
    assert not told(sink, "yard", "closed")


def test_a_file_that_cannot_be_read_changes_nothing(sink, live, film, caplog):
    """No TOML, no camera, no file: said once each, all goes on; the next right file is taken."""
    yard = watching(film, "yard")
    file, _ = live(yard)
    assert sink.wait_for(lambda: online(sink, "yard"), SOON_S)
    for text, said in (("[[cameras", "not TOML"), ("[worker]\n", "no camera")):
        file.write_text(text)
        assert sink.wait_for(lambda said=said: said in caplog.text, SOON_S)
    file.path.unlink()
    assert sink.wait_for(lambda: "cannot be read" in caplog.text, SOON_S)
    assert caplog.text.count("site file not taken") == 3
    file.write(yard, watching(film, "gate"), worker={"worker_id": "another"})
    assert sink.wait_for(lambda: online(sink, "gate"), SOON_S)
    assert "[worker] or [detector] of the site file changed: it takes effect at the next start" in caplog.text
    assert not told(sink, "yard", "closed")
    assert pulse(sink, "yard")["state"] == "online"


def test_a_worker_whose_cameras_were_all_wrong_takes_a_right_one(sink, live, film):
    """It starts, tells what is wrong, and watches as soon as the file is right."""
    file, _ = live({"id": "yard", "source": ""})
    assert sink.wait_for(lambda: pulse(sink, "yard"), SOON_S)
    assert pulse(sink, "yard")["reason"].startswith("site file: cameras[0].source: no one address")
    file.write(watching(film, "yard"))
    assert sink.wait_for(lambda: told(sink, "yard", "opened"), SOON_S)


def test_a_name_is_taken_without_touching_what_is_judged(sink, live, film):
    """A new label or time zone is told, and no alert is closed for it."""
    file, _ = live(watching(film, "yard"))
    assert sink.wait_for(lambda: told(sink, "yard", "opened"), SOON_S)
    file.write(watching(film, "yard", name="Court", timezone="Europe/Berlin"))
    assert sink.wait_for(lambda: sink.cameras["yard"]["name"] == "Court", SOON_S)
    n_decoded = pulse(sink, "yard")["n_decoded"]
    assert sink.wait_for(lambda: pulse(sink, "yard")["n_decoded"] > n_decoded, SOON_S)
    assert not told(sink, "yard", "closed")


def test_a_new_mask_is_in_force_on_the_running_camera(film, sink, live):
    """A mask that is drawn while the camera is watched begins it anew, and its pictures hide what is under it."""
    file, _ = live(watching(film, "yard"))

    def brightest():
        """Along the lower edge of the newest tile, where the film's clock walks."""
        return np.asarray(Image.open(io.BytesIO(sink.pictures["yard"])))[615:].max()

    assert sink.wait_for(lambda: "yard" in sink.pictures, SOON_S)
    assert brightest() > 60
    file.write(
        watching(film, "yard", masks=[{"name": "clock", "polygon": [[0, 0.95], [1, 0.95], [1, 1], [0, 1]]}])
    )
    assert sink.wait_for(lambda: brightest() < 40, SOON_S)
