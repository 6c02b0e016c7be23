"""The composition root of the worker: the one function that knows the real parts, and their life.

    readers --Board--> inference --Outbox--> courier
       |  ^                |
       |  +----requests----+          each camera's recorder lives in its reader's thread
       +--cuts--> clip writer --Outbox--> courier

Start: what a crash left is settled first. Stop: in the order in which pictures flow, each part with a time
limit; what is abandoned is said, and alerts wait in the outbox for the next start.
"""

from __future__ import annotations

import fcntl
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import uuid4

from api.schemas import CameraState
from api.schemas_configuration import OrderOut
from detector.errors import StorageError, WatchError
from detector.rules.handoff import NAME as HANDOFF
from models.catalog import load_card
from models.export import ensure_network
from models.onnx import DetectorOptions, OnnxDetector
from streams import allocator
from streams.aftermath import last_sign, lock_of, settle, show_life
from streams.analysis import Analysis, Desk, Run, keep_s, now_utc
from streams.clips import check_encoder
from streams.config import Camera, Site
from streams.console import Console
from streams.courier import Courier, Wait, open_client
from streams.evidence import Folder
from streams.flow import Board, Pipe, Stage
from streams.health import Census, Parts, Pulse, Watched
from streams.inference import Inference, Orders
from streams.kept_tracks import TrackFolder
from streams.liaison import Liaison
from streams.mainstream import MainStream
from streams.metrics import MetricsPage, WorkerCollector, open_page
from streams.outbox import Outbox
from streams.pairlook import POSE, PairLooker
from streams.posefetch import PoseFetch
from streams.reader import CameraHealth, Outside, Reader
from streams.recorder import ClipRequest, ClipWriter, Cut, PacketRing, Recorder
from streams.roster import Lookout, Roster
from streams.sitefile import SiteFile

log = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]

_LOOK_S = 0.2
_DRAIN_S = 10.0  # from the wish to stop to the end of the process
_AWAY_S = 1.0  # of it, for an API that gives no answer
_REQUESTS, _CUTS = 64, 8  # more clips than this wait in the recorders
_ORDERS = 64
_WORKER = "the worker itself"  # on the board, beside the cameras; no camera can have this id


@dataclass(frozen=True, slots=True)
class Done:
    """How a worker ended."""

    n_analysed: int
    n_outbox: int  # undelivered, kept on disk
    n_refused: int
    cameras: tuple[CameraHealth, ...]


def build_detector(site: Site) -> OnnxDetector:
    """The network of a site file, fetched and exported first if need be, as is that of poses. Raises ModelError."""
    if any(choice.rule == HANDOFF for camera in site.cameras for choice in camera.rules):
        ensure_network(load_card(POSE))
    card, told = load_card(site.detector.network), site.detector
    options = DetectorOptions(
        provider=told.provider, threads=told.threads, side_px=told.side_px, min_score=told.min_score
    )
    return OnnxDetector(card, ensure_network(card), options)


def run_worker(
    site: Site,
    stop: threading.Event,
    *,
    until_done: bool = False,
    progress: Progress | None = None,
    outside: Outside = Outside(),
) -> Done:
    """Watch a site's cameras until `stop`; `until_done`: until every file has ended and all is delivered.

    Raises the error of a part that died: a worker with a dead part must not look alive.
    """
    check_encoder()
    detector, file = build_detector(site), SiteFile(site, outside.clock.monotonic)
    with _alone(site.worker.state_dir) as alive_at, open_page(site.worker.metrics_listen) as page:
        worker = Worker(site, detector, page, every_picture=until_done, outside=outside)
        try:
            worker.start(alive_at)
            while not stop.wait(_LOOK_S) and not worker.died:
                show_life(site.worker.state_dir)
                if not until_done and (changed := file.look()):
                    worker.follow(changed)
                worker.look()
                if progress:
                    progress("pictures analysed", worker.n_analysed, 0)
                if until_done and worker.done:
                    break
        finally:
            done = worker.stop()
    if worker.died:
        name, error = worker.died[0]
        if isinstance(error, WatchError):
            raise error
        raise RuntimeError(f"the worker's part {name!r} died") from error
    return done


