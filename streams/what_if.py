"""What other rules would have said of the kept tracks of one camera.

It runs in a process of its own, at low priority, since judging hours of tracks would hold up the judging of now.
The scene is the worker's; only people are followed from the file, some pictures a second, since what lasts is in
seconds: an alert may open some tenths of a second beside the one that was told. Each run and epoch of the tracks
begins afresh, as it did then. Distances without calibration are by what the camera knows of its view today.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from uuid import UUID

from api.schemas_what_if import MOST_ALERTS, MOST_SPANS, WhatIfAnswer, Would
from detector.calibration import Calibration
from detector.errors import ConfigError
from detector.rules.handoff import NAME as HANDOFF
from detector.scene import Scene
from detector.types import Alert, Phase, Stamp, Tracks
from streams.kept_tracks import TrackFolder, run_of
from streams.learned import stored
from streams.rulebook import RuleChoice
from streams.tracks_file import read_tracks

log = logging.getLogger(__name__)

LIMIT_S = 45.0  # of judging
_GRACE_S = 15.0  # beyond it, for the process to start and to answer
_NO_TRACKS = frozenset({HANDOFF, "left_behind"})  # rules about things and hands
_STEP_S = 0.3  # pictures nearer than this to the one before are passed over
_HOLE = timedelta(seconds=12)  # pictures farther apart than this leave a hole in what is covered
_NICE = 10
_LOOK_EVERY = 500  # pictures between two looks at the clock
_RUN = UUID(int=0)  # no alert of a trial leaves it


@dataclass(frozen=True, slots=True)
class Trial:
    """What is to be tried; holds nothing of how a camera is reached."""

    camera_id: str
    rules: tuple[RuleChoice, ...]
    ground: Calibration | None
    tracks: TrackFolder
    learned: Path
    since: datetime
    until: datetime


def failed(problem: str) -> WhatIfAnswer:
    """The answer when nothing could be tried."""
    return WhatIfAnswer(
        problem=problem, judged_until=None, n_pictures=0, covered=[], took_s=0.0, left_out=[], alerts=[]
    )


def judge(trial: Trial, limit_s: float = LIMIT_S) -> WhatIfAnswer:
    """Judge the kept tracks of a span. Raises ConfigError for a file that cannot be read, OSError."""
    began_s = time.monotonic()
    seen = _Seen(trial)
    for number, (run, stamp, tracks) in enumerate(_pictures(trial), start=1):
        seen.take(run, stamp, tracks)
        if number % _LOOK_EVERY == 0 and time.monotonic() - began_s > limit_s:
            break
    return seen.answer(time.monotonic() - began_s)


def _pictures(trial: Trial) -> Iterator[tuple[str, Stamp, Tracks]]:
    """The pictures of the span, in their order, each with its run."""
    for path in trial.tracks.files(trial.camera_id, trial.since, trial.until):
        for seen in read_tracks(path, trial.camera_id):
            if trial.since <= seen.stamp.at <= trial.until:
                yield run_of(path), seen.stamp, seen.tracks


class _Seen:
    """A trial under way."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        rules = [choice.build() for choice in trial.rules if choice.rule not in _NO_TRACKS]
        gaps_s = [rule.timing.gap_s for rule in rules]
        self._step_s = min([_STEP_S, *(gap_s / 2 for gap_s in gaps_s)])
        self._scene = Scene(trial.camera_id, _RUN, rules, calibration=trial.ground)
        self._told: dict[UUID, list[Alert]] = {}
        self._last: Stamp | None = None
        self._part = ("", 0)  # run and epoch as they were
        self._epoch = 0
        self._n_pictures = 0
        self._covered: list[tuple[datetime, datetime]] = []

    def take(self, run: str, stamp: Stamp, tracks: Tracks) -> None:
        """Judge one picture."""
        if (run, stamp.epoch) != self._part:  # from here on track ids mean other people
            self._part, self._epoch = (run, stamp.epoch), self._epoch + 1
        last, now = self._last, replace(stamp, epoch=self._epoch)
        if last is not None and last.epoch == now.epoch and now.t - last.t < self._step_s:
            return
        if last is None or (last.width, last.height) != (now.width, now.height):
            with suppress(OSError, ValueError):
                size = (now.width, now.height)
                self._scene.recall(stored(self._trial.learned, self._trial.camera_id, size))
        self._tell(self._scene.follow(now, tracks).alerts)
        if last is not None and timedelta(0) <= now.at - last.at <= _HOLE:
            self._covered[-1] = (self._covered[-1][0], now.at)
        elif len(self._covered) < MOST_SPANS:
            self._covered.append((now.at, now.at))
        self._last, self._n_pictures = now, self._n_pictures + 1

    def answer(self, took_s: float) -> WhatIfAnswer:
        """What came of it; what is still open stays open."""
        return WhatIfAnswer(
            problem="",
            judged_until=None if self._last is None else self._last.at,
            n_pictures=self._n_pictures,
            covered=self._covered,
            took_s=took_s,
            left_out=sorted({choice.rule for choice in self._trial.rules} & _NO_TRACKS),
            alerts=[_would(phases) for phases in self._told.values()][:MOST_ALERTS],
        )

    def _tell(self, alerts: list[Alert]) -> None:
        for alert in alerts:
            self._told.setdefault(alert.alert_id, []).append(alert)


def _would(phases: list[Alert]) -> Would:
    opened, newest = phases[0], phases[-1]
    return Would(
        rule=opened.rule,
        zone=opened.zone,
        severity=newest.severity,
        started_at=opened.started_at,
        opened_at=opened.at,
        ended_at=newest.at if newest.phase is Phase.CLOSED else None,
        reason=opened.reason,
        shadow=opened.params.get("shadow") is True,
    )


def _run(trial: Trial, answer: Connection) -> None:
    os.nice(_NICE)
    try:
        answer.send(judge(trial).model_dump_json())
    except (ConfigError, OSError) as error:
        answer.send(failed(str(error)[:500]).model_dump_json())


class Runner:
    """At most one trial at a time; owned by one thread."""

    def __init__(self) -> None:
        self._process: multiprocessing.process.BaseProcess | None = None
        self._answer: Connection | None = None
        self._until_s = 0.0

    @property
    def busy(self) -> bool:
        """Whether a trial runs, or its answer was not taken."""
        return self._process is not None

    def start(self, trial: Trial) -> None:
        """Begin one; not while busy."""
        context = multiprocessing.get_context("spawn")
        self._answer, theirs = context.Pipe(duplex=False)
        self._process = context.Process(target=_run, args=(trial, theirs), daemon=True)
        self._process.start()
        theirs.close()
        self._until_s = time.monotonic() + LIMIT_S + _GRACE_S

    def poll(self) -> WhatIfAnswer | None:
        """The answer, once it has come; a trial that dies or does not end is an answer too."""
        if self._process is None or self._answer is None:
            return None
        if self._answer.poll():
            try:
                found = WhatIfAnswer.model_validate_json(self._answer.recv())
            except EOFError:
                found = failed("the trial ended without an answer")
        elif time.monotonic() < self._until_s:
            return None
        else:
            found = failed("the trial took too long")
        self.end()
        return found

    def end(self) -> None:
        """Let go of what runs."""
        if self._process is not None and self._answer is not None:
            self._process.terminate()
            self._process.join(2.0)
            self._answer.close()
        self._process = self._answer = None
