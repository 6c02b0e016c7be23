"""The peer of the throughput benchmark: `ultralytics` track() over a video, run in the export environment.

A script, not a module of ours: it runs where ultralytics is installed and prints one JSON line.
Usage: python ultralytics_track.py NETWORK.onnx VIDEO
"""

from __future__ import annotations

import json
import resource
import sys
import time
from types import ModuleType, SimpleNamespace


def main(network: str, video: str) -> None:
    from ultralytics import YOLO  # noqa: PLC0415  # only here: the runtime does not know it

    started = time.perf_counter()
    model = YOLO(network, task="detect")
    try:
        import torchvision  # noqa: F401, PLC0415
    except RuntimeError:
        # A torchvision built for another torch; ultralytics has an NMS of its own for that.
        from ultralytics.utils.nms import TorchNMS  # noqa: PLC0415

        stand_in = ModuleType("torchvision")
        stand_in.ops = SimpleNamespace(nms=TorchNMS.nms)  # type: ignore[attr-defined]
        sys.modules["torchvision"] = stand_in
    n_pictures, first = 0, 0.0
    for _ in model.track(source=video, stream=True, tracker="bytetrack.yaml", verbose=False):
        n_pictures += 1
        first = first or time.perf_counter()
    ended = time.perf_counter()
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak_mb = rss / (1e6 if sys.platform == "darwin" else 1e3)
    result = {
        "n_pictures": n_pictures,
        "total_s": ended - started,
        "steady_fps": (n_pictures - 1) / (ended - first),
        "peak_mb": peak_mb,
    }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
