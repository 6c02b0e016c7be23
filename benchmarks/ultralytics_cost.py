"""The peer of the tracker's cost: ultralytics' BYTETracker over ready-made boxes, run in the export environment.

A script, not a module of ours: it runs where ultralytics is installed and prints one JSON line.
Usage: python ultralytics_cost.py BOXES.npz N_WARM
"""

from __future__ import annotations

import json
import statistics
import sys
import time

import numpy as np


def main(file: str, n_warm: str) -> None:
    from ultralytics.engine.results import Boxes  # noqa: PLC0415  # only here: the runtime does not know it
    from ultralytics.trackers.byte_tracker import BYTETracker  # noqa: PLC0415
    from ultralytics.utils import YAML, IterableSimpleNamespace  # noqa: PLC0415
    from ultralytics.utils.checks import check_yaml  # noqa: PLC0415

    tracker = BYTETracker(IterableSimpleNamespace(**YAML.load(check_yaml("bytetrack.yaml"))))
    with np.load(file) as pictures:
        rows = [pictures[f"arr_{k}"] for k in range(len(pictures.files))]
    given = [Boxes(np.column_stack([one, np.zeros(len(one), np.float32)]), (1080, 1920)) for one in rows]
    spent = []
    for boxes in given:
        started = time.perf_counter()
        tracker.update(boxes)
        spent.append(time.perf_counter() - started)
    sys.stdout.write(json.dumps({"ms": 1e3 * statistics.median(spent[int(n_warm) :])}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
