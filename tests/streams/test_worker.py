"""Laws of the whole worker: real files, codecs, network runtime, disk and service; people are scripted."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
import time
from datetime import datetime

import av
import numpy as np
import pytest
from PIL import Image
from support.alerts import alert_in
from support.live_api import start_api
from support.running import LATEST_S, Running
from support.sink import TOKEN, Sink
from support.site import camera, gathering, make_site, write_network

import streams.worker
from api.schemas import CameraState, MediaKind
from benchmarks.report import ROOT
from benchmarks.sitefile import write_site
from detector.errors import ConfigError, StorageError
from detector.types import Phase
from streams.outbox import Outbox
from streams.worker import build_detector, run_worker

DUR_S = 33  # of the recordings that run to their end with all their clips


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return write_network(tmp_path_factory.mktemp("networks"))


@pytest.fixture(autouse=True)
def surroundings(monkeypatch, network):
    monkeypatch.setenv("WATCHPOST_NETWORKS", str(network))
    monkeypatch.setenv("WATCHPOST_TOKEN", TOKEN)


@pytest.fixture
def sink():
    server = Sink()
    yield server
    server.close()


def phases(sink, camera_id=None):
    return [key[1] for key, alert in sink.alerts.items() if camera_id in (None, alert["camera_id"])]


def ended(sink, camera_id):
    """Whether the newest heartbeat says that this camera has ended."""
    cameras = sink.beats[-1]["cameras"] if sink.beats else []
    return any((one["camera_id"], one["state"]) == (camera_id, "ended") for one in cameras)


def test_from_camera_to_service(tmp_path, monkeypatch):
    """Two files, one network call for both, each camera's alert with its own evidence in the real service."""
    api = start_api(tmp_path)
    monkeypatch.setenv("WATCHPOST_TOKEN", api.token)
    left = gathering(tmp_path / "left.mp4", DUR_S, from_s=6, until_s=12, x=250)
    right = gathering(tmp_path / "right.mp4", DUR_S, from_s=8, until_s=14, x=390)
    site = make_site(tmp_path, api.base_url, camera("left", left), camera("right", right))
    real, sizes = build_detector(site), []
    detect = real.detect
    monkeypatch.setattr(real, "detect", lambda pictures: [sizes.append(len(pictures)), detect(pictures)][1])
    monkeypatch.setattr(streams.worker, "build_detector", lambda site: real)
    seen = []
    done = Running(site, until_done=True, progress=lambda *told: seen.append(told)).end()
    assert (done.n_outbox, done.n_refused) == (0, 0)
    assert done.n_analysed == sum(sizes) == 2 * DUR_S * 5
    assert max(sizes) == 2
    assert [health.state for health in done.cameras] == [CameraState.ENDED] * 2
    assert seen
    client = api.log_in("operator")
    items = client.get("/api/v1/alerts").json()["items"]
    assert sorted(item["camera_id"] for item in items) == ["left", "right"]
    for item in items:
        check_alert(client, item)
    cameras = {one["camera_id"]: one for one in client.get("/api/v1/cameras").json()}
    assert {one["state"] for one in cameras.values()} == {"ended"}
    assert cameras["left"]["width"] == 640
    assert cameras["left"]["coverage"] > 0.95
    picture = client.get("/api/v1/cameras/left/picture")
    assert Image.open(io.BytesIO(picture.content)).size == (640, 640)
    client.close()
    api.stop()
    assert list((tmp_path / "state" / "evidence").iterdir()) == []


