"""A detector without weights: the picture itself carries what the network will see.

16 x 16 px grey blocks along the top edge of a 640 x 640 px picture encode cx, cy, w, h, score, class of up to
18 boxes; a tiny ONNX graph averages the blocks and emits them in the layout of a YOLO export. So decoding,
letterbox, inference, tracking, rules, alert and clip run end to end. Positions come back within about 4 px.
Writing the graph needs the package onnx, of the extras `bench` and `dev`; the runtime only runs it.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SIDE_PX = 640
BLOCK_PX = 16
ROWS, PER_ROW = 3, 6
MAX_BOXES = ROWS * PER_ROW
NAMES = "{0: 'person', 1: 'backpack'}"
CARD_TOML = """\
title = "Block reader"
task = "detect"
licence = "Apache-2.0"
licence_url = "https://www.apache.org/licenses/LICENSE-2.0"
reference = "benchmarks/pixelcode.py"
[input]
stride = 32
side_px = 640
[thresholds]
min_score = 0.1
max_iou = 0.7
[classes]
person = { kind = "person", index = 0 }
backpack = { kind = "backpack", index = 1 }
"""


class Box(NamedTuple):
    """One scripted box: centre and size in px of the picture, score 0-1, class 0 (person) or 1 (backpack)."""

    cx: float
    cy: float
    w: float
    h: float
    score: float = 0.9
    cls: int = 0


class Moment(NamedTuple):
    """What is visible at stream second `t`."""

    t: float
    boxes: list[Box]


def write_model(
    path: Path, *, e2e: bool = False, dynamic: bool = False, fp16: bool = False, names: str | None = NAMES
) -> Path:
    """Write the block-reading network: raw (b, 84, 8400) or `e2e` (b, 300, 6); 1 x 640 x 640 or `dynamic`."""
    kind, number = (TensorProto.FLOAT16, np.float16) if fp16 else (TensorProto.FLOAT, np.float32)
    batch: str | int = "batch" if dynamic else 1
    size: list[str | int] = ["height", "width"] if dynamic else [SIDE_PX, SIDE_PX]

    def const(name: str, values: object, dtype: type[np.generic] = np.int64) -> onnx.TensorProto:
        return numpy_helper.from_array(np.array(values, dtype), name)

    node = helper.make_node
    consts = [
        const("start", [0, 0, 0, 0]),
        const("end", [2**31 - 1, 1, ROWS, PER_ROW * 6]),
        const("axes", [0, 1, 2, 3]),
        const("rows", [-1, MAX_BOXES, 6]),
        const("half", [0.5], number),
        const("scale", [SIDE_PX] * 4, number),
        const("split", [4, 1, 1]),
    ]
    nodes = [
        node("AveragePool", ["images"], ["pooled"], kernel_shape=[BLOCK_PX] * 2, strides=[BLOCK_PX] * 2),
        node("ReduceMean", ["pooled"], ["grey"], axes=[1], keepdims=1),
        node("Slice", ["grey", "start", "end", "axes"], ["code"]),
        node("Reshape", ["code", "rows"], ["table"]),
        node("Split", ["table", "split"], ["xywh01", "score", "class"], axis=2),
        node("Mul", ["xywh01", "scale"], ["xywh"]),
        node("Less", ["class", "half"], ["is_person"]),
        node("Not", ["is_person"], ["is_pack"]),
        node("Cast", ["is_person"], ["person"], to=kind),
        node("Cast", ["is_pack"], ["pack"], to=kind),
    ]
    out: list[str | int]
    if e2e:
        out = [batch, 300, 6]
        consts += [const("two", [2, 2]), const("pad", [0, 0, 0, 0, 300 - MAX_BOXES, 0])]
        nodes += [
            node("Split", ["xywh", "two"], ["xy", "wh"], axis=2),
            node("Mul", ["wh", "half"], ["half_wh"]),
            node("Sub", ["xy", "half_wh"], ["top_left"]),
            node("Add", ["xy", "half_wh"], ["bottom_right"]),
            node("Concat", ["top_left", "bottom_right", "score", "pack"], ["found"], axis=2),
            node("Pad", ["found", "pad"], ["output0"]),
        ]
    else:
        out = [batch, 84, 8400]
        consts += [
            const("none", np.zeros((1, MAX_BOXES, 78)), number),
            const("pad", [0, 0, 0, 0, 0, 8400 - MAX_BOXES]),
        ]
        nodes += [
            node("Mul", ["score", "person"], ["c0"]),
            node("Mul", ["score", "pack"], ["c1"]),
            node("Mul", ["score", "none"], ["c2"]),
            node("Concat", ["xywh", "c0", "c1", "c2"], ["rows_first"], axis=2),
            node("Transpose", ["rows_first"], ["found"], perm=[0, 2, 1]),
            node("Pad", ["found", "pad"], ["output0"]),
        ]
    graph = helper.make_graph(
        nodes,
        "pixelcode",
        [helper.make_tensor_value_info("images", kind, [batch, 3, *size])],
        [helper.make_tensor_value_info("output0", kind, out)],
        consts,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    if names is not None:
        entry = model.metadata_props.add()
        entry.key, entry.value = "names", names
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def picture_yuv(boxes: Iterable[Box]) -> NDArray[np.uint8]:
    """The yuv420p picture (960, 640) uint8 whose top edge tells `boxes`; people red, packs green."""
    shown = list(boxes)[:MAX_BOXES]
    picture = np.full((SIDE_PX, SIDE_PX, 3), 90, np.uint8)
    for box in shown:
        x0, y0 = int(max(0, box.cx - box.w / 2)), int(max(ROWS * BLOCK_PX + 2, box.cy - box.h / 2))
        x1, y1 = int(min(SIDE_PX, box.cx + box.w / 2)), int(min(SIDE_PX, box.cy + box.h / 2))
        picture[y0:y1, x0:x1] = (40, 200, 40) if box.cls else (200, 40, 40)
    # The code goes straight into the luma plane: exact to one grey level, which is 2.5 px.
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
    yuv: NDArray[np.uint8] = frame.to_ndarray().astype(np.uint8, copy=False)
    yuv[: ROWS * BLOCK_PX] = 16
    yuv[SIDE_PX:].reshape(2, SIDE_PX // 2, SIDE_PX // 2)[:, : ROWS * BLOCK_PX // 2] = 128
    for k, box in enumerate(shown):
        row, place = divmod(k, PER_ROW)
        values = [box.cx / SIDE_PX, box.cy / SIDE_PX, box.w / SIDE_PX, box.h / SIDE_PX, box.score, box.cls]
        for j, value in enumerate(values):
            left = (place * 6 + j) * BLOCK_PX
            grey = round(16 + 219 * min(max(value, 0.0), 1.0))
            yuv[row * BLOCK_PX : (row + 1) * BLOCK_PX, left : left + BLOCK_PX] = grey
    return yuv


def write_video(path: Path, script: Iterable[Moment], fps: int = 10) -> Path:
    """Write `script` as H.264, one picture per moment, shown at its `t` (gaps and uneven steps are kept)."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width = stream.height = SIDE_PX
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": "8", "preset": "veryfast", "bf": "0", "g": str(fps * 2)}
        stream.codec_context.time_base = Fraction(1, 1000)
        for moment in script:
            frame = av.VideoFrame.from_ndarray(picture_yuv(moment.boxes), format="yuv420p")
            frame.pts, frame.time_base = round(moment.t * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
