"""Laws of the courier, against a real server on loopback: all arrives, once, in order, through any outage."""

from __future__ import annotations

import itertools
import logging
import socket
import threading

import pytest
from support.alerts import alert_in
from support.sink import TOKEN, Sink

from api.schemas import MediaKind
from detector.errors import ApiUnreachable
from detector.types import Phase
from streams.courier import Courier, open_client
from streams.outbox import Outbox, What


@pytest.fixture
def outbox(tmp_path):
    box = Outbox(tmp_path / "outbox.db")
    yield box
    box.close()


@pytest.fixture
def sink():
    server = Sink()
    yield server
    server.close()


class Clock:
    """Takes the place of waiting: notes how long, and does what a test wants meanwhile."""

    def __init__(self, meanwhile=lambda clock, stop: None, limit=200):
        self.waits = []
        self.meanwhile, self.limit = meanwhile, limit

    def __call__(self, stop, wait_s):
        self.waits.append(wait_s)
        self.meanwhile(self, stop)
        return stop.is_set()


def run_until_empty(outbox, url, clock=None, token=TOKEN):
    """Run a courier in this thread until the outbox is empty."""
    idle = clock or Clock()
    before = idle.meanwhile

    def meanwhile(clock, stop):
        before(clock, stop)
        if outbox.n_waiting == 0 or len(clock.waits) > clock.limit:
            stop.set()

    idle.meanwhile = meanwhile
    with open_client(url, token) as client:
        Courier(outbox, client, wait=idle, luck=lambda: 1.0).run(threading.Event())
    assert outbox.n_waiting == 0
    return idle


def with_evidence(outbox, n, tmp_path):
    alert = alert_in(n)
    outbox.put_alert(alert)
    clip = tmp_path / f"{n}.mp4"
    clip.write_bytes(bytes(range(256)) * 4000)
    outbox.put_media(alert.alert_id, MediaKind.CLIP, clip, 1.25, 10.5)
    outbox.put_missing(alert.alert_id, MediaKind.SNAPSHOT, "none")
    return alert, clip


def test_rows_arrive_in_order_and_files_go(outbox, sink, tmp_path):
    """Alert, then its evidence with hash and span; after the answer the file is removed from disk."""
    alert, clip = with_evidence(outbox, 1, tmp_path)
    outbox.put_alert(alert_in(1, Phase.CLOSED, 1))
    content = clip.read_bytes()
    run_until_empty(outbox, sink.url)
    alert_id = str(alert.alert_id)
    assert sink.log == [
        "POST /api/v1/alerts",
        f"PUT /api/v1/alerts/{alert_id}/media/clip?start_t=1.25&duration_s=10.5",
        f"PUT /api/v1/alerts/{alert_id}/media/snapshot/missing",
        "POST /api/v1/alerts",
    ]
    assert sink.media[alert_id, "clip"] == content
    assert sink.media[alert_id, "snapshot"] == "none"
    assert not clip.exists()


@pytest.mark.parametrize("status", [500, 502, 503, 408, 429, 401, 403])
def test_what_may_pass_is_sent_again(outbox, sink, tmp_path, status):
    """Busy, broken or not logged in: each row arrives once it passes, with a growing pause between tries."""
    sink.fail(5, status)
    with_evidence(outbox, 1, tmp_path)
    clock = run_until_empty(outbox, sink.url)
    assert clock.waits[:5] == [0.5, 1, 2, 4, 8]
    assert len(sink.media) == 2
    assert sink.n_repeats == 0


def test_the_pause_ends_at_30_s_and_starts_anew(outbox, sink):
    """Pauses double to 30 s at most; a delivery sets them back to half a second."""
    sink.fail(9, 503)
    outbox.put_alert(alert_in(1))

    def meanwhile(clock, stop):
        if outbox.n_waiting == 0 and len(clock.waits) == 10:
            sink.fail(1, 503)
            outbox.put_alert(alert_in(2))

    clock = run_until_empty(outbox, sink.url, Clock(meanwhile))
    assert clock.waits[:9] == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert clock.waits[10] == 0.5


