"""Laws of the analysis: the alert is on disk before all else, its evidence is of its own moment."""

from __future__ import annotations

import io
import json
import shutil
import sqlite3
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import av
import numpy as np
import pytest
from PIL import Image
from support.people import detections, row_of
from support.site import camera

from api.schemas import AlertIn, CameraState, MediaKind, OverlayDoc
from detector.pairs import PairSight
from detector.types import Detections, Phase, Severity, Stamp
from streams.analysis import Analysis, Desk, Run, keep_s
from streams.config import parse_site
from streams.evidence import Folder
from streams.flow import Board, Pipe
from streams.frame import Frame
from streams.inference import Inference, Orders
from streams.outbox import Outbox, What
from streams.reader import CameraHealth

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LATER = datetime(2026, 3, 1, 13, 0, tzinfo=UTC)
RUN = Run(
    run_id=UUID(int=7), network="pixelcode", model_sha256="a" * 64, provider="cpu", config_hash="b" * 64
)
SIZE = (1280, 960)
PEOPLE = detections(row_of(3, x=580, y=600))
NOBODY = Detections.empty()


@pytest.fixture
def site_camera(tmp_path):
    content = {"cameras": [camera("yard", tmp_path / "x.mp4")]}
    return parse_site(content, tmp_path).cameras[0]


@pytest.fixture
def outbox(tmp_path):
    box = Outbox(tmp_path / "outbox.db")
    yield box
    box.close()


@pytest.fixture
def desk(tmp_path, outbox):
    return Desk(outbox, Folder(tmp_path / "evidence"), Pipe(10), threading.Event(), lambda: LATER)


def online():
    return CameraHealth("yard", CameraState.ONLINE)


def frame(t, *, epoch=0, shade=90):
    video = av.VideoFrame.from_ndarray(np.full((SIZE[1], SIZE[0], 3), shade, np.uint8), format="rgb24")
    stamp = Stamp("yard", epoch, round(t * 10), t, START + timedelta(seconds=t), *SIZE)
    return Frame(stamp, video)


def feed(analysis, from_s, until_s, seen=PEOPLE, epoch=0):
    for n in range(round(from_s * 5), round(until_s * 5)):
        analysis.step(frame(n / 5, epoch=epoch, shade=n % 200), seen)


def rows(outbox):
    items = []
    while (item := outbox.next()) is not None:
        items.append(item)
        outbox.done(item.seq)
    return items


def alerts(items):
    return [AlertIn.model_validate_json(item.body) for item in items if item.what is What.ALERT]


def test_an_alert_comes_before_its_evidence(site_camera, desk, outbox):
    """Opened, snapshot, closed, overlay: in that order, with everything that tells where it comes from."""
    analysis = Analysis(site_camera, RUN, desk, online)
    feed(analysis, 0, 10)
    feed(analysis, 10, 40, NOBODY)
    items = rows(outbox)
    assert [(item.what, item.kind) for item in items] == [
        (What.ALERT, None),
        (What.MEDIA, MediaKind.SNAPSHOT),
        (What.ALERT, None),
        (What.MEDIA, MediaKind.OVERLAY),
    ]
    opened, closed = alerts(items)
    assert (opened.phase, closed.phase) == (Phase.OPENED, Phase.CLOSED)
    assert opened.stages.captured_at == opened.at == START + timedelta(seconds=opened.t)
    assert opened.stages.judged_at == opened.stages.stored_at == LATER
    told = opened.provenance
    assert (told.run_id, told.model_sha256, told.config_hash) == (
        RUN.run_id,
        RUN.model_sha256,
        RUN.config_hash,
    )
    assert told.params["min_people"] == 3
    assert told.software.startswith("watchpost")


def test_the_snapshot_is_the_picture_of_the_alert(site_camera, desk, outbox):
    """The stored picture is the very one at the alert's time, in full size."""
    analysis = Analysis(site_camera, RUN, desk, online)
    feed(analysis, 0, 10)
    items = rows(outbox)
    picture = Image.open(io.BytesIO(items[1].path.read_bytes()))
    assert picture.size == SIZE
    shade = round(alerts(items)[0].t * 5) % 200
    assert np.abs(np.asarray(picture).astype(int) - shade).max() <= 2