def check_alert(client, item):
    """One alert of `test_from_camera_to_service`: right time, picture, box, clip and overlay."""
    from_s, x = {"left": (6, 250), "right": (8, 390)}[item["camera_id"]]
    url = f"/api/v1/alerts/{item['alert_id']}"
    detail = client.get(url).json()
    assert detail["history"][0]["phase"] == "opened"
    assert detail["phase"] == "closed"
    assert detail["facts"]["end_reason"] == "dispersed"
    assert detail["started_t"] == pytest.approx(from_s, abs=0.7)
    assert detail["opened_t"] == pytest.approx(from_s + 3, abs=1.2)
    assert {kind: one["state"] for kind, one in detail["media"].items()} == dict.fromkeys(MediaKind, "ready")
    snapshot = np.asarray(
        Image.open(io.BytesIO(client.get(f"{url}/snapshot").content)).convert("RGB")
    ).astype(int)
    shown = red_of(snapshot)
    assert shown[0] == pytest.approx(x - 110, abs=4)
    clip = detail["media"]["clip"]
    assert clip["start_t"] <= detail["started_t"] - 5.0
    assert clip["start_t"] + clip["duration_s"] >= detail["opened_t"] + 15.0
    first, last = clock_of(client.get(f"{url}/clip").content)
    assert first == pytest.approx(clip["start_t"], abs=0.2)
    assert last == pytest.approx(clip["start_t"] + clip["duration_s"], abs=0.3)
    overlay = client.get(f"{url}/overlay").json()
    at = min(overlay["frames"], key=lambda one: abs(one["t"] - detail["opened_t"]))
    assert at["t"] == pytest.approx(detail["opened_t"], abs=0.001)
    boxes = np.array([box[1:] for box in at["boxes"]])
    assert len(boxes) == 3
    assert iou((*boxes[:, :2].min(axis=0), *boxes[:, 2:].max(axis=0)), shown) >= 0.8


def red_of(rgb):
    """The box around the people that are drawn in a picture."""
    rows, columns = np.nonzero((rgb[..., 0] > 150) & (rgb[..., 1] < 90))
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def iou(a, b):
    x0, y0, x1, y1 = max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])
    both = max(0, x1 - x0) * max(0, y1 - y0)
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def clock_of(clip):
    """The stream seconds that a clip's first and last picture show: the place of the green square."""
    times = []
    with av.open(io.BytesIO(clip)) as container:
        for frame in container.decode(video=0):
            rgb = frame.to_ndarray(format="rgb24").astype(int)
            green = (rgb[:, :, 1] > 150) & (rgb[:, :, 0] < 90)
            times.append((np.nonzero(green.any(axis=0))[0].mean() - 39.5) / 560 * DUR_S)
    return times[0], times[-1]


def test_an_api_that_is_down_at_first_gets_everything_once(tmp_path):
    """The worker starts and watches without the service; when it comes, every row arrives exactly once."""
    port = Sink()
    port.close()
    site = make_site(tmp_path, port.url, camera("yard", gathering(tmp_path / "in.mp4", 25, until_s=12)))
    worker = Running(site, until_done=True)
    outbox = tmp_path / "state" / "outbox.db"
    deadline = time.monotonic() + LATEST_S
    while time.monotonic() < deadline and not outbox.exists():
        worker.stop.wait(0.05)
    sink = Sink(port.port)
    done = worker.end()
    sink.close()
    assert done.n_outbox == 0
    assert phases(sink) == ["opened", "closed"]
    assert {kind for _, kind in sink.media} == {"snapshot", "clip", "overlay"}
    assert all(isinstance(content, bytes) for content in sink.media.values())
    assert sink.n_repeats == 0
    assert "yard" in sink.cameras
    assert sink.beats[-1]["n_outbox"] == 0


def test_a_fast_file_loses_no_picture_beside_a_live_camera(tmp_path, sink):
    """A file that is read as fast as it is analysed is analysed whole, also by a worker that runs on."""
    source = gathering(tmp_path / "in.mp4", 8)
    site = make_site(tmp_path, sink.url, camera("yard", source), camera("dead", "rtsp://127.0.0.1:9/s"))
    worker = Running(site)

    assert sink.wait_for(lambda: ended(sink, "yard"), LATEST_S)
    worker.stop.set()
    assert worker.end(15).n_analysed == 8 * 5


def test_one_bad_camera_stops_no_other(tmp_path, sink):
    """A missing file, one that is no video, a camera where nobody listens: the good one is watched (ING-06)."""
    (tmp_path / "text.mp4").write_text("not a video")
    site = make_site(
        tmp_path,
        sink.url,
        camera("gone", tmp_path / "gone.mp4"),
        camera("text", tmp_path / "text.mp4"),
        camera("dead", "rtsp://127.0.0.1:9/s"),
        camera("yard", gathering(tmp_path / "in.mp4", 25, until_s=12)),
    )
    worker = Running(site)
    assert sink.wait_for(lambda: len(sink.media) == 3 and ended(sink, "yard"), LATEST_S)
    assert phases(sink) == ["opened", "closed"]
    worker.stop.set()
    done = worker.end(15)
    states = {health.camera_id: health.state for health in done.cameras}
    assert set(states.values()) == {CameraState.ENDED}
    reasons = {one["camera_id"]: one["reason"] for one in sink.beats[-1]["cameras"]}
    assert reasons["gone"].startswith("stopped; before that:")
    assert "no such file" in reasons["gone"]
    assert "refused" in reasons["dead"]
    assert reasons["yard"] == "the file has ended"


