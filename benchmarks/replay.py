"""A recording -> the alerts of one camera's rules: every picture, in order, the same bytes each time.

The reader, the network and the scene are those of the worker; only the board is replaced, by one that judges
each picture before the next is decoded. Nothing of the wall clock enters: `at` counts from
1970-01-01T00:00:00Z, and the run's id comes from the hashes of file, configuration and network.
Tracks that were stored on the way can be judged again, without network and pictures; rules that ask for what is
not stored with them (skeletons; things, where the file has none) are named.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import av

from api.schemas import AlertIn, CameraState, Stages
from detector.errors import ConfigError, SourceUnreadable, StorageError
from detector.rules.handoff import NAME as HANDOFF
from detector.rules.left_behind import LeftBehind
from detector.scene import Judgement, Scene
from detector.types import Alert, Detections
from models.fetch import sha256
from streams.address import address_of
from streams.analysis import Run
from streams.config import Camera, Site
from streams.feed import Clock
from streams.flow import Board
from streams.frame import Frame
from streams.inference import Detector
from streams.pairlook import PairLooker
from streams.reader import CameraHealth, Outside, Reader
from streams.source import VideoPacket
from streams.tracks_file import Origin, TracksWriter, read_origin, read_tracks
from streams.worker import build_detector

ORIGIN = datetime(1970, 1, 1, tzinfo=UTC)
_NAMESPACE = UUID("2f6f0c3e-8a0e-5d0b-9d55-0b7f6f2f9c11")

# A file may be a picture or two short of its own count (an edit list, a dropped tail) and be whole.
_MISSING_SHARE = 0.02

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay did, for a person; nothing of it is in the file."""

    n_pictures: int
    n_declared: int
    n_alerts: int
    wall_s: float
    stream_s: float
    untold: tuple[str, ...] = ()  # rules in force that could not tell anything, and for want of what

    def text(self) -> str:
        """One line; a further one when the recording holds fewer pictures than it declares, and for each rule untold."""
        told = (
            f"{self.n_pictures} pictures ({self.stream_s:.1f} s of recording) in {self.wall_s:.1f} s, "
            f"{self.n_pictures / max(self.wall_s, 1e-9):.1f} a second; {self.n_alerts} alerts"
        )
        missing = self.n_declared - self.n_pictures
        if missing > _MISSING_SHARE * self.n_declared:
            told += (
                f"\nwarning: the recording declares {self.n_declared} pictures and {missing} of them could not be "
                "read; it may be cut short or damaged, and nothing is known of what they showed"
            )
        return "\n".join([told, *(f"warning: {one}" for one in self.untold)])


def replay(
    video: Path,
    site: Site,
    camera_id: str | None,
    out: Path,
    progress: Progress,
    tracks_out: Path | None = None,
) -> Replayed:
    """Judge every picture of `video` by the rules of one of the site's cameras and write `out`.

    `tracks_out`: where the tracks go that the rules saw. Raises ConfigError, ModelError, SourceUnreadable,
    StorageError.
    """
    camera = _camera_of(site, camera_id, video)
    source_sha256 = _hash_of(Path(camera.address.url))
    detector = build_detector(site)
    started = time.perf_counter()
    origin = Origin(
        source={"file": video.name, "sha256": source_sha256},
        network=detector.card.name,
        model_sha256=detector.model_sha256,
        provider=detector.provider,
        n_declared=_n_pictures(Path(camera.address.url)),
        n_decoded=0,
    )
    told = _Told(camera, _run_of(origin, site, camera))
    judge = _Judge(told, detector, origin.n_declared, progress)
    health = judge.watch()
    origin.source.update(width=health.width, height=health.height)
    origin = replace(origin, n_decoded=health.n_decoded)
    _write(_document(origin, told), out)
    if tracks_out is not None:
        judge.tracks.write(origin, tracks_out)
    return _replayed(origin, told, time.perf_counter() - started, health.t)


def replay_tracks(tracks: Path, site: Site, camera_id: str | None, out: Path, progress: Progress) -> Replayed:
    """Judge stored tracks by the rules of one of the site's cameras and write `out`.

    With the configuration that the tracks were written with, `out` has the same bytes as that replay's.
    Raises ConfigError, StorageError.
    """
    camera = _camera_of(site, camera_id, tracks)
    started, t = time.perf_counter(), 0.0
    origin = read_origin(tracks)
    told = _Told(camera, _run_of(origin, site, camera))
    has_things = True
    for seen in read_tracks(tracks, camera.id):
        has_things = has_things and seen.objects is not None
        told.judged(told.scene.follow(seen.stamp, seen.tracks, seen.objects or Detections.empty()))
        progress("pictures", told.n_pictures, max(origin.n_declared, told.n_pictures))
        t = seen.stamp.t
    told.end()
    _write(_document(origin, told), out)
    done = _replayed(origin, told, time.perf_counter() - started, t)
    return replace(done, untold=tuple(_untold(camera, has_things)))


def _untold(camera: Camera, has_things: bool) -> Iterator[str]:
    """Which of a camera's rules stored tracks cannot serve, in words."""
    rules = {choice.rule for choice in camera.rules}
    if HANDOFF in rules:
        yield f"{HANDOFF} tells nothing from stored tracks: they hold no skeletons"
    if LeftBehind.name in rules and not has_things:
        yield f"{LeftBehind.name} tells nothing from these tracks: they hold no objects"