def test_the_clip_that_is_asked_for_spans_the_incident(site_camera, desk, outbox):
    """From 5 s before it began to 20 s after it was opened, in its epoch; asked once."""
    analysis = Analysis(site_camera, RUN, desk, online)
    feed(analysis, 2, 30)
    opened = alerts(rows(outbox))[0]
    request = desk.requests.get(0.0)
    assert (request.alert_id, request.epoch) == (opened.alert_id, 0)
    assert request.from_t == pytest.approx(opened.started_t - 5.0)
    assert request.until_t == pytest.approx(opened.t + 20.0)
    assert len(desk.requests) == 0
    assert keep_s(site_camera) >= request.until_t - request.from_t


def test_the_overlay_shows_the_seconds_of_the_clip(site_camera, desk, outbox):
    """Boxes of every analysed picture in the clip's time, with track ids."""
    analysis = Analysis(site_camera, RUN, desk, online)
    feed(analysis, 0, 30)
    item = next(item for item in rows(outbox) if item.kind is MediaKind.OVERLAY)
    doc = OverlayDoc.model_validate_json(item.path.read_bytes())
    assert (doc.width, doc.height) == SIZE
    times = [shown.t for shown in doc.frames]
    assert times[0] == 0.0
    assert times[-1] == pytest.approx(23.0, abs=0.5)
    assert len(doc.frames[-1].boxes) == 3


def test_a_box_is_within_the_picture(site_camera, desk, outbox):
    """People at the edge, seen partly outside it: every box that is told lies in the picture."""
    analysis = Analysis(site_camera, RUN, desk, online)
    feed(analysis, 0, 10, detections(row_of(4, x=1060, y=925), body_px=180.0))
    analysis.interrupt("source ended")
    for alert in alerts(rows(outbox)):
        x0, y0, x1, y1 = alert.box
        assert 0 <= x0 < x1 <= SIZE[0]
        assert 0 <= y0 < y1 <= SIZE[1]


def test_a_new_epoch_ends_what_was_open(site_camera, desk, outbox):
    """After a reconnect the alert is closed as interrupted and its overlay written from its own epoch."""
    analysis = Analysis(site_camera, RUN, desk, online)
    feed(analysis, 0, 6)
    feed(analysis, 8, 9, epoch=1)
    items = rows(outbox)
    assert alerts(items)[1].facts["end_reason"] == "stream interrupted"
    doc = OverlayDoc.model_validate_json(items[-1].path.read_bytes())
    assert max(shown.t for shown in doc.frames) < 6


def test_the_end_writes_all_that_is_due(site_camera, desk, outbox):
    """When no more pictures come, what is open is closed with the reason and the overlay is written."""
    analysis = Analysis(site_camera, RUN, desk, online)
    feed(analysis, 0, 6)
    analysis.interrupt("service stopped")
    items = rows(outbox)
    assert [item.kind for item in items] == [None, MediaKind.SNAPSHOT, None, MediaKind.OVERLAY]
    assert alerts(items)[1].facts["end_reason"] == "service stopped"
    assert outbox.open_alerts() == []
    assert outbox.due_media() == [(alerts(items)[0].alert_id, MediaKind.CLIP)]


def test_an_alert_waits_for_the_disk_and_keeps_its_order(site_camera, desk, outbox):
    """While the outbox cannot be written the judgement goes on; later all rows are there, in order."""
    analysis = Analysis(site_camera, RUN, desk, online)
    db: sqlite3.Connection = outbox._connection()
    db.execute("PRAGMA query_only = ON")
    feed(analysis, 0, 10)
    assert analysis.n_unstored == 3
    assert len(desk.requests) == 0
    assert outbox.n_waiting == 0
    db.execute("PRAGMA query_only = OFF")
    assert analysis.store()
    assert [item.kind for item in rows(outbox)] == [None, MediaKind.SNAPSHOT]
    assert len(desk.requests) == 1


def test_without_room_for_a_picture_the_alert_goes_on(site_camera, desk, outbox, monkeypatch):
    """A snapshot that cannot be written is told as missing, with the reason."""
    usage = shutil.disk_usage(".")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=0))
    analysis = Analysis(site_camera, RUN, desk, online)
    feed(analysis, 0, 10)
    items = rows(outbox)
    assert [item.what for item in items] == [What.ALERT, What.MISSING]
    assert "disk full" in items[1].body


def test_coverage_counts_the_seconds_that_were_seen(site_camera, desk):
    """Time between pictures counts; holes and reconnects do not."""
    analysis = Analysis(site_camera, RUN, desk, online)
    feed(analysis, 0, 10, NOBODY)
    feed(analysis, 20, 25, NOBODY)
    feed(analysis, 30, 35, NOBODY, epoch=1)
    assert analysis.counts.covered_s == pytest.approx(9.8 + 4.8 + 4.8)
    assert analysis.counts.n_analysed == 50 + 25 + 25


