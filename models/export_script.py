"""Turns one weight file into one ONNX file; run as a script by the export environment's Python.

Usage: python export_script.py WEIGHTS.pt OUT.onnx CUT.onnx. The first is the plain export. The second
ends at the head's last convolutions (see models/heads.py, CUT) and is written when the head has them. The
versions used go to OUT.onnx.versions.json. Nothing of Watchpost is imported: it is not installed there.
"""

from __future__ import annotations

import json
import re
import sys
from importlib.metadata import version
from pathlib import Path

# Ultralytics' names of the last convolution of each stride: cv2 tells the sides, cv3 the classes.
LAST = re.compile(r"/model\.\d+/cv([23])\.(\d)/cv\1\.\2\.2/Conv_output_0")
KEYPOINTS = re.compile(r"/model\.\d+/cv4\.")
PACKAGES = ("ultralytics", "torch", "onnx", "onnxslim")


def main(weights: str, out: str, cut: str) -> None:
    """Export with free batch, height and width."""
    from ultralytics import YOLO  # noqa: PLC0415  # takes seconds, and only this environment has it

    # Opset 17 is read by every ONNX Runtime that Watchpost supports.
    written = YOLO(weights).export(format="onnx", dynamic=True, simplify=True, opset=17)
    Path(written).replace(out)
    cut_head(out, cut)
    versions = {package: version(package) for package in PACKAGES}
    Path(f"{out}.versions.json").write_text(json.dumps(versions), encoding="utf-8")


def cut_head(out: str, cut: str) -> None:
    """Write the network without its decoding, with the same metadata."""
    import onnx  # noqa: PLC0415

    model = onnx.load(out)
    names = [name for node in model.graph.node for name in node.output]
    if any(KEYPOINTS.match(name) for name in names):
        return  # a pose head: cut there, it would lose its keypoints
    found = [LAST.fullmatch(name) for name in names]
    # Stride by stride, sides before classes.
    ends = sorted((match[2], match[1], match[0]) for match in found if match)
    if [end[:2] for end in ends] != [(stride, branch) for stride in "012" for branch in "23"]:
        return
    onnx.utils.extract_model(out, cut, [model.graph.input[0].name], [end[2] for end in ends])
    short = onnx.load(cut)
    short.metadata_props.extend(model.metadata_props)
    onnx.save(short, cut)


if __name__ == "__main__":
    main(*sys.argv[1:])
