"""A pose network without weights: joints are painted into the picture as small squares whose colour is their name.

Red squares are joints of the one person, blue ones of the other; the green in them tells which joint. A tiny
ONNX graph finds their middles in a crop and emits them in the layout of a YOLO pose export, so that crop,
batch, assignment to tracks, activity network, rule and overlay run end to end. Joints: nose, shoulders, elbows,
wrists, hips. Writing the graph needs the package onnx, of the extras `bench` and `dev`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import av
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from benchmarks.pixelcode import BLOCK_PX, ROWS, SIDE_PX, Box, picture_yuv
from detector.types import F32
from models.catalog import Card, network_path
from models.export import record_path
from models.fetch import sha256
from models.pose import INPUT_HEIGHT, INPUT_WIDTH

JOINTS = (0, 5, 6, 7, 8, 9, 10, 11, 12)  # of COCO's 17
LEVELS = tuple(20 + 26 * k for k in range(len(JOINTS)))  # of green, in JOINTS' order
SQUARE_PX = 12
_PURE, _NONE, _NEAR = 0.95, 0.05, 0.035  # of red and blue at least and at most, of green off
_SURE_PX = 25.0  # so many pixels of a square on the input, and the joint is surely seen


class _Node(Protocol):
    """Adds a node to the graph."""

    def __call__(self, kind: str, inputs: list[str], out: str, **more: Any) -> str: ...


class Act(NamedTuple):
    """What is visible at stream second `t`: boxes for the detector, skeletons (2, 17, 3) px for the pose network."""

    t: float
    boxes: list[Box]
    skeletons: F32


def plant(card: Card, folder: Path) -> None:
    """Write the network into a folder of its own in the place of a card's, with the record that lets it pass for it.

    Never into the folder of the real networks: give `folder` to WATCHPOST_NETWORKS afterwards.
    """
    assert card.weights is not None
    path = folder / network_path(card).name
    onnx.save(_model(), path)
    record = {"network": card.name, "weights_sha256": card.weights.sha256, "files": {path.name: sha256(path)}}
    (folder / record_path(card).name).write_text(json.dumps(record), encoding="utf-8")


def _model() -> onnx.ModelProto:
    values: list[onnx.TensorProto] = []
    nodes: list[onnx.NodeProto] = []

    def const(name: str, value: object, kind: type[np.generic] = np.float32) -> str:
        values.append(numpy_helper.from_array(np.array(value, kind), name))
        return name

    def node(kind: str, inputs: list[str], out: str, **more: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [out], **more))
        return out

    nodes.append(helper.make_node("Split", ["images"], ["red", "green", "blue"], axis=1))
    levels = const("levels", np.array(LEVELS).reshape(1, -1, 1, 1) / 255)
    off = node("Abs", [node("Sub", ["green", levels], "shift")], "off")
    node("Cast", [node("Less", [off, const("near", _NEAR)], "is_named")], "named", to=TensorProto.FLOAT)
    const("pure", _PURE)
    const("none", _NONE)
    const("across", (np.arange(INPUT_WIDTH) + 0.5).reshape(1, 1, 1, -1))
    const("down", (np.arange(INPUT_HEIGHT) + 0.5).reshape(1, 1, -1, 1))
    const("one", 1.0)
    const("sure", _SURE_PX)
    const("sides", [2, 3], np.int64)
    seat = [JOINTS.index(joint) if joint in JOINTS else len(JOINTS) for joint in range(17)]
    const("seats", seat, np.int64)
    const("pad", [0, 0, 0, 1], np.int64)
    const("flat", [-1, 51, 1], np.int64)
    rows = [_person(node, str(n), pair) for n, pair in enumerate((("red", "blue"), ("blue", "red")))]
    node("Concat", rows, "output0", axis=2)
    for name, index in (("i_nose", 0), ("i_left", 5), ("i_right", 6), ("i_hip", 11)):
        const(name, [index], np.int64)
    for name, number in (("half", 0.5), ("tall", 2.3), ("wide", 0.4), ("tenths", 0.44)):
        const(name, number)
    const("last", [2], np.int64)
    size: list[str | int] = ["batch", 3, INPUT_HEIGHT, INPUT_WIDTH]
    graph = helper.make_graph(
        nodes,
        "skeletoncode",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, size)],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, ["batch", 56, 2])],
        values,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model


def _person(node: _Node, n: str, colours: tuple[str, str]) -> str:
    """The row (batch, 56, 1) of the person whose squares are of the first colour without the second."""
    pure, none = colours
    both = node(
        "And", [node("Greater", [pure, "pure"], f"p{n}"), node("Less", [none, "none"], f"q{n}")], f"b{n}"
    )
    there = node("Cast", [both], f"there{n}", to=TensorProto.FLOAT)
    mask = node("Mul", [there, "named"], f"mask{n}")  # (batch, 9, height, width)

    def total(what: str, out: str) -> str:
        return node("ReduceSum", [what, "sides"], out, keepdims=0)

    count = total(mask, f"count{n}")
    some = node("Max", [count, "one"], f"some{n}")
    seats = []
    for axis, places in (("x", "across"), ("y", "down")):
        mean = node(
            "Div", [total(node("Mul", [mask, places], f"m{axis}{n}"), f"s{axis}{n}"), some], f"mean{axis}{n}"
        )
        seats.append(mean)
    seats.append(node("Min", [node("Div", [count, "sure"], f"r{n}"), "one"], f"conf{n}"))
    seventeen = [
        node("Gather", [node("Pad", [seat, "pad"], f"{seat}p"), "seats"], f"{seat}g", axis=1)
        for seat in seats
    ]
    x, y, conf = seventeen

    def one(values: str, joint: str) -> str:
        return node("Gather", [values, joint], f"{values}{joint}", axis=1)  # (batch, 1)

    top, hip = one(y, "i_nose"), one(y, "i_hip")
    left, right = one(conf, "i_left"), one(conf, "i_right")
    height = node("Mul", [node("Sub", [hip, top], f"trunk{n}"), "tall"], f"h{n}")
    middle = node("Mul", [node("Add", [one(x, "i_left"), one(x, "i_right")], f"two{n}"), "half"], f"cx{n}")
    down = node("Add", [top, node("Mul", [height, "tenths"], f"d{n}")], f"cy{n}")
    width = node("Mul", [height, "wide"], f"w{n}")
    score = node("Min", [left, right], f"score{n}")
    head = node("Concat", [middle, down, width, height, score], f"head{n}", axis=1)  # (batch, 5)
    stacked = [node("Unsqueeze", [part, "last"], f"{part}u") for part in seventeen]  # (batch, 17, 1)
    points = node("Reshape", [node("Concat", stacked, f"points{n}", axis=2), "flat"], f"flat{n}")
    return node("Concat", [node("Unsqueeze", [head, "last"], f"headu{n}"), points], f"row{n}", axis=1)


def act_yuv(act: Act) -> NDArray[np.uint8]:
    """The yuv420p picture (960, 640) uint8: boxes in its top edge, joints where they are."""
    yuv = picture_yuv(act.boxes)
    code = yuv.copy()
    frame = av.VideoFrame.from_ndarray(yuv, format="yuv420p").reformat(format="rgb24")
    rgb = frame.to_ndarray().astype(np.uint8, copy=True)
    half = SQUARE_PX // 2
    for person, skeleton in enumerate(act.skeletons):
        for level, joint in zip(LEVELS, JOINTS, strict=True):
            x, y, seen = skeleton[joint].tolist()
            if seen:
                left, top = 2 * round(x / 2) - half, 2 * round(y / 2) - half  # whole chroma samples
                colour = (255, level, 0) if person == 0 else (0, level, 255)
                rgb[top : top + SQUARE_PX, left : left + SQUARE_PX] = colour
    shown = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p")
    told: NDArray[np.uint8] = shown.to_ndarray().astype(np.uint8)
    told[: ROWS * BLOCK_PX] = code[: ROWS * BLOCK_PX]  # exact to one grey level
    told[SIDE_PX:].reshape(2, SIDE_PX // 2, SIDE_PX // 2)[:, : ROWS * BLOCK_PX // 2] = 128
    return told


def write_acts(path: Path, acts: Iterable[Act], fps: int = 10) -> Path:
    """Write them as H.264, one picture per act, shown at its `t`."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width = stream.height = SIDE_PX
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": "4", "preset": "veryfast", "bf": "0", "g": str(fps * 2)}
        stream.codec_context.time_base = Fraction(1, 1000)
        for act in acts:
            frame = av.VideoFrame.from_ndarray(act_yuv(act), format="yuv420p")
            frame.pts, frame.time_base = round(act.t * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
