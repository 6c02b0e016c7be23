"""Laws of the worker's metrics: what the parts know, a bounded number of series, and nothing else."""

from __future__ import annotations

import socket
import threading
import time

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.alerts import alert_in
from support.site import camera

from api.schemas import CameraState
from detector.errors import ConfigError
from detector.rules.handoff import HandoffCounts
from streams.analysis import Counts
from streams.config import parse_site
from streams.evidence import Folder
from streams.flow import Board, Pipe
from streams.health import Census, Parts, Watched
from streams.metrics import WorkerCollector, open_page
from streams.outbox import Outbox
from streams.reader import CameraHealth


class Still:
    """Stands for a reader, an analysis and a recorder: only what a scrape reads of them."""

    def __init__(self, camera_id, n):
        self.health = CameraHealth(
            camera_id, CameraState.ONLINE, "", 640, 480, t=50.0, n_decoded=100, n_corrupt=2,
            n_decode_errors=3, n_connects=n + 1, arrived_s=time.monotonic() - 5.0,
        )  # fmt: skip
        self.counts = Counts(
            n_analysed=40, n_people=3, covered_s=1e9, n_pairs=2, n_pairs_left_out=6,
            handoffs=[HandoffCounts(8, 1, 5, 0, 2), HandoffCounts(n_too_small=1)],
        )  # fmt: skip
        self.warning, self.frozen = "", False
        self.n_waiting = 7


def many(folder, n):
    tables = [camera(f"c{i}", f"rtsp://u:s3cret@cam/secret-path-{i}") for i in range(n)]
    return {
        one.id: Watched(one, still := Still(one.id, 4), still, still)
        for one in parse_site({"cameras": tables}, folder).cameras
    }


def scrape(url, path="/metrics"):
    """Every series: name and label values -> value; and the text."""
    answer = httpx.get(url + path, timeout=10)
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.text)
    values = {(s.name, *s.labels.values()): s.value for one in families for s in one.samples}
    return values, answer.text


class Rig:
    """A page in a thread of its own, of cameras that a test may change."""

    def __init__(self, folder, page):
        self.census = Census(many(folder, 2))
        self.board, self.cuts, self.outbox = Board(), Pipe(5), Outbox(folder / "o.db")
        parts = Parts(lambda: self.census, self.board, self.outbox, Folder(folder / "evidence"))
        page.registry.register(WorkerCollector(parts, self.cuts))
        self.url = f"http://127.0.0.1:{page.port}"
        self.stop = threading.Event()
        self.thread = threading.Thread(target=page.run, args=(self.stop,))
        self.thread.start()


@pytest.fixture
def rig(tmp_path):
    with open_page("127.0.0.1:0") as page:
        rig = Rig(tmp_path, page)
        yield rig
        rig.stop.set()
        rig.thread.join(10)
        assert not rig.thread.is_alive()
    rig.outbox.close()


def test_a_scrape_tells_what_the_parts_know(rig):
    """Each number comes from the part that has it, by camera."""
    rig.outbox.put_alert(alert_in(1))
    rig.cuts.put(object(), rig.stop)
    found, _ = scrape(rig.url)
    told = {
        key[0].removeprefix("watchpost_camera_"): value for key, value in found.items() if key[-1] == "c1"
    }
    age_s = told.pop("newest_frame_age_seconds")
    assert age_s == pytest.approx(5.0, abs=5.0)
    assert told == {
        "frames_decoded_total": 100, "frames_analysed_total": 40, "frames_dropped_total": 0,
        "frames_corrupt_total": 2, "decode_errors_total": 3, "reconnects_total": 4,
        "coverage": 1.0, "people": 3, "clips_waiting": 7,
        "pairs": 2, "pairs_refused_total": 6, "pairs_too_small_total": 9, "pairs_unsure_total": 1,
        "touches_total": 5, "touches_possible_total": 2,
    }  # fmt: skip
    states = {
        key[2]: value for key, value in found.items() if key[0] == "watchpost_camera_state" and key[1] == "c1"
    }
    assert states == {"starting": 0, "online": 1, "offline": 0, "stopping": 0, "ended": 0}
    assert found["watchpost_outbox_waiting",] == 1
    assert found["watchpost_outbox_refused",] == 0
    assert found["watchpost_clips_to_write",] == 1
    assert 0 < found["watchpost_disk_free_bytes",] < found["watchpost_disk_total_bytes",]
    assert found["watchpost_disk_full",] in (0, 1)
    assert found["process_resident_memory_bytes",] > 1e6