class Worker:
    """All parts of one running worker."""

    def __init__(
        self,
        site: Site,
        detector: OnnxDetector,
        page: MetricsPage | None,
        *,
        every_picture: bool,
        outside: Outside,
    ) -> None:
        self.died: list[tuple[str, BaseException]] = []
        self._site = site  # as its file says, without what the console made of it
        tracks = TrackFolder(
            site.worker.state_dir / "tracks",
            timedelta(days=site.worker.tracks_days),
            site.worker.tracks_max_mb * 1_000_000,
        )
        tracks.prune(now_utc())
        self._tracks = tracks if tracks.keep and not every_picture else None
        self._console = Console(site.worker.state_dir, tracks)
        self._wishes: Pipe[OrderOut] = Pipe(_ORDERS)
        token = site.worker.token().get_secret_value()
        self._folder = Folder(site.worker.state_dir / "evidence")
        self._outbox = Outbox(site.worker.state_dir / "outbox.db")
        self._client = open_client(site.worker.api_url, token)
        self._run = Run(
            run_id=uuid4(),
            network=detector.card.name,
            model_sha256=detector.model_sha256,
            provider=detector.provider,
            config_hash=site.config_hash,
        )
        self._abandon, self._stopping = threading.Event(), threading.Event()
        self._tidied_s = time.monotonic()  # when freed memory was last given back
        self._board = Board()
        self._every_picture = every_picture  # of a file, whatever its pace; a live camera's are overtaken
        self._cuts: Pipe[Cut] = Pipe(_CUTS)
        self._pose = PoseFetch(self._on_death)
        orders: Pipe[Orders] = Pipe(_ORDERS)
        self._roster = Roster(partial(self._camera, outside), orders, self._board, self._abandon)
        self._judge = Inference(
            self._board,
            detector,
            orders,
            self._state_of,
            max_batch=site.detector.max_batch,
            stopping=self._stopping,
        )
        if not every_picture:
            self._judge.pairs = PairLooker(self._pose)
        self._inference = self._stage("inference", self._judge.run, self._board, orders)
        self._writer = self._stage("clips", ClipWriter(self._cuts, self._folder, self._outbox).run)
        self._sender = Courier(self._outbox, self._client)
        self._courier = self._stage("courier", self._sender.run)
        parts = Parts(self._census, self._board, self._outbox, self._folder)
        self._pulse = Pulse(site.worker.worker_id, self._client, parts)
        self._watchers = [
            self._stage("pulse", self._pulse.run)
        ]  # tell how it goes, and alerts do without them
        if not every_picture:
            liaison = Liaison(site.worker.worker_id, self._client, self._console, self._wishes, self._abandon)
            self._watchers.append(self._stage("console", liaison.run))
        if page is not None:
            page.registry.register(WorkerCollector(parts, self._cuts))
            self._watchers.append(self._stage("metrics", page.run))

    def start(self, alive_at: datetime | None = None) -> None:
        """Settle what a crash at `alive_at` left, then start the parts, the last of the flow first."""
        self._run.follows.remember(settle(self._outbox, self._folder, alive_at))
        self._board.join(_WORKER)  # cameras may come, though none is there
        for stage in (self._courier, *self._watchers, self._writer, self._inference):
            stage.start()
        self.follow(self._site)
        if self._every_picture:
            self._board.leave(_WORKER)
        log.info("worker started run_id=%s cameras=%d", self._run.run_id, len(self._site.cameras))

    def follow(self, site: Site) -> None:
        """Watch the cameras of this site from now on; what is the same there goes on untouched."""
        self._site = site
        self._apply()

    def _apply(self) -> None:
        site = self._console.apply(self._site)
        # A run of its own: alerts and tracks of what begins anew are counted from the start, under other ids.
        self._run = replace(self._run, run_id=uuid4(), config_hash=site.config_hash)
        self._roster.apply(site, self._run)

    def look(self) -> None:
        """To be called often: cameras come and go in steps, the console's wishes come, memory is tidied."""
        changed = False
        while len(self._wishes) and (order := self._wishes.get(0.0)) is not None:
            changed = self._console.take(order, self._site) or changed
        if changed:
            self._apply()
        self._roster.look(self._judge.n_obeyed)
        if time.monotonic() - self._tidied_s > allocator.EVERY_S:
            allocator.give_back()
            self._tidied_s = time.monotonic()

    @property
    def n_analysed(self) -> int:
        """Pictures analysed, all cameras together."""
        return self._judge.n_analysed

    @property
    def done(self) -> bool:
        """Whether every camera has ended and all that is to be said has been delivered or refused."""
        if self._inference.running:
            return False
        self._roster.close_requests()
        if self._roster.running:
            return False
        self._cuts.close()
        return not self._writer.running and self._outbox.n_waiting == 0

    def stop(self) -> Done:
        """End the parts in the order of the flow; leaves nothing running but what does not answer."""
        deadline = time.monotonic() + _DRAIN_S
        self._stopping.set()
        self._roster.stop_reading()
        self._board.leave(_WORKER)
        self._end(self._inference, deadline - 5.0, by_itself=True)
        self._roster.close_requests()
        for camera in self._roster.stages:
            self._end(camera, deadline - 3.5)
        self._cuts.close()
        self._end(self._writer, deadline - 2.0, by_itself=True)
        self._abandon.set()
        limit = time.monotonic() + _AWAY_S if self._sender.failing else deadline - 1.5
        while self._outbox.n_waiting and time.monotonic() < limit and self._courier.running:
            time.sleep(0.05)
        self._end(self._courier, deadline)
        for watcher in (*self._watchers, self._pose.stage):
            self._end(watcher, deadline)
        cameras = tuple(watched.reader.health for watched in self._census().watched.values())
        done = Done(self.n_analysed, self._outbox.n_waiting, self._outbox.n_refused, cameras)
        if done.n_outbox:
            log.warning("undelivered, kept for the next start n_outbox=%d", done.n_outbox)
        self._client.close()
        self._outbox.close()
        return done

    def _camera(self, outside: Outside, camera: Camera) -> Lookout:
        patient = not camera.address.live and (self._every_picture or camera.pace == "fast")
        if patient:
            self._board.join(camera.id, lossless=True)
        requests: Pipe[ClipRequest] = Pipe(_REQUESTS)
        ring = PacketRing(keep_s(camera))
        recorder = Recorder(
            ring, requests, self._cuts, self._abandon, camera.id, patient=patient, drafts=not patient
        )
        sink: Recorder | MainStream = recorder
        if camera.evidence is not None:
            sink = MainStream(
                camera.id, camera.evidence, recorder, outside.clock, outside.open_source, outside.dice
            )
        clock = replace(outside.clock, wait=partial(_wait_and_cut, outside.clock.wait, sink))
        reader = Reader(camera, self._board, sink, self._pulse.note, replace(outside, clock=clock))
        learned = self._site.worker.state_dir / "learned"
        desk = Desk(
            self._outbox,
            self._folder,
            requests,
            self._abandon,
            burst=reader.burst,
            learned=learned,
            tracks=self._tracks,
        )
        analysis = Analysis(camera, self._run, desk, lambda: reader.health)
        watched = Watched(camera, reader, analysis, recorder)

        def run(stop: threading.Event) -> None:
            try:
                reader.run(stop)
            finally:
                if isinstance(sink, MainStream):
                    sink.close()
            recorder.serve()
            if stop.is_set():
                reader.close()

        return Lookout(watched, requests, self._stage(f"camera {camera.id}", run))

    def _stage(self, name: str, fn: Callable[[threading.Event], None], *ends: Board | Pipe[Orders]) -> Stage:
        return Stage(name, fn, ends=ends, on_death=self._on_death)

    def _on_death(self, name: str, error: BaseException) -> None:
        log.critical("part died name=%r error=%s", name, error, exc_info=error)
        self.died.append((name, error))

    def _state_of(self, camera_id: str) -> CameraState:
        watched = self._census().watched.get(camera_id)
        return watched.reader.health.state if watched else CameraState.STARTING  # on its way out

    def _census(self) -> Census:
        return self._roster.census

    @staticmethod
    def _end(stage: Stage, deadline: float, *, by_itself: bool = False) -> None:
        left_s = max(0.5, deadline - time.monotonic())
        ended = stage.wait(left_s) if by_itself else stage.stop(left_s)
        if not ended and not stage.stop(0.5):
            log.error("part does not end and is abandoned name=%r", stage.name)


def _wait_and_cut(wait: Wait, recorder: Recorder | MainStream, stop: threading.Event, wait_s: float) -> bool:
    """A reader's wait: between two attempts, too, late alerts get their clips of what came before."""
    while wait_s > _LOOK_S and not stop.is_set():
        recorder.tick()
        wait(stop, _LOOK_S)
        wait_s -= _LOOK_S
    return wait(stop, wait_s)


@contextmanager
def _alone(state_dir: Path) -> Iterator[datetime | None]:
    """Hold the state folder, since a second worker would end the first one's alerts. A lock dies with us.

    Gives when a worker was last known to live here.
    """
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        alive_at = last_sign(state_dir)
        file = lock_of(state_dir).open("a")
    except OSError as error:
        got = error.strerror or str(error)
        raise StorageError("the state folder cannot be used", where=str(state_dir), got=got) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StorageError(
                "another worker runs with this state folder",
                where=str(state_dir),
                todo="Stop it, or give this one a folder of its own in worker.state_dir",
            ) from None
        yield alive_at
