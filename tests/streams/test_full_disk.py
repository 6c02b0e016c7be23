"""A worker on a real disk of 8 MB that others fill: alerts go on without evidence, say so, and all recovers. (CLP-01)"""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from uuid import UUID

import av
import numpy as np
import pytest
from support.alerts import alert_in
from support.barfilm import write_film
from support.disks import fill, small_disk
from support.live_api import start_api
from support.people import detections, row_of
from support.sink import TOKEN, Sink
from support.site import camera, gathering, make_site, write_network

from api.schemas import AlertIn, CameraState, MediaKind
from detector.errors import StorageError
from detector.types import Detections, Phase, Stamp
from streams.analysis import Analysis, Desk, Run
from streams.clips import Codec, Kept, write_clip
from streams.config import parse_site
from streams.courier import Courier, open_client
from streams.evidence import NOT_STORED, Folder
from streams.flow import Pipe
from streams.frame import Frame
from streams.outbox import Outbox, What
from streams.reader import CameraHealth
from streams.worker import run_worker

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
RUN = Run(
    run_id=UUID(int=7), network="pixelcode", model_sha256="a" * 64, provider="cpu", config_hash="b" * 64
)
SIZE = (1280, 960)
PEOPLE = detections(row_of(3, x=580, y=600))
MISSING = [What.MISSING, What.MISSING]


@pytest.fixture
def disk(tmp_path):
    with small_disk(tmp_path / "disk") as where:
        yield where


@pytest.fixture
def outbox(disk):
    box = Outbox(disk / "outbox.db")
    yield box
    box.close()


@pytest.fixture
def sink():
    server = Sink()
    yield server
    server.close()


@pytest.fixture
def analysis(tmp_path, disk, outbox):
    one = parse_site({"cameras": [camera("yard", tmp_path / "x.mp4")]}, tmp_path).cameras[0]
    desk = Desk(outbox, Folder(disk / "evidence"), Pipe(100), threading.Event(), lambda: START)
    return Analysis(one, RUN, desk, lambda: CameraHealth(one.id, CameraState.ONLINE))


def incident(analysis, epoch):
    """Three people for eight seconds, then the camera goes: an alert with its end, a snapshot, an overlay."""
    pixels = np.random.default_rng(epoch).integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)
    video = av.VideoFrame.from_ndarray(pixels, format="rgb24")
    for n in range(40):
        stamp = Stamp("yard", epoch, n, n / 5, START + timedelta(seconds=100 * epoch + n / 5), *SIZE)
        analysis.step(Frame(stamp, video), PEOPLE if n else Detections.empty())
    analysis.interrupt("stream interrupted")


def rows(outbox):
    items = []
    while (item := outbox.next()) is not None:
        items.append(item)
        outbox.done(item.seq)
    return items


def deliver(outbox, sink):
    """Send all that waits, as the worker's courier does."""
    with open_client(sink.url, TOKEN) as client:
        courier = Courier(outbox, client)
        while courier.step():
            pass
    assert outbox.n_waiting == 0


def use_up(outbox):
    """Fill the room that is the outbox's own; returns how many alerts it held."""
    for number in range(100_000):
        try:
            outbox.put_alert(alert_in(1000 + number))
        except StorageError:
            return number
    raise AssertionError("the disk is not full")


def test_an_alert_arrives_without_evidence_and_the_next_one_with_it(analysis, disk, outbox, sink):
    """Not one free byte: the alert is stored, told and its evidence is "not stored: disk full"; with room all is stored again."""
    filler = fill(disk)
    incident(analysis, 0)
    assert analysis.n_unstored == 0
    deliver(outbox, sink)
    assert [key[1] for key in sink.alerts] == ["opened", "closed"]
    reasons = list(sink.media.values())
    assert len(reasons) == 2
    assert all(reason.startswith(NOT_STORED) for reason in reasons)
    assert list((disk / "evidence").iterdir()) == [], "a half file stayed"
    filler.unlink()
    incident(analysis, 1)
    deliver(outbox, sink)
    assert [key[1] for key in sink.alerts] == ["opened", "closed"] * 2
    snapshot, overlay = list(sink.media.values())[2:]
    assert snapshot.startswith(b"\xff\xd8")
    assert json.loads(overlay)["frames"]


def test_alerts_wait_in_memory_when_even_the_outbox_has_no_room(analysis, disk, outbox):
    """The judgement goes on, what waits is bounded, the file stays whole, and with room all is delivered in order."""
    filler = fill(disk)
    n_before = use_up(outbox)
    assert n_before > 50
    for epoch in range(40):
        incident(analysis, epoch)
    assert analysis.n_unstored == 40 * 5
    pictures = [one for one in analysis._todo if any(isinstance(a, bytes) for a in getattr(one, "args", ()))]
    assert len(pictures) <= 50, "pictures pile up in memory"
    assert outbox._connection().execute("PRAGMA integrity_check").fetchone() == ("ok",)
    filler.unlink()
    assert analysis.store()
    items = rows(outbox)[n_before:]
    told = [AlertIn.model_validate_json(item.body) for item in items if item.what is What.ALERT]
    assert [alert.phase for alert in told] == [Phase.OPENED, Phase.CLOSED] * 40
    last = [item for item in items if item.alert_id == told[-1].alert_id and item.what is not What.ALERT]
    assert [item.what for item in last] == MISSING
    assert {json.loads(item.body)["reason"] for item in last} == {NOT_STORED}


