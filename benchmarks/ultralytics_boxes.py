"""A peer: ultralytics' BYTETracker, as `track()` sets it up, over ready-made boxes; run in the export environment.

A script, not a module of ours: it runs where ultralytics is installed, writes what the tracker says of each picture,
(n, 5) id x0 y0 x1 y1, and prints one JSON line with what each picture cost, the work of the tracker alone.
Usage: python ultralytics_boxes.py BOXES.npz TRACKS.npz
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np


def main(boxes: str, tracks: str) -> None:
    from ultralytics.engine.results import Boxes  # noqa: PLC0415  # only here: the runtime does not know it
    from ultralytics.trackers.byte_tracker import BYTETracker  # noqa: PLC0415
    from ultralytics.utils import YAML, IterableSimpleNamespace  # noqa: PLC0415
    from ultralytics.utils.checks import check_yaml  # noqa: PLC0415

    tracker = BYTETracker(IterableSimpleNamespace(**YAML.load(check_yaml("bytetrack.yaml"))))
    with np.load(boxes) as pictures:
        rows = [pictures[f"arr_{k}"] for k in range(len(pictures.files))]
    given = [Boxes(np.column_stack([one, np.zeros(len(one), np.float32)]), (1080, 1920)) for one in rows]
    spent_ms, told = [], []
    for one in given:
        started = time.perf_counter()
        found = tracker.update(one)
        spent_ms.append(1e3 * (time.perf_counter() - started))
        told.append(
            np.asarray(found, np.float32).reshape(len(found), -1)[:, [4, 0, 1, 2, 3]]
            if len(found)
            else np.zeros((0, 5), np.float32)
        )
    np.savez(tracks, *told)
    sys.stdout.write(json.dumps({"ms": spent_ms}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
