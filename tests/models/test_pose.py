"""Laws of pose on crops: what is cut is where it was, people are found again in px of the picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from detector.errors import ModelError
from models.catalog import load_card
from models.onnx import DetectorOptions
from models.pose import INPUT_HEIGHT, INPUT_WIDTH, PERSON_PX, PoseNetwork, cut, window_of

CPU = DetectorOptions(provider="cpu", threads=1)
PAIR = np.array([[100, 100, 140, 200], [150, 104, 190, 204]], np.float32)


def write_network(path: Path, rows: int = 56) -> None:
    """A network that says of any picture: one person at (160, 128), 60 x 180, each joint j at (j, 2j)."""
    answer = np.zeros((1, rows, 3), np.float32)
    answer[0, :5, 1] = [160, 128, 60, 180, 0.9]
    if rows == 56:
        joints = np.stack([np.arange(17), 2 * np.arange(17), np.full(17, 0.8)], axis=1)
        answer[0, 5:, 1] = joints.ravel()
    nodes = [
        helper.make_node("Shape", ["images"], ["shape"], end=1),
        helper.make_node("Concat", ["shape", "ones"], ["repeats"], axis=0),
        helper.make_node("Tile", ["answer", "repeats"], ["output"]),
    ]
    graph = helper.make_graph(
        nodes,
        "scripted",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, None)],
        [
            onnx.numpy_helper.from_array(answer, "answer"),
            onnx.numpy_helper.from_array(np.array([1, 1], np.int64), "ones"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)


def test_a_window_holds_the_pair_at_the_wanted_height() -> None:
    """People of 100 px become PERSON_PX tall, and both boxes lie on the input."""
    window = window_of(PAIR)
    assert window.scale == pytest.approx(PERSON_PX / 100)
    corners = (PAIR.reshape(-1, 2) - [window.left, window.top]) * window.scale
    assert (corners >= 0).all()
    assert (corners <= [INPUT_WIDTH, INPUT_HEIGHT]).all()


def test_a_wide_pair_still_fits() -> None:
    """People too far apart for the wanted height are made smaller rather than cut off."""
    wide = np.array([[0, 100, 40, 200], [300, 100, 340, 200]], np.float32)
    window = window_of(wide)
    assert window.scale < PERSON_PX / 100
    assert (340 - window.left) * window.scale <= INPUT_WIDTH


def test_what_is_cut_is_where_it_was() -> None:
    """A bright spot of the picture lies on the input where the window says."""
    pixels = np.zeros((400, 600, 3), np.uint8)
    pixels[148:153, 158:163] = 255
    window = window_of(PAIR)
    crop = cut(pixels, window)
    rows, columns = np.nonzero(crop[:, :, 0] > 128)
    place = np.array([columns.mean(), rows.mean()]) / window.scale + [window.left, window.top]
    assert place == pytest.approx([160.5, 150.5], abs=1.0)


def test_beyond_the_picture_is_grey() -> None:
    """A pair in the corner gives a whole input, grey where there is no picture; one outside it, all grey."""
    pixels = np.full((400, 600, 3), 255, np.uint8)
    crop = cut(pixels, window_of(np.array([[0, 0, 40, 100], [30, 0, 70, 100]], np.float32)))
    assert crop.shape == (INPUT_HEIGHT, INPUT_WIDTH, 3)
    assert crop[0, 0].tolist() == [114] * 3
    assert crop[-1, -1].tolist() == [255] * 3
    assert (cut(pixels, window_of(PAIR + 2000)) == 114).all()


def test_people_come_back_in_px_of_the_picture(tmp_path: Path) -> None:
    """Boxes and joints told on the input are given in px of the picture, crop by crop, in one batch."""
    path = tmp_path / "scripted.onnx"
    write_network(path)
    network = PoseNetwork(load_card("yolo11n-pose"), path, CPU)
    windows = [window_of(PAIR), window_of(PAIR * 2)]
    blank = np.zeros((INPUT_HEIGHT, INPUT_WIDTH, 3), np.uint8)
    found = network.find([blank, blank], windows)
    assert len(found) == 2
    for people, window in zip(found, windows, strict=True):
        assert people.boxes[0] == pytest.approx(
            np.array([130, 38, 190, 218]) / window.scale + [window.left, window.top] * 2, abs=1e-3
        )
        wanted = np.array([3, 6]) / window.scale + [window.left, window.top]
        assert people.skeletons[0, 3, :2] == pytest.approx(wanted, abs=1e-3)
        assert people.skeletons[0, 3, 2] == pytest.approx(0.8)
    assert network.find([], []) == []


def test_a_network_without_keypoints_is_refused(tmp_path: Path) -> None:
    """A detector in the place of the pose network is an error that says what was wanted."""
    path = tmp_path / "detector.onnx"
    write_network(path, rows=84)
    with pytest.raises(ModelError, match="not a pose network"):
        PoseNetwork(load_card("yolo11n-pose"), path, CPU)
