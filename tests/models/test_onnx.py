"""Sessions: every way of running gives the same detections, and a wrong file is refused at the start."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from support.cards import pixelcode_card
from support.pictures import ArrayPicture, coded_picture

from benchmarks.pixelcode import Box, write_model
from detector.errors import ModelError
from detector.types import Detections, Kind
from models.onnx import DetectorOptions, OnnxDetector

SCENES = [
    [Box(100, 300, 60, 160)],
    [Box(200, 300, 60, 160), Box(400, 300, 50, 50, 0.5, 1)],
    [],
    [Box(500, 400, 80, 200, 0.3)],
]


def load(path: Path, **options: object) -> OnnxDetector:
    return OnnxDetector(pixelcode_card(), path, DetectorOptions(**options))  # type: ignore[arg-type]


def assert_scenes(results: list[Detections]) -> None:
    """Each result is its own picture's scene."""
    assert len(results) == len(SCENES)
    for found, scene in zip(results, SCENES, strict=True):
        wanted = sorted(scene, key=lambda box: -box.score)
        assert found.kinds.tolist() == [box.cls for box in wanted]
        for row, box in enumerate(wanted):
            x0, y0, x1, y1 = found.boxes[row]
            assert np.allclose([(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0], box[:4], atol=4)
            assert found.scores[row] == pytest.approx(box.score, abs=0.01)


@pytest.mark.parametrize("e2e", [False, True])
@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("fp16", [False, True])
def test_every_kind_of_file_gives_each_picture_its_own_boxes(
    tmp_path: Path, e2e: bool, dynamic: bool, fp16: bool
) -> None:
    """Static or dynamic, raw or end to end, fp32 or fp16: four cameras at once get their own boxes."""
    detector = load(write_model(tmp_path / "pc.onnx", e2e=e2e, dynamic=dynamic, fp16=fp16))
    pictures = [coded_picture(scene) for scene in SCENES]
    assert_scenes(detector.detect(pictures))
    assert_scenes([detector.detect([picture])[0] for picture in pictures])
    assert detector.detect([]) == []


def test_a_batch_gives_what_single_pictures_give(tmp_path: Path) -> None:
    """Batches by shape, as run on a GPU, keep the order and equal the pictures run one by one."""
    detector = load(write_model(tmp_path / "pc.onnx", dynamic=True))
    pictures = [coded_picture(scene) for scene in SCENES]
    wide = ArrayPicture(np.zeros((720, 1280, 3), np.uint8))
    pictures.insert(1, wide)
    results = detector._detect_batches(pictures)
    assert np.array_equal(results.pop(1).boxes, detector.detect([wide])[0].boxes)
    assert_scenes(results)


def test_options_fall_back_to_machine_and_card(tmp_path: Path) -> None:
    """Zero threads are the machine's; a score limit given wins over the card's; the hash is the file's."""
    path = write_model(tmp_path / "pc.onnx")
    detector = load(path, min_score=0.6)
    assert detector.provider == "cpu"
    assert detector.card.name == "pixelcode"
    assert len(detector.model_sha256) == 64
    assert [len(found) for found in detector.detect([coded_picture(scene) for scene in SCENES])] == [
        1,
        1,
        0,
        0,
    ]


def test_the_picture_is_letterboxed_into_a_fixed_input(tmp_path: Path) -> None:
    """A file of fixed size gets a wide picture kept in aspect, on grey of 114, whatever side_px says."""
    path = tmp_path / "mean.onnx"
    # Puts out the mean grey of the whole input as one person's score.
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Reshape", ["mean", "row"], ["score"]),
        helper.make_node("Concat", ["size", "score", "none"], ["one"], axis=1),
        helper.make_node("Pad", ["one", "pad"], ["output0"]),
    ]
    consts = [
        onnx.numpy_helper.from_array(np.array([1, 1, 1], np.int64), "row"),
        onnx.numpy_helper.from_array(np.array([[[320], [320], [640], [360]]], np.float32), "size"),
        onnx.numpy_helper.from_array(np.zeros((1, 1, 1), np.float32), "none"),
        onnx.numpy_helper.from_array(np.array([0, 0, 0, 0, 0, 99], np.int64), "pad"),
    ]
    graph = helper.make_graph(
        nodes,
        "mean",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 640, 640])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, 6, 100])],
        consts,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    found = load(path, side_px=320).detect([ArrayPicture(np.full((720, 1280, 3), 255, np.uint8))])[0]
    assert found.scores[0] == pytest.approx((360 * 255 + 280 * 114) / 640 / 255, abs=0.001)
    assert found.boxes.tolist() == [[0, 0, 1280, 720]]
    assert found.kinds.tolist() == [Kind.PERSON]