def test_a_stop_in_the_middle_keeps_the_alert_and_its_clip(tmp_path, sink):
    """Stopped amid a gathering: closed as "service stopped", clip so far, all delivered within 10 s."""
    site = make_site(
        tmp_path, sink.url, camera("yard", gathering(tmp_path / "in.mp4", 30), pace="realtime", loop=True)
    )
    worker = Running(site)
    assert sink.wait_for(lambda: len(sink.alerts) > 0, LATEST_S)
    began = time.monotonic()
    worker.stop.set()
    done = worker.end(12)
    assert time.monotonic() - began < 10
    assert phases(sink) == ["opened", "closed"]
    closed = next(alert for key, alert in sink.alerts.items() if key[1] == "closed")
    assert closed["facts"]["end_reason"] == "service stopped"
    assert {kind for _, kind in sink.media} == {"snapshot", "clip", "overlay"}
    opened = next(alert for key, alert in sink.alerts.items() if key[1] == "opened")
    snapshot = Image.open(io.BytesIO(sink.media[opened["alert_id"], "snapshot"]))
    assert iou(opened["box"], red_of(np.asarray(snapshot).astype(int))) >= 0.8
    start_t, duration_s = next(iter(sink.spans.values()))
    assert start_t <= closed["started_t"]
    assert start_t + duration_s >= closed["t"] - 0.3
    assert done.n_outbox == 0


def test_what_a_killed_worker_left_is_settled(tmp_path, sink):
    """At the next start its open alerts are closed as interrupted, lost evidence is told, half files go."""
    state = tmp_path / "state"
    box = Outbox(state / "outbox.db")
    for n in (1, 2):
        box.put_alert(alert_in(n))
    box.put_alert(alert_in(2, Phase.CLOSED, 1))
    (state / "evidence").mkdir()
    snapshot = state / "evidence" / f"{alert_in(1).alert_id}-snapshot.jpg"
    snapshot.write_bytes(b"jpeg")
    box.put_media(alert_in(1).alert_id, MediaKind.SNAPSHOT, snapshot)
    (state / "evidence" / f"{alert_in(1).alert_id}-clip.mp4.part").write_bytes(b"half")
    box.close()
    site = make_site(tmp_path, sink.url, camera("yard", tmp_path / "gone.mp4"))
    Running(site, until_done=True).end()
    first, second = (str(alert_in(n).alert_id) for n in (1, 2))
    closed = sink.alerts[first, "closed", 1]
    assert closed["facts"]["end_reason"] == "interrupted"
    assert closed["at"] == json.loads(alert_in(1).model_dump_json())["at"]
    assert sink.alerts[second, "closed", 1]["facts"].get("end_reason") != "interrupted"
    assert sink.media[first, "snapshot"] == b"jpeg"
    assert "interrupted" in sink.media[first, "clip"]
    assert len(sink.media) == 6
    assert list((state / "evidence").iterdir()) == []


def test_a_killed_worker_is_carried_on_by_the_next(tmp_path, sink):
    """SIGKILL amid a gathering: its alert is closed as interrupted, the next run's one follows it (API-01)."""
    film = gathering(tmp_path / "in.mp4", 30)
    site = write_site(
        tmp_path / "site.toml",
        {"state_dir": "state", "api_url": sink.url},
        {"network": "pixelcode", "provider": "cpu", "threads": 1},
        [camera("yard", film, pace="realtime", loop=True)],
    )
    command = [sys.executable, "-m", "watchpost", "work", "-c", str(site)]
    for n_runs in (1, 2):
        with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as worker:
            try:
                assert sink.wait_for(lambda n=n_runs: phases(sink).count("opened") == n, LATEST_S)
                assert wait_for_draft(tmp_path / "state" / "evidence")
            finally:
                worker.kill()
    assert phases(sink) == ["opened", "closed", "opened"]
    opened, closed, again = sink.alerts.values()
    assert closed["alert_id"] == opened["alert_id"] != again["alert_id"]
    assert closed["facts"]["end_reason"] == "interrupted"
    times = (opened["at"], closed["at"], again["started_at"])
    assert times == tuple(sorted(times, key=datetime.fromisoformat))
    assert again["facts"]["follows"] == opened["alert_id"]
    clip = sink.media[opened["alert_id"], "clip"]
    assert isinstance(clip, bytes), "the clip as far as it had got (CLP-02)"
    first, last = clock_of(clip)
    assert first <= opened["started_t"]
    assert last >= opened["started_t"]
    assert sink.notes[opened["alert_id"], "clip"] == "short post-roll: the worker was interrupted"


