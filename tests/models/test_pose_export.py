"""Law of the export of pose networks: what is cut must not lose its keypoints."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto, helper

from models.export_script import cut_head


def write(path: Path, *, keypoints: bool) -> None:
    """A network with the last convolutions that ultralytics names, and a keypoint branch if wanted."""
    names = [f"/model.23/cv{b}.{s}/cv{b}.{s}.2/Conv_output_0" for s in range(3) for b in (2, 3)]
    names += ["/model.23/cv4.0/cv4.0.2/Conv_output_0"] if keypoints else []
    nodes = [helper.make_node("Identity", ["images"], [name]) for name in names]
    nodes.append(helper.make_node("Sum", names, ["output0"]))
    shape = ["n", 3, "h", "w"]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, shape)],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


def test_a_pose_head_is_not_cut(tmp_path: Path) -> None:
    """A detector is written without its decoding, a pose network is not: it would have no joints left."""
    for keypoints in (False, True):
        out, cut = tmp_path / f"plain{keypoints}.onnx", tmp_path / f"cut{keypoints}.onnx"
        write(out, keypoints=keypoints)
        cut_head(str(out), str(cut))
        assert cut.is_file() == (not keypoints)