@pytest.mark.parametrize("provider", ["cuda", "tensorrt", "openvino"])
def test_a_provider_that_is_not_there_is_an_error(tmp_path: Path, provider: str) -> None:
    """A named provider is never silently replaced by the CPU; the error says what to install."""
    if provider != "cpu" and len(onnxruntime.get_available_providers()) > 2:
        pytest.skip("this machine has an accelerator")
    with pytest.raises(ModelError, match=f"wanted {provider}, got usable: cpu.*Install onnxruntime-"):
        load(write_model(tmp_path / "pc.onnx"), provider=provider)


def test_a_provider_that_does_not_start_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider that is listed but does not become active is refused by name and passed over by auto."""
    path = write_model(tmp_path / "pc.onnx")
    present = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: present)
    with pytest.raises(ModelError, match="does not start here"):
        load(path, provider="cuda")
    assert load(path, provider="auto").provider == "cpu"


def test_an_unknown_provider_is_an_error(tmp_path: Path) -> None:
    """A misspelt provider names the ones there are."""
    with pytest.raises(ModelError, match="wanted auto, tensorrt, cuda, openvino, cpu, got gpu"):
        load(write_model(tmp_path / "pc.onnx"), provider="gpu")


def test_threads_are_bounded(tmp_path: Path) -> None:
    """Sessions and pool together start no more than a few threads per processor, however many cameras."""
    tasks = Path("/proc/self/task")
    if not tasks.is_dir():
        pytest.skip("needs /proc")
    before = len(list(tasks.iterdir()))
    detector = load(write_model(tmp_path / "pc.onnx"), threads=2)
    for _ in range(3):
        detector.detect([coded_picture(scene) for scene in SCENES * 3])
    assert len(list(tasks.iterdir())) - before <= 4
    assert threading.active_count() < 20


def newer(path: Path) -> None:
    model = onnx.load(path)
    model.ir_version = 99
    onnx.save(model, path)


def two_inputs(path: Path) -> None:
    model = onnx.load(path)
    model.graph.input.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, [1]))
    onnx.save(model, path)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.unlink(), "missing"),
        (lambda path: path.write_bytes(b""), "empty"),
        (lambda path: path.write_bytes(path.read_bytes()[:-2000]), "cannot be loaded"),
        (lambda path: path.write_text("<html>not found</html>"), "cannot be loaded"),
        (newer, "cannot be loaded.*99"),
        (two_inputs, "takes other inputs.*wanted one input.*more tensor"),
    ],
)
def test_a_broken_file_is_refused_at_the_start(tmp_path: Path, spoil: object, message: str) -> None:
    """Missing, empty, truncated, text, newer format, two inputs: the error names file, wanted and found."""
    path = write_model(tmp_path / "pc.onnx")
    spoil(path)  # type: ignore[operator]
    with pytest.raises(ModelError, match=message) as caught:
        load(path)
    assert caught.value.where == str(path)
    assert caught.value.wanted
    assert caught.value.got


def test_an_input_that_the_network_cannot_take_is_a_model_error(tmp_path: Path) -> None:
    """What ONNX Runtime throws at a run comes out as a ModelError that shows the input's shape."""
    detector = load(write_model(tmp_path / "pc.onnx", dynamic=True))
    with pytest.raises(ModelError, match=r"failed on an input.*\(1, 3, 32, 640\)"):
        detector.detect([ArrayPicture(np.zeros((10, 1000, 3), np.uint8))])


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_memory_stays_flat_over_many_sizes(tmp_path: Path) -> None:
    """Cameras of ever new sizes and batches of ever new lengths do not grow the process after warm-up."""
    if not Path("/proc/self/statm").is_file():
        pytest.skip("needs /proc")
    detector = load(write_model(tmp_path / "pc.onnx", dynamic=True))
    chance = np.random.default_rng(3)
    seen = []
    for _ in range(120):
        sizes = chance.integers(240, 960, 2 * chance.integers(1, 5)).reshape(-1, 2)
        pictures = [ArrayPicture(np.zeros((max(h, w // 2), w, 3), np.uint8)) for h, w in sizes]
        pictures = [picture for picture in pictures if picture.width >= picture.height]
        detector.detect(pictures)
        detector._detect_batches(pictures)
        seen.append(resident_bytes())
    assert max(seen[60:]) < 1.05 * max(seen[:60])