def test_series_are_bounded_by_the_cameras_there_are(rig, tmp_path):
    """100 cameras made and deleted leave no series; no label but camera and state (API-11)."""
    before = set(scrape(rig.url)[0])
    rig.census = Census(many(tmp_path, 100))
    found, text = scrape(rig.url)
    labelled = {key for key in found if len(key) > 1}
    assert len(labelled) <= 100 * 25
    assert {key[0] for key in before} == {key[0] for key in found}
    assert "s3cret" not in text
    assert "secret-path" not in text
    rig.census = Census(many(tmp_path, 2))
    assert set(scrape(rig.url)[0]) == before


def test_a_camera_without_a_picture_has_no_age(rig):
    """Before the first picture there is nothing to be old."""
    one = rig.census.watched["c0"]
    one.reader.health = CameraHealth("c0", CameraState.OFFLINE, "no route")
    found, text = scrape(rig.url)
    assert ("watchpost_camera_newest_frame_age_seconds", "c0") not in found
    assert found["watchpost_camera_state", "c0", "offline"] == 1
    assert found["watchpost_camera_reconnects_total", "c0"] == 0
    assert "no route" not in text


def test_an_outbox_that_cannot_be_read_hides_nothing_else(rig):
    """The disk's trouble costs its own numbers only."""
    rig.outbox._connection().execute("DROP TABLE rows")
    found, _ = scrape(rig.url)
    assert ("watchpost_outbox_waiting",) not in found
    assert found["watchpost_camera_frames_decoded_total", "c0"] == 100


def test_a_frozen_camera_is_not_online(rig):
    """What people are told is what Prometheus is told."""
    rig.census.watched["c0"].analysis.frozen = True
    found, _ = scrape(rig.url)
    assert found["watchpost_camera_state", "c0", "online"] == 0
    assert found["watchpost_camera_state", "c0", "offline"] == 1


def test_a_client_that_says_nothing_keeps_nobody_waiting_for_long(rig, monkeypatch):
    """A connection without a request is given up, and the next one is answered."""
    monkeypatch.setattr("streams.metrics._Handler.timeout", 0.2)
    with socket.create_connection(("127.0.0.1", int(rig.url.rsplit(":", 1)[1]))):
        assert scrape(rig.url)[0]


def test_a_port_in_use_is_said_with_its_key():
    """Two cannot listen in one place, and the message names the key and the address."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(
                ConfigError, match=rf"worker\.metrics_listen: .*127\.0\.0\.1:{port}: Address already"
            ),
            open_page(f"127.0.0.1:{port}"),
        ):
            pass


def test_without_the_key_nothing_listens():
    """An empty address is no page; IPv6 is one like any other."""
    with open_page("") as page:
        assert page is None
    with open_page("[::1]:0") as page:
        assert page.port > 0


@pytest.mark.parametrize(
    "listen", ["9109", "host", ":9109", "host:", "host:99999", "::1:9109", "[host]:1", "a:-1"]
)
def test_a_wrong_address_is_a_fault_of_the_file(tmp_path, listen):
    """What is no host:port is refused when the file is checked."""
    content = {"worker": {"metrics_listen": listen}, "cameras": [camera("yard", tmp_path / "x.mp4")]}
    with pytest.raises(ConfigError, match=r"worker\.metrics_listen: wanted host:port"):
        parse_site(content, tmp_path)