# ---------------------------------------------------------------- the loop over cameras


class TwoEyes:
    """Sees the same people in every picture; notes how many pictures came at once."""

    def __init__(self):
        self.batches = []

    def detect(self, pictures):
        self.batches.append([picture.stamp.camera_id for picture in pictures])
        return [PEOPLE for _ in pictures]


def two_cameras(tmp_path, desk):
    content = {"cameras": [camera(name, tmp_path / "x.mp4") for name in ("yard", "gate")]}
    cameras = parse_site(content, tmp_path).cameras
    return {one.id: Analysis(one, RUN, desk, online) for one in cameras}


def on_gate(shown):
    stamp = shown.stamp
    return Frame(Stamp("gate", stamp.epoch, stamp.index, stamp.t, stamp.at, *SIZE), shown.video)


def told(analyses):
    """Orders to judge these."""
    orders = Pipe(5)
    orders.put(Orders(analyses, RUN), threading.Event())
    return orders


def test_pictures_of_all_cameras_go_through_the_network_together(tmp_path, desk):
    """One call for what waits on the board, at most one picture a camera; each by its own rules."""
    board, eyes, stop = Board(lossless=True), TwoEyes(), threading.Event()
    analyses = two_cameras(tmp_path, desk)
    for camera_id in analyses:
        board.join(camera_id)
    board.put(frame(0.0), stop)
    board.put(on_gate(frame(0.0)), stop)
    board.leave("yard")
    board.leave("gate")
    Inference(board, eyes, told(analyses), lambda _: CameraState.ENDED, max_batch=8, stopping=stop).run(stop)
    assert eyes.batches == [["yard", "gate"]]
    assert [analysis.counts.n_analysed for analysis in analyses.values()] == [1, 1]


class SlowEyes:
    """A network that takes 0.3 s, while a camera goes on giving 15 pictures a second."""

    def __init__(self, board, seconds):
        self.s, self.n_shown, self.lags = 0.0, 0, []
        self._board, self._seconds = board, seconds
        self.goes_on()

    def goes_on(self):
        while self.n_shown <= self.s * 15:
            shown = frame(self.n_shown / 15, shade=self.n_shown % 200)
            self._board.put(shown, threading.Event())
            self.n_shown += 1

    def detect(self, pictures):
        self.s += 0.3
        self.lags.append(self.s - pictures[0].stamp.t)
        if self.s < self._seconds:
            self.goes_on()
        else:
            self._board.leave("yard")
        return [PEOPLE for _ in pictures]


def test_a_network_that_is_too_slow_costs_pictures_and_no_delay(site_camera, desk, outbox):
    """After a minute the picture that is judged is as new as at first; alerts tell its time, not that of the judging (ING-08)."""
    board = Board()
    board.join("yard")
    eyes = SlowEyes(board, 60.0)
    desk = replace(desk, now=lambda: START + timedelta(seconds=eyes.s), monotonic=lambda: 100.0 + eyes.s)
    analyses = {"yard": Analysis(site_camera, RUN, desk, online)}
    stop = threading.Event()
    Inference(board, eyes, told(analyses), lambda _: CameraState.ONLINE, max_batch=8, stopping=stop).run(stop)
    n_judged = analyses["yard"].counts.n_analysed
    assert n_judged == len(eyes.lags) >= 200
    assert max(eyes.lags) <= 0.3 + 1 / 15 + 1e-6
    assert board.dropped == {"yard": eyes.n_shown - n_judged}
    opened = next(alert for alert in alerts(rows(outbox)) if alert.rule == "gathering")
    assert (opened.stages.captured_at - START).total_seconds() == pytest.approx(opened.t, abs=0.001)
    assert 0.2 < (opened.stages.judged_at - opened.stages.captured_at).total_seconds() <= 0.37


