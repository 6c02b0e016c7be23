"""What close pairs cost: processor seconds a second of 0, 1 and 5 pairs that are looked at ten times a second.

One camera each, made-up people in pictures of 1280x720; the product's own look: crop, pose network, assignment,
activity network. Processor time of all threads is counted, not the clock, so other work on the machine matters
less. The detector's pictures of the burst are not in it. Rounds are run in turn; the median round is told.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from statistics import median
from uuid import UUID

import av
import numpy as np

from benchmarks.report import Figure, Report
from detector.rules.handoff import Handoff
from detector.scene import Scene
from detector.types import Detections, Stamp
from models.onnx import DetectorOptions
from streams.frame import Frame
from streams.pairlook import PairLooker, load_networks

N_PAIRS = (0, 1, 5)
LOOKS_HZ = 10.0
N_WARM, N_LOOKS = 8, 30
WIDTH, HEIGHT = 1280, 720
_START = datetime(2025, 1, 1, tzinfo=UTC)
_APART_PX = {True: 110.0, False: 700.0}  # of two people 200 px tall: in reach, or not


def pair_cost(rounds: int, progress: Callable[[str, int, int], None], threads: int = 0) -> Report:
    """Measure. `threads` of the pose network, 0: as in a worker. Raises ModelError."""
    networks = load_networks(DetectorOptions(threads=threads)) if threads else load_networks()
    video = av.VideoFrame.from_ndarray(
        np.random.default_rng(1).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8), format="rgb24"
    ).reformat(format="yuv420p")
    spent: dict[int, list[float]] = {n: [] for n in N_PAIRS}
    for turn in range(rounds):
        for n in N_PAIRS:
            progress(f"{n} pairs", turn, rounds)
            spent[n].append(_cores(PairLooker(lambda: networks), video, n))
    return Report.of(
        [
            Figure(
                name=f"handoff.cost.pairs{n}",
                value=median(spent[n]),
                unit="cores",
                data="made up",
                split=f"{LOOKS_HZ:g} looks a second",
                n=rounds * N_LOOKS,
            )
            for n in N_PAIRS
        ]
    )


def _cores(looker: PairLooker, video: av.VideoFrame, n_pairs: int) -> float:
    """Processor seconds a second; of no pair, one camera with two people out of reach."""
    near = n_pairs > 0
    scenes = {f"cam{k}": Scene(f"cam{k}", UUID(int=k), [Handoff()]) for k in range(max(n_pairs, 1))}
    boxes = np.array([[x, 300, x + 80, 500] for x in (200.0, 200.0 + _APART_PX[near])], np.float32)
    people = Detections(boxes, np.full(2, 0.9, np.float32), np.zeros(2, np.int64))
    spent = 0.0
    for index in range(N_WARM + N_LOOKS):
        t = index / LOOKS_HZ
        frames = [
            Frame(Stamp(name, 0, index, t, _START + timedelta(seconds=t), WIDTH, HEIGHT), video)
            for name in scenes
        ]
        seen = [scenes[frame.stamp.camera_id].track(frame.stamp, people) for frame in frames]
        began = time.process_time()
        sights = looker.look(list(zip(frames, seen, strict=True)))
        took = time.process_time() - began
        if index >= N_WARM:
            spent += took
        for watched, told in zip(seen, sights, strict=True):
            scenes[watched.observation.stamp.camera_id].judge(watched, told)
    return spent * LOOKS_HZ / N_LOOKS