def test_a_clip_that_meets_the_end_of_the_disk_is_no_half_file(disk, tmp_path):
    """A clip larger than it seemed: "not stored: disk full", no file; with room the same clip is written."""
    folder, alert_id = Folder(disk / "evidence"), UUID(int=1)
    film = write_film(tmp_path / "film.mp4", 20)
    with av.open(str(film)) as source:
        stream = source.streams.video[0]
        codec = Codec(stream)
        packets = [
            Kept(bytes(packet), float(packet.pts * packet.time_base), 0.0, packet.is_keyframe)
            for packet in source.demux(stream)
            if packet.size
        ]
    many = [Kept(p.data, p.t + 2.0 * n, 0.0, p.keyframe) for n in range(400) for p in packets]
    n_bytes = sum(len(packet.data) for packet in many)
    filler = fill(disk, leave=430_000)

    def write():
        with folder.place(alert_id, MediaKind.CLIP, 1000) as part:
            write_clip(part, codec, many, 0.0)

    assert n_bytes > 430_000
    with pytest.raises(StorageError, match=NOT_STORED):
        write()
    assert list((disk / "evidence").iterdir()) == []
    filler.unlink()
    write()
    assert folder.path(alert_id, MediaKind.CLIP).stat().st_size > n_bytes


def test_the_services_disk_is_full_and_the_worker_brings_the_evidence_later(tmp_path, monkeypatch, disk):
    """507 for evidence only: every alert arrives at once, evidence when there is room, all whole, none twice."""
    monkeypatch.setenv("WATCHPOST_MEDIA_DIR", str(disk / "media"))
    api = start_api(tmp_path)
    outbox, folder = Outbox(tmp_path / "outbox.db"), Folder(tmp_path / "evidence")
    filler = fill(disk, leave=500_000)
    for number in range(3):
        alert_id = alert_in(number).alert_id
        outbox.put_alert(alert_in(number))
        path = folder.write(alert_id, MediaKind.CLIP, bytes([number]) * 1_000_000)
        outbox.put_media(alert_id, MediaKind.CLIP, path, 1.0, 9.0)
        outbox.put_alert(alert_in(number, Phase.CLOSED, 1))
    stop, operator = threading.Event(), api.log_in("operator")

    def clips():
        items = operator.get("/api/v1/alerts").json()["items"]
        return [(item["phase"], item["media"]["clip"]["state"]) for item in items]

    waited = []

    def wait(stop, wait_s):
        """Takes the place of waiting: lets the disk have room once all alerts are there and evidence was refused."""
        waited.append(wait_s)
        if len(waited) == 20:
            assert clips() == [("closed", "pending")] * 3
            assert "disk of the service is full" in " ".join(
                operator.get("/api/v1/health").json()["problems"]
            )
            assert list((disk / "media").glob("*/*")) == [], "a half file stayed"
            filler.unlink()
        if outbox.n_waiting == 0 or len(waited) > 2000:
            stop.set()
        return stop.is_set()

    with open_client(api.base_url, api.token) as client:
        Courier(outbox, client, wait=wait).run(stop)
    assert len(waited) > 20
    assert clips() == [("closed", "ready")] * 3
    assert operator.get("/api/v1/health").json()["problems"] == []
    for number in range(3):
        answer = operator.get(f"/api/v1/alerts/{alert_in(number).alert_id}/clip")
        assert answer.content == bytes([number]) * 1_000_000
    assert list((tmp_path / "evidence").iterdir()) == []
    operator.close()
    outbox.close()
    api.stop()


def test_the_whole_worker_on_a_full_disk(disk, tmp_path, monkeypatch, sink):
    """From the film to the service: every alert arrives, clip, snapshot and overlay told as not stored; the next run has all."""
    monkeypatch.setenv("WATCHPOST_NETWORKS", str(write_network(tmp_path / "networks")))
    monkeypatch.setenv("WATCHPOST_TOKEN", TOKEN)
    film = gathering(tmp_path / "film.mp4", 14, from_s=2, until_s=8)
    site = make_site(disk, sink.url, camera("yard", film))
    filler = fill(disk, leave=300_000)
    done = run_worker(site, threading.Event(), until_done=True)
    assert (done.n_outbox, done.n_refused) == (0, 0)
    assert [key[1] for key in sink.alerts] == ["opened", "closed"]
    assert {
        kind: str(reason)[: len(NOT_STORED)] for (_, kind), reason in sink.media.items()
    } == dict.fromkeys(MediaKind, NOT_STORED)
    assert list((disk / "state" / "evidence").iterdir()) == []
    filler.unlink()
    run_worker(site, threading.Event(), until_done=True)
    assert [key[1] for key in sink.alerts] == ["opened", "closed"] * 2
    assert sum(isinstance(content, bytes) for content in sink.media.values()) == 3