def wait_for_draft(folder):
    """Whether the draft of a clip comes to be there."""
    deadline = time.monotonic() + LATEST_S
    while time.monotonic() < deadline:
        if any(folder.glob("*.draft")):
            return True
        time.sleep(0.05)
    return False


def test_two_workers_do_not_share_a_state_folder(tmp_path, sink):
    """The second one says so and touches nothing."""
    source = gathering(tmp_path / "in.mp4", 10)
    site = make_site(tmp_path, sink.url, camera("yard", source, pace="realtime", loop=True))
    first = Running(site)
    assert sink.wait_for(lambda: len(sink.beats) > 0, LATEST_S)
    with pytest.raises(StorageError, match="another worker"):
        run_worker(site, threading.Event())
    first.stop.set()
    assert first.end(12) is not None


def test_a_part_that_dies_ends_the_worker(tmp_path, sink, monkeypatch):
    """A worker with a dead part does not look alive: it stops and raises."""
    site = make_site(tmp_path, sink.url, camera("yard", gathering(tmp_path / "in.mp4", 30)))
    real = build_detector(site)

    def explode(pictures):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(real, "detect", explode)
    monkeypatch.setattr(streams.worker, "build_detector", lambda site: real)
    with pytest.raises(RuntimeError, match="'inference' died") as caught:
        Running(site).end(20)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_without_a_token_nothing_starts(tmp_path, sink, monkeypatch):
    """A missing token is a ConfigError before any camera is opened."""
    monkeypatch.delenv("WATCHPOST_TOKEN")
    site = make_site(tmp_path, sink.url, camera("yard", tmp_path / "in.mp4"))
    with pytest.raises(ConfigError, match="token"):
        run_worker(site, threading.Event())
    assert sink.n_seen == 0


def test_undelivered_rows_are_counted_and_kept(tmp_path):
    """With the service away, a stop leaves everything in the outbox for the next start."""
    away = Sink()
    away.close()
    site = make_site(tmp_path, away.url, camera("yard", gathering(tmp_path / "in.mp4", 20, until_s=8)))
    worker = Running(site)
    outbox = Outbox(tmp_path / "state" / "outbox.db")
    deadline = time.monotonic() + LATEST_S
    while time.monotonic() < deadline and outbox.n_waiting < 5:
        worker.stop.wait(0.05)
    worker.stop.set()
    assert worker.end(15).n_outbox == outbox.n_waiting == 5
    outbox.close()
    sink = Sink(away.port)
    site = make_site(tmp_path, sink.url, camera("yard", tmp_path / "gone.mp4"))
    assert Running(site, until_done=True).end().n_outbox == 0
    sink.close()
    assert phases(sink) == ["opened", "closed"]
    assert len(sink.media) == 3


def test_a_camera_that_gives_nothing_is_told_to_people(tmp_path, monkeypatch):
    """Nobody listens at its address: a blind alert reaches the service, with why it has no evidence."""
    api = start_api(tmp_path)
    monkeypatch.setenv("WATCHPOST_TOKEN", api.token)
    dead = camera("dead", tmp_path / "x.mp4") | {"source": "rtsp://127.0.0.1:9/s"}
    dead["blind"] = {"hold_s": 2.5, "gap_s": 2.0, "close_s": 5.0}
    running = Running(make_site(tmp_path, api.base_url, dead))
    client, deadline = api.log_in("operator"), time.monotonic() + LATEST_S
    items = []
    while not (items and items[0]["media"]["clip"]["state"] == "missing") and time.monotonic() < deadline:
        items = client.get("/api/v1/alerts").json()["items"]
        running.stop.wait(0.1)
    running.stop.set()
    running.end()
    [alert] = client.get("/api/v1/alerts").json()["items"]
    client.close()
    api.stop()
    assert (alert["rule"], alert["severity"], alert["facts"]["kind"]) == ("blind", "high", "offline")
    assert alert["facts"]["end_reason"] == "service stopped"
    assert {media["reason"] for media in alert["media"].values()} == {"no picture has come yet"}