@pytest.mark.parametrize(
    ("state", "reason"),
    [(CameraState.OFFLINE, "stream interrupted"), (CameraState.ENDED, "source ended")],
)
def test_a_camera_without_pictures_keeps_no_alert_open(tmp_path, desk, outbox, state, reason):
    """While another camera goes on, the alerts of one that is gone are closed, once."""
    board, eyes, stop = Board(), TwoEyes(), threading.Event()
    analyses = two_cameras(tmp_path, desk)
    feed(analyses["yard"], 0, 6)
    board.join("gate")
    states = {"yard": state, "gate": CameraState.ONLINE}
    loop = Inference(board, eyes, told(analyses), states.__getitem__, max_batch=8, stopping=stop)
    loop._obey()
    for n in range(2):
        board.put(on_gate(frame(n / 5)), stop)
        loop._close_blind({"gate"})
    closed = alerts(rows(outbox))[1:]
    assert [alert.facts["end_reason"] for alert in closed] == [reason]


def test_what_the_disk_refuses_at_the_end_is_tried_again(tmp_path, desk, outbox):
    """The loop does not end while rows wait for the disk, unless it is told to."""
    board, stop = Board(), threading.Event()
    analyses = two_cameras(tmp_path, desk)
    feed(analyses["yard"], 0, 6)
    outbox.done(outbox.next().seq)
    board.close()
    writable = []

    class Patient(threading.Event):
        def wait(self, timeout=None):
            writable.append(outbox._connection().execute("PRAGMA query_only = OFF"))
            return False

    outbox._connection().execute("PRAGMA query_only = ON")
    Inference(board, TwoEyes(), told(analyses), lambda _: CameraState.ENDED, max_batch=8, stopping=stop).run(
        Patient()
    )
    assert len(writable) == 1
    assert alerts(rows(outbox))[0].phase is Phase.CLOSED


# ---------------------------------------------------------------- blind


class Watched:
    """An analysis whose clock and camera the test moves."""

    def __init__(self, site_camera, desk):
        self.s, self.state = 100.0, CameraState.ONLINE
        desk = replace(desk, now=lambda: START + timedelta(seconds=self.s - 100), monotonic=lambda: self.s)
        self.analysis = Analysis(site_camera, RUN, desk, lambda: CameraHealth("yard", self.state))

    def pictures(self, seconds, shade=None, every=1):
        """Five times a second a look at the camera; at every so many of them a picture."""
        for n in range(round(seconds * 5)):
            t = round(self.s - 100, 1)
            if n % every == 0:
                self.analysis.step(frame(t, shade=int(t * 5) % 200 if shade is None else shade), NOBODY)
            self.analysis.watch()
            self.s += 0.2

    def silence(self, seconds, state):
        self.state = state
        for _ in range(round(seconds * 5)):
            self.analysis.watch()
            self.s += 0.2
        self.analysis.store()


def test_a_lost_camera_is_told_with_the_last_that_was_seen_of_it(site_camera, desk, outbox):
    """Opened while there is no picture, with the last one and its clip; closed when it is back."""
    it = Watched(site_camera, desk)
    it.pictures(8)
    it.silence(20, CameraState.OFFLINE)
    [opened] = alerts(rows(outbox))
    assert (opened.rule, opened.facts["kind"], opened.severity) == ("blind", "offline", Severity.HIGH)
    assert 10.0 <= opened.facts["offline_s"] <= 12.5
    assert opened.at - START == timedelta(seconds=opened.t)
    request = desk.requests.get(0.0)
    assert (request.alert_id, request.epoch) == (opened.alert_id, 0)
    assert request.from_t == pytest.approx(2.8, abs=0.3), "the last seconds before"
    it.state = CameraState.ONLINE
    it.pictures(15)
    told = alerts(rows(outbox))
    assert [(alert.alert_id, alert.phase) for alert in told] == [(opened.alert_id, Phase.CLOSED)]
    assert told[0].facts["end_reason"] == "view as usual"


def test_a_camera_that_never_came_is_told_without_evidence(site_camera, desk, outbox):
    """There is nothing to show, and that is said."""
    it = Watched(site_camera, desk)
    it.silence(30, CameraState.STARTING)
    items = rows(outbox)
    assert [alert.facts["kind"] for alert in alerts(items)] == ["offline"]
    missing = [json.loads(item.body)["reason"] for item in items if item.what is What.MISSING]
    assert missing == ["no picture has come yet"] * 3


def test_an_end_is_no_blindness(site_camera, desk, outbox):
    """A recording that is over is not missed, nor is a camera whose worker stops."""
    it = Watched(site_camera, desk)
    it.pictures(5)
    it.silence(60, CameraState.ENDED)
    assert alerts(rows(outbox)) == []