def _run_of(origin: Origin, site: Site, camera: Camera) -> Run:
    """The run's id follows from file, configuration, network and camera: the same input, the same run."""
    seed = f"{origin.source['sha256']} {site.config_hash} {origin.model_sha256} {camera.id}"
    return Run(
        run_id=uuid5(_NAMESPACE, seed),
        network=origin.network,
        model_sha256=origin.model_sha256,
        provider=origin.provider,
        config_hash=site.config_hash,
    )


class _Told:
    """What one camera's rules said so far, as on the wire."""

    def __init__(self, camera: Camera, run: Run) -> None:
        self.n_pictures = 0
        self.alerts: list[dict[str, Any]] = []
        self.camera, self.run = camera, run
        self.scene = Scene(camera.id, run.run_id, camera.build_rules(), calibration=camera.ground)

    def judged(self, judgement: Judgement) -> None:
        """Take what came of a picture."""
        self.n_pictures += 1
        self._tell(judgement.alerts)

    def end(self) -> None:
        """Close what is open."""
        self._tell(self.scene.end("source ended"))

    def _tell(self, alerts: list[Alert]) -> None:
        for alert in alerts:
            stages = Stages(captured_at=alert.at, judged_at=alert.at, stored_at=alert.at)
            wire = AlertIn.of(alert, self.run.provenance(alert, self.camera.masks.version), stages)
            self.alerts.append(wire.model_dump(mode="json"))


def _document(origin: Origin, told: _Told) -> dict[str, Any]:
    return {
        "source": origin.source,
        "camera_id": told.camera.id,
        "run_id": str(told.run.run_id),
        "network": told.run.network,
        "model_sha256": told.run.model_sha256,
        "config_hash": told.run.config_hash,
        "n_pictures": told.n_pictures,
        "n_declared": origin.n_declared,
        "n_decoded": origin.n_decoded,
        "alerts": told.alerts,
    }


def _replayed(origin: Origin, told: _Told, wall_s: float, stream_s: float) -> Replayed:
    n_alerts = len({alert["alert_id"] for alert in told.alerts})
    return Replayed(told.n_pictures, origin.n_declared, n_alerts, wall_s, stream_s)


class _Judge(Board):
    """A board with nobody behind it: a picture that is put is judged at once, in the reader's own thread."""

    def __init__(self, told: _Told, detector: Detector, n_declared: int, progress: Progress) -> None:
        super().__init__(lossless=True)
        self.tracks = TracksWriter()
        self._told, self._detector, self._n_declared, self._progress = told, detector, n_declared, progress
        self._pairs = PairLooker()

    def watch(self) -> CameraHealth:
        """Read the recording to its end. Raises SourceUnreadable."""
        clock = Clock(now=lambda: ORIGIN)
        reader = Reader(self._told.camera, self, _NoRecorder(), lambda _health: None, Outside(clock=clock))
        reader.run(threading.Event())
        if reader.health.state is CameraState.OFFLINE:
            raise SourceUnreadable(reader.health.reason)
        self._told.end()
        return reader.health

    def put(self, frame: Frame, stop: threading.Event) -> bool:
        """Judge a picture."""
        del stop
        detections = self._detector.detect([frame.for_network])[0]
        watched = self._told.scene.track(frame.stamp, detections)
        (pairs,) = self._pairs.look([(frame, watched)])
        judgement = self._told.scene.judge(watched, pairs)
        self._told.judged(judgement)
        self.tracks.add(frame.stamp, judgement.tracks, judgement.observation.objects)
        n = self._told.n_pictures
        self._progress("pictures", n, max(self._n_declared, n))
        return True


class _NoRecorder:
    """A replay keeps no packets."""

    def begin(self, template: av.VideoStream, epoch: int) -> None: ...
    def add(self, packet: VideoPacket, t: float, keyframe: bool) -> None: ...
    def tick(self) -> None: ...
    def end(self) -> None: ...


def _camera_of(site: Site, camera_id: str | None, video: Path) -> Camera:
    """The camera whose rules are used, looking at the recording: all pictures, as fast as they are judged."""
    for camera in site.cameras:
        if camera_id in (None, camera.id):
            address = address_of(str(video), "", "", Path.cwd())
            return replace(camera, address=address, analyse_fps=float("inf"), pace="fast", loop=False)
    known = ", ".join(camera.id for camera in site.cameras)
    raise ConfigError("no such camera in the site file", where="--camera", wanted=known, got=str(camera_id))


def _hash_of(video: Path) -> str:
    try:
        return sha256(video)
    except OSError as error:
        raise SourceUnreadable(
            "the recording cannot be read", where=str(video), got=error.strerror or str(error)
        ) from error


def _n_pictures(video: Path) -> int:
    """How many pictures the file declares; 0: it does not say."""
    try:
        with av.open(str(video)) as container:
            return container.streams.video[0].frames if container.streams.video else 0
    except av.FFmpegError:  # the reader will say what is wrong with it
        return 0


def _write(document: dict[str, Any], out: Path) -> None:
    part = out.with_name(out.name + ".part")
    try:
        part.write_text(
            json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8"
        )
        part.replace(out)
    except OSError as error:
        raise StorageError(
            "cannot write the result", where=str(out), got=error.strerror or str(error)
        ) from error
