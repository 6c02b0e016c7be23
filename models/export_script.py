"""Turns one weight file into one ONNX file; run as a script by the export environment's Python.

Usage: python export_script.py WEIGHTS.pt OUT.onnx. Writes the versions it used to OUT.onnx.versions.json. It
imports nothing of Watchpost, which is not installed there.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("ultralytics", "torch", "onnx", "onnxslim")


def main(weights: str, out: str) -> None:
    """Export with free batch, height and width."""
    from ultralytics import YOLO  # noqa: PLC0415  # takes seconds, and only this environment has it

    # Opset 17 is read by every ONNX Runtime that Watchpost supports.
    written = YOLO(weights).export(format="onnx", dynamic=True, simplify=True, opset=17)
    Path(written).replace(out)
    versions = {package: version(package) for package in PACKAGES}
    Path(f"{out}.versions.json").write_text(json.dumps(versions), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