def test_pictures_that_are_not_judged_are_told(site_camera, desk, outbox):
    """The camera is online, and nothing of it reaches the network."""
    it = Watched(site_camera, desk)
    it.pictures(5)
    it.silence(30, CameraState.ONLINE)
    assert [alert.facts["kind"] for alert in alerts(rows(outbox))] == ["unjudged"]


def test_a_dark_picture_is_told_and_stays_told_over_a_lost_stream(site_camera, desk, outbox):
    """A new epoch closes what the rules had open, not that the camera is blind; the end closes both."""
    it = Watched(site_camera, desk)
    it.pictures(20, shade=3)
    it.analysis.interrupt("stream interrupted")
    [opened] = alerts(rows(outbox))
    assert (opened.facts["kind"], opened.phase) == ("dark", Phase.OPENED)
    it.analysis.end("service stopped")
    [closed] = alerts(rows(outbox))
    assert (closed.alert_id, closed.facts["end_reason"]) == (opened.alert_id, "service stopped")


@pytest.mark.parametrize("every_s", [4, 8])
def test_a_camera_that_is_judged_seldom_is_told_blind_too(site_camera, desk, outbox, every_s):
    """With a picture in some seconds, longer apart than an incident may pause: dark is told, and when it is over."""
    it = Watched(replace(site_camera, analyse_fps=1 / every_s), desk)
    it.pictures(40, shade=3, every=5 * every_s)
    [opened] = alerts(rows(outbox))
    assert (opened.facts["kind"], opened.phase) == ("dark", Phase.OPENED)
    it.pictures(40, every=5 * every_s)
    [closed] = alerts(rows(outbox))
    assert (closed.alert_id, closed.facts["end_reason"]) == (opened.alert_id, "view as usual")


def test_a_picture_that_stands_still_is_frozen_until_it_moves(site_camera, desk):
    """Told beside the alert, so that the camera's own state can say it."""
    it = Watched(site_camera, desk)
    it.pictures(50, shade=90)
    assert not it.analysis.frozen
    it.pictures(20, shade=90)
    assert it.analysis.frozen
    it.pictures(3)
    assert not it.analysis.frozen


def test_what_was_seen_before_a_loss_is_not_told_of_what_comes_after(site_camera, desk, outbox):
    """Dark for less than the hold time, then gone: only the loss is told."""
    it = Watched(site_camera, desk)
    it.pictures(5, shade=3)
    it.silence(25, CameraState.OFFLINE)
    assert [alert.facts["kind"] for alert in alerts(rows(outbox))] == ["offline"]


def test_what_a_view_taught_is_kept_when_the_camera_goes(site_camera, desk, tmp_path):
    """A camera that is interrupted has stored what it learned; a new analysis of it begins with that."""
    keeping = replace(desk, learned=tmp_path / "learned")
    analysis = Analysis(site_camera, RUN, keeping, online)
    for n in range(100):
        x = 30.0 + 5 * n
        box = [[x, 100, x + 25, 180]]
        analysis.step(
            frame(n / 5), Detections(np.array(box, np.float32), PEOPLE.scores[:1], PEOPLE.kinds[:1])
        )
    analysis.interrupt("stream interrupted")
    stored = analysis._scene.learned()
    assert stored is not None
    again = Analysis(site_camera, RUN, keeping, online)
    again.step(frame(0.0), NOBODY)
    assert again._scene.learned().samples == pytest.approx(np.array(stored.samples), abs=0.1)


@pytest.mark.parametrize(("body_px", "asked", "n_small"), [(180.0, True, 0), (60.0, False, 8)])
def test_more_pictures_are_asked_only_of_people_who_can_be_judged(tmp_path, desk, body_px, asked, n_small):
    """Two people in reach are a pair and are counted; the camera is asked for a burst unless they are too small."""
    rule = {"rule": "handoff", "severity": "high"}
    content = {"cameras": [camera("yard", tmp_path / "x.mp4", rules=[rule])]}
    wishes = []
    watching = Analysis(
        parse_site(content, tmp_path).cameras[0], RUN, replace(desk, burst=wishes.append), online
    )
    for n in range(12):
        picture = frame(n / 10)
        watched = watching.track(picture, detections(row_of(2, apart=0.5 * body_px), body_px=body_px))
        bare = [PairSight(pair, np.zeros((2, 17, 3), np.float32)) for pair in watched.proposed.pairs]
        watching.judge(picture, watched, bare)
    assert watching.counts.n_pairs == 1
    assert bool(wishes) is asked
    (told,) = watching.counts.handoffs
    assert told.n_too_small == n_small
