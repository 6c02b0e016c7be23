"""What a picture costs the tracker: ours, `trackers` ByteTrack and ultralytics BYTETracker on the same made-up boxes.

Walkers in a picture of 1920x1080 at 10 pictures a second, one detection in ten missed, boxes that shake. All are
given what they take ready-made, so that only the trackers' own work is timed; they run in turn, round after
round, and the median of the rounds' medians is quoted. ultralytics runs in the export environment; where that is
not made yet it is left out, with the reason.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import numpy as np

from benchmarks import ultralytics_peer
from benchmarks.report import Figure, Report
from detector.carried import Carried
from detector.errors import ConfigError
from detector.tracker import Tracker
from detector.types import F32, Detections, Kind, Stamp

log = logging.getLogger(__name__)

N_BOXES = (20, 60)
N_PICTURES = 150
N_WARM = 30  # pictures at the beginning of a run that are not counted: tracks are being made
FPS = 10.0
WIDTH, HEIGHT = 1920, 1080
BYTETRACK, ULTRALYTICS = "trackers.bytetrack", ultralytics_peer.NAME
_START = datetime(2025, 1, 1, tzinfo=UTC)


def crowd(n: int, seed: int = 1) -> list[F32]:
    """Boxes and scores, (m, 5) x0 y0 x1 y1 score for each picture, of `n` people who walk about."""
    random = np.random.default_rng(seed)
    tall = random.uniform(80, 200, n)
    place = random.uniform((0, 0), (WIDTH, HEIGHT), (n, 2))
    speed = random.normal(0, 40, (n, 2))
    pictures = []
    for _ in range(N_PICTURES):
        place = (place + speed / FPS) % (WIDTH, HEIGHT)
        low = place - np.column_stack([0.2 * tall, tall / 2]) + random.normal(0, 2, (n, 2))
        size = np.column_stack([0.4 * tall, tall]) * random.normal(1, 0.03, (n, 2))
        scores = random.uniform(0.3, 0.95, (n, 1))
        rows = np.concatenate([low, low + size, scores], axis=1)[random.random(n) >= 0.1]
        pictures.append(rows.astype(np.float32))
    return pictures


def tracker_cost(rounds: int, progress: Callable[[str, int, int], None]) -> Report:
    """Run all in turn `rounds` times. Raises ConfigError if the peers are not installed."""
    why_not = ultralytics_peer.why_not()
    times: dict[tuple[str, int], list[float]] = {}
    for n in N_BOXES:
        pictures = crowd(n)
        for turn in range(rounds):
            progress(f"{n} boxes", turn, rounds)
            times.setdefault(("ours", n), []).append(_ours(pictures))
            times.setdefault(("carried", n), []).append(_carried(pictures))
            times.setdefault((BYTETRACK, n), []).append(_bytetrack(pictures))
            if not why_not:
                try:
                    spent = ultralytics_peer.run(pictures).ms
                    times.setdefault((ULTRALYTICS, n), []).append(median(spent[N_WARM:]))
                except ConfigError as error:
                    why_not = str(error)
        progress(f"{n} boxes", rounds, rounds)
    if why_not:
        log.warning("left out peer=%s reason=%s", ULTRALYTICS, why_not)
    return Report.of([
        Figure(
            name=f"throughput.{part}.n{n}", value=round(median(times[who, n]), 3), unit="ms a picture",
            data=f"{n} made-up walkers", split=f"median of {rounds} runs in turn", n=N_PICTURES - N_WARM,
            peers={
                peer: round(median(found), 3)
                for (peer, size), found in times.items()
                if size == n and part == "tracker" and peer in (BYTETRACK, ULTRALYTICS)
            },
        )
        for part, who in (("tracker", "ours"), ("carried", "carried"))
        for n in N_BOXES
    ])  # fmt: skip


def _timed(step: Callable[[int], object]) -> float:
    """The median time of a step, in ms, after the first pictures."""
    spent = []
    for k in range(N_PICTURES):
        started = time.perf_counter()
        step(k)
        spent.append(time.perf_counter() - started)
    return 1e3 * median(spent[N_WARM:])


def _stamp(k: int) -> Stamp:
    return Stamp("bench", 0, k, k / FPS, _START + timedelta(seconds=k / FPS), WIDTH, HEIGHT)


def _given(pictures: Sequence[F32]) -> list[tuple[Stamp, Detections]]:
    return [
        (_stamp(k), Detections(rows[:, :4], rows[:, 4], np.full(len(rows), Kind.PERSON, np.int64)))
        for k, rows in enumerate(pictures)
    ]


def _ours(pictures: Sequence[F32]) -> float:
    tracker, given = Tracker(), _given(pictures)
    return _timed(lambda k: tracker.step(*given[k]))


def _carried(pictures: Sequence[F32]) -> float:
    """As many people as boxes, every third with a bag: what following the bags costs on top."""
    tracker, carried = Tracker(), Carried()
    people = [tracker.step(*one) for one in _given(pictures)]
    bags = []
    for k, tracks in enumerate(people):
        owners = tracks[(tracks.ids % 3 == 0) & (tracks.seen_t == k / FPS)]
        boxes = owners.boxes.copy()
        tall = boxes[:, 3] - boxes[:, 1]
        boxes[:, 1] += 0.2 * tall
        boxes[:, 3] -= 0.5 * tall
        bags.append(Detections(boxes, owners.scores, np.full(len(owners), Kind.BACKPACK, np.int64)))
    return _timed(lambda k: carried.step(_stamp(k), bags[k], people[k]))


def _bytetrack(pictures: Sequence[F32]) -> float:
    try:
        import supervision  # noqa: PLC0415  # of the extra `bench`
        from trackers import ByteTrackTracker  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ConfigError(
            "a peer is not installed", got=str(error), todo="Install the extra: pip install '.[bench]'"
        ) from error
    tracker: Any = ByteTrackTracker(frame_rate=FPS)
    given = [supervision.Detections(xyxy=rows[:, :4], confidence=rows[:, 4]) for rows in pictures]
    return _timed(lambda k: tracker.update(given[k]))
