"""The real yolov8n on the sample footage."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import av
import numpy as np
import pytest
from support.pictures import ArrayPicture

from detector.boxes import heights
from detector.types import Kind
from models.catalog import cache_dir, load_card, network_path
from models.export import ensure_network
from models.heads import Layout
from models.onnx import DetectorOptions, OnnxDetector


def sample(n: int, step: int) -> list[ArrayPicture]:
    """Pictures 0, step, 2 * step ... of the PETS clip."""
    with av.open(str(cache_dir() / "samples" / "vtest.avi")) as container:
        frames = itertools.islice(container.decode(video=0), 0, n * step, step)
        return [ArrayPicture(frame.to_ndarray(format="rgb24")) for frame in frames]


@pytest.mark.network
@pytest.mark.parametrize("side_px", [640, 448])
def test_people_are_found_where_they_walk(side_px: int) -> None:
    """In ten pictures of the PETS clip each has people of plausible size, the same alone as in a batch."""
    card = load_card("yolov8n")
    detector = OnnxDetector(card, ensure_network(card), DetectorOptions(side_px=side_px))
    pictures = sample(10, 10)
    together = detector.detect(pictures)
    for found in together:
        people = found[(found.kinds == Kind.PERSON) & (found.scores > 0.5)]
        assert 2 <= len(people) <= 9
        assert ((heights(people.boxes) > 25) & (heights(people.boxes) < 150)).all()
    alone = [detector.detect([picture])[0] for picture in pictures]
    for a, b in zip(together, alone, strict=True):
        assert np.allclose(a.boxes, b.boxes, atol=0.1)


@pytest.mark.network
def test_the_cut_network_sees_what_the_plain_one_sees(tmp_path: Path) -> None:
    """Decoding outside the network changes no detection: same rows, boxes to 0.05 px, scores to 1e-4."""
    card = load_card("yolov8n")
    cut = OnnxDetector(card, ensure_network(card), DetectorOptions())
    lonely = shutil.copy(network_path(card), tmp_path / "lonely.onnx")
    plain = OnnxDetector(card, lonely, DetectorOptions())
    assert (cut._head.layout, plain._head.layout) == (Layout.CUT, Layout.RAW)
    assert cut.model_sha256 == plain.model_sha256
    for picture in sample(4, 150):
        a, b = cut.detect([picture])[0], plain.detect([picture])[0]
        assert len(a) > 0
        assert a.kinds.tolist() == b.kinds.tolist()
        assert np.allclose(a.boxes, b.boxes, atol=0.05)
        assert np.allclose(a.scores, b.scores, atol=1e-4)