def test_half_of_a_pause_is_chance(outbox, sink):
    """With the least luck a pause is half as long, so that workers spread out."""
    sink.fail(1, 503)
    outbox.put_alert(alert_in(1))
    clock = Clock(lambda clock, stop: stop.set())
    with open_client(sink.url, TOKEN) as client:
        Courier(outbox, client, wait=clock, luck=lambda: 0.0).run(threading.Event())
    assert clock.waits == [0.25]


def test_an_outage_loses_nothing_and_doubles_nothing(outbox, tmp_path):
    """The service is down at first, comes, goes in the middle and comes back: every row arrives once."""
    alerts = [with_evidence(outbox, n, tmp_path)[0] for n in range(6)]
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    sinks = []

    def meanwhile(clock, stop):
        down = not sinks or sinks[-1] is None
        if down and len(clock.waits) in (3, 9):
            store = next((s for s in reversed(sinks) if s), None)
            sinks.append(Sink(port, store))
            if store is None:
                sinks[-1].verdict = lambda path, body: 503 if len(sinks[-1].log) >= 7 else 0
        elif not down and sinks[-1].log[6:] and len(sinks) == 1:
            sinks[-1].close()
            sinks.append(None)

    clock = run_until_empty(outbox, f"http://127.0.0.1:{port}", Clock(meanwhile))
    last = sinks[-1]
    last.close()
    assert len(clock.waits) >= 9
    assert {key[0] for key in last.alerts} == {str(a.alert_id) for a in alerts}
    assert len(last.media) == 12
    assert len(last.log) == len(set(last.log) - {"POST /api/v1/alerts"}) + 6
    assert list(tmp_path.glob("*.mp4")) == []


def test_a_lost_answer_leads_to_a_repeat_of_the_same_row(outbox, sink):
    """When the service stored a row and the answer is lost, the same key is sent again and stored once."""
    outbox.put_alert(alert_in(1))
    stored = []

    def verdict(path, body):
        if not stored:
            stored.append(body)
            sink.alerts[str(alert_in(1).alert_id), "opened", 0] = {}
            return 504
        return 0

    sink.verdict = verdict
    run_until_empty(outbox, sink.url)
    assert len(sink.alerts) == 1
    assert sink.n_repeats == 1


@pytest.mark.parametrize("status", [400, 404, 409, 413, 422])
def test_a_refused_row_is_kept_and_blocks_no_other(outbox, sink, status):
    """A row the API will never take is set aside, counted, and the next one goes."""
    sink.fail(1, status)
    outbox.put_alert(alert_in(1))
    outbox.put_alert(alert_in(2))
    run_until_empty(outbox, sink.url)
    assert outbox.n_refused == 1
    assert [key[0] for key in sink.alerts] == [str(alert_in(2).alert_id)]


def test_an_alert_that_breaks_the_service_does_not_hold_up_others(outbox, sink):
    """A row that alone makes the API fail waits behind the others; rows of its alert keep their order."""
    bad = str(alert_in(1).alert_id)
    failed = []

    def verdict(path, body):
        if bad.encode() in body and len(failed) < 3:
            failed.append(path)
            return 500
        return 0

    sink.verdict = verdict
    outbox.put_alert(alert_in(1))
    outbox.put_missing(alert_in(1).alert_id, MediaKind.CLIP, "none")
    outbox.put_alert(alert_in(2))
    outbox.put_alert(alert_in(3))
    run_until_empty(outbox, sink.url)
    assert [key[0] for key in sink.alerts] == [str(alert_in(n).alert_id) for n in (2, 3, 1)]
    assert sink.media == {(bad, "clip"): "none"}


def test_a_vanished_file_is_reported_missing(outbox, sink, tmp_path):
    """When the file of a row is gone the API is told that, and nothing waits for ever."""
    alert, clip = with_evidence(outbox, 1, tmp_path)
    clip.unlink()
    run_until_empty(outbox, sink.url)
    assert "removed from the worker's disk" in sink.media[str(alert.alert_id), "clip"]


def test_a_wrong_token_is_loud_and_nothing_secret_is_logged(outbox, sink, caplog):
    """A token the API does not know is an error with what to do; the token is not in the log."""
    caplog.set_level(logging.DEBUG)
    outbox.put_alert(alert_in(1))
    clock = Clock(lambda clock, stop: stop.set())
    with open_client(sink.url, "wr0ng-s3cret") as client:
        Courier(outbox, client, wait=clock).run(threading.Event())
    assert outbox.n_waiting == 1
    assert any(r.levelno == logging.ERROR and "Make a new worker token" in r.message for r in caplog.records)
    assert "wr0ng-s3cret" not in caplog.text


def test_a_mute_service_is_unreachable(outbox, monkeypatch):
    """A peer that accepts and stays silent counts as no answer."""
    outbox.put_alert(alert_in(1))
    with socket.create_server(("127.0.0.1", 0)) as mute:
        client = open_client(f"http://127.0.0.1:{mute.getsockname()[1]}", TOKEN)
        client.timeout = 0.2
        with client, pytest.raises(ApiUnreachable, match="no answer"):
            Courier(outbox, client).step()
    assert outbox.next().what is What.ALERT


def test_a_full_disk_at_the_worker_does_not_end_the_courier(outbox, sink):
    """When the outbox cannot note a delivery, the row is sent again later."""
    outbox.put_alert(alert_in(1))
    db = outbox._connection()
    db.execute("PRAGMA query_only = ON")
    clock = Clock(lambda clock, stop: db.execute("PRAGMA query_only = OFF"))
    run_until_empty(outbox, sink.url, clock)
    assert len(sink.alerts) == 1
    assert sink.n_repeats == 1


@pytest.mark.parametrize("status", [503, 507])
def test_alerts_go_on_while_the_service_takes_no_evidence(outbox, sink, tmp_path, status):
    """Its disk is full or away: every alert arrives without a pause, the end of each too; evidence when it is taken. (CLP-10)"""
    full = [True]
    sink.verdict = lambda path, body: status if full[0] and "/media/" in path else 0
    for n in range(20):
        with_evidence(outbox, n, tmp_path)
        outbox.put_alert(alert_in(n, Phase.CLOSED, 1))
    waits_until_told = []

    def meanwhile(clock, stop):
        if len(sink.alerts) == 40 and not waits_until_told:
            waits_until_told.append(sum(clock.waits[:-1]))
        full[0] = full[0] and sum(clock.waits) < 60

    clock = run_until_empty(outbox, sink.url, Clock(meanwhile, limit=2000))
    assert waits_until_told == [0], "alerts waited for evidence"
    assert len(sink.media) == 40
    assert sink.n_repeats == 0
    assert set(clock.waits) == {0.2}, "the courier was deaf to alerts for longer"


def test_evidence_rests_longer_and_longer_and_one_holds_up_no_other(outbox, sink, tmp_path):
    """One clip that the service never takes is tried at growing intervals; the evidence of the others arrives."""
    bad = str(with_evidence(outbox, 0, tmp_path)[0].alert_id)
    tries = []

    def verdict(path, body):
        if bad in path and path.endswith("/clip"):
            tries.append(sum(clock.waits))
            return 500 if len(tries) < 9 else 0
        return 0

    sink.verdict = verdict
    with_evidence(outbox, 1, tmp_path)
    clock = Clock(limit=2000)
    run_until_empty(outbox, sink.url, clock)
    assert len(sink.media) == 4
    gaps = [b - a for a, b in itertools.pairwise(tries)]
    assert gaps == pytest.approx([0.6, 0.6, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0], abs=0.5)
    order = [line.split("/media/")[0] for line in sink.log if "/media/" in line]
    assert bad not in order[0], "the other's evidence waited"
