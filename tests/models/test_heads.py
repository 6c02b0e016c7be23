"""Outputs of each layout become the same detections; metadata that does not fit the card is refused."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from support.cards import pixelcode_card

from detector.errors import ModelError
from detector.types import Detections, Kind
from models.heads import Head, Layout, read_head
from models.letterbox import Letterbox

SAME = Letterbox.within(640, 640, 640, 640)
NAMES = {"names": "{0: 'person', 1: 'backpack'}", "stride": "32", "task": "detect"}


def head(shape: tuple[int, ...], metadata: dict[str, str] | None = None) -> Head:
    return read_head([shape], NAMES if metadata is None else metadata, pixelcode_card(), 0.1, "pc.onnx")


def decode(output: np.ndarray, box: Letterbox = SAME) -> Detections:
    return head((1, *output.shape)).decode([output], box)


def raw(*rows: tuple[float, ...], n_classes: int = 2, n_anchors: int = 100) -> np.ndarray:
    """A raw output (4 + n_classes, n_anchors) with the given columns first."""
    output = np.zeros((4 + n_classes, n_anchors), np.float32)
    for n, row in enumerate(rows):
        output[: len(row), n] = row
    return output


def test_raw_centre_boxes_become_corner_boxes() -> None:
    """Centre, size and class scores of an anchor become one box, score and kind; weak anchors are dropped."""
    found = decode(raw((100, 200, 40, 80, 0.9, 0), (300, 300, 20, 20, 0, 0.5), (500, 500, 9, 9, 0.09, 0)))
    assert found.boxes.tolist() == [[80, 160, 120, 240], [290, 290, 310, 310]]
    assert found.scores.tolist() == pytest.approx([0.9, 0.5])
    assert found.kinds.tolist() == [Kind.PERSON, Kind.BACKPACK]


def test_all_layouts_agree() -> None:
    """The same objects put out raw, with objectness and end to end are the same detections."""
    wanted = decode(raw((100, 200, 40, 80, 0.8, 0), (300, 300, 20, 20, 0, 0.5)))
    objectness = np.zeros((100, 7), np.float32)
    objectness[0] = (100, 200, 40, 80, 0.8, 1, 0)
    objectness[1] = (300, 300, 20, 20, 1, 0, 0.5)
    end2end = np.zeros((300, 6), np.float32)
    end2end[0] = (80, 160, 120, 240, 0.8, 0)
    end2end[1] = (290, 290, 310, 310, 0.5, 1)
    for output in (objectness, end2end, end2end.astype(np.float16)):
        found = decode(output)
        assert np.allclose(found.boxes, wanted.boxes, atol=0.1)
        assert np.allclose(found.scores, wanted.scores, atol=0.001)
        assert found.kinds.tolist() == wanted.kinds.tolist()


def test_a_cut_head_is_decoded_as_the_network_would() -> None:
    """Logits become scores, distributions over 16 bins distances to the sides, cells px."""
    shapes = [(1, 64, 80, 80), (1, 2, 80, 80), (1, 64, 20, 20), (1, 2, 20, 20)]
    outputs = [np.zeros(shape[1:], np.float32) for shape in shapes]
    outputs[1][:] = outputs[3][:] = -20
    outputs[1][0, 10, 20] = 2
    outputs[3][1, 4, 3] = -1
    for side, cells in enumerate((2, 3, 2, 4)):  # left, top, right, bottom: all of it in one bin
        outputs[0][side * 16 + cells, 10, 20] = 100
    outputs[2][48:, 4, 3] = np.log(
        np.arange(1, 17)
    )  # bottom: bin k with weight k + 1; the other sides all alike
    cut = read_head(shapes, NAMES, pixelcode_card(), 0.1, "pc.onnx")
    found = cut.decode(outputs, SAME)
    assert cut.layout is Layout.CUT
    assert found.scores.tolist() == pytest.approx([1 / (1 + np.exp(-2)), 1 / (1 + np.exp(1))])
    assert found.kinds.tolist() == [Kind.PERSON, Kind.BACKPACK]
    assert found.boxes[0] == pytest.approx(
        [(20.5 - 2) * 8, (10.5 - 3) * 8, (20.5 + 2) * 8, (10.5 + 4) * 8], abs=0.01
    )
    reach = sum(k * (k + 1) for k in range(16)) / sum(range(1, 17))
    assert found.boxes[1] == pytest.approx([0, 0, (3.5 + 7.5) * 32, (4.5 + reach) * 32], abs=0.01)


def test_boxes_come_back_in_px_of_the_picture() -> None:
    """The letterbox is undone: half size and 12 px of padding at the top of a 1280 x 720 picture."""
    found = decode(raw((100, 112, 40, 80, 0.9, 0)), Letterbox.rectangle(1280, 720, 640, 32))
    assert found.boxes.tolist() == [[160, 120, 240, 280]]


def test_an_anchor_is_what_the_network_holds_it_to_be_most() -> None:
    """A chair that looks a little like a person is no person."""
    assert len(decode(raw((100, 200, 40, 80, 0.3, 0, 0.6), n_classes=3))) == 0


def test_one_object_is_not_two_carried_kinds_but_a_bag_is_not_its_bearer() -> None:
    """Carried things suppress one another across kinds; people only people."""
    card = pixelcode_card()
    three = read_head([(1, 7, 100)], {"names": "['person', 'backpack', 'x']"}, card, 0.1, "pc.onnx")
    three.kinds[2] = Kind.HANDBAG
    output = raw(
        (50, 50, 20, 20, 0, 0.8, 0), (50, 50, 20, 20, 0, 0, 0.7), (50, 50, 20, 21, 0.6, 0, 0), n_classes=3
    )
    assert three.decode([output], SAME).kinds.tolist() == [Kind.BACKPACK, Kind.PERSON]


def test_nothing_found_is_empty() -> None:
    """A picture without objects gives n = 0, in every layout."""
    for shape in ((6, 100), (100, 7), (300, 6)):
        assert len(decode(np.zeros(shape, np.float32))) == 0


def test_numbers_that_are_none_are_dropped() -> None:
    """NaN scores and infinite boxes do not reach the tracker."""
    found = decode(raw((np.nan, 1, 1, 1, 0.9, 0), (1, np.inf, 1, 1, 0.9, 0), (9, 9, 2, 2, np.nan, 0)))
    assert len(found) == 0


def test_a_class_number_beyond_the_list_is_no_detection() -> None:
    """An end-to-end network may put out class 79 or -1 though two are named."""
    output = np.zeros((300, 6), np.float32)
    output[:3] = [(0, 0, 9, 9, 0.9, 79), (0, 0, 9, 9, 0.9, -1), (20, 20, 40, 40, 0.9, 1)]
    assert decode(output).kinds.tolist() == [Kind.BACKPACK]


@pytest.mark.parametrize(
    ("shape", "layout"),
    [
        ((1, 84, 8400), Layout.RAW),
        ((1, 6, 8400), Layout.RAW),
        ((1, 25200, 85), Layout.OBJECT),
        ((1, 25200, 7), Layout.OBJECT),
        ((1, 300, 6), Layout.END2END),
    ],
)
def test_layout_is_read_from_the_shape(shape: tuple[int, ...], layout: Layout) -> None:
    """Anchors over thousands of columns or rows, or a short list of six numbers."""
    assert head(shape).layout is layout


@pytest.mark.parametrize("shape", [(1, 84), (1, 3, 640, 640), (1, 4, 8400), (1, 8400, 5), (1, 7, 7)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    """An output that is no detection head is an error that shows its shape."""
    with pytest.raises(ModelError, match=r"no detection head.*got \(1"):
        head(shape)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (NAMES | {"task": "pose"}, "task is not the card's.*wanted detect, got pose"),
        (NAMES | {"stride": "64"}, "stride is not the card's.*wanted 32, got 64"),
        (NAMES | {"names": "{0: 'person'}"}, "not in the file.*wanted backpack, got 1 classes: person"),
        (
            NAMES | {"names": "{0: 'person', 90: 'backpack'}"},
            "more classes named than put out.*wanted 80, got 91",
        ),
        (NAMES | {"names": "__import__('os').system('touch /tmp/pwn')"}, "class names cannot be read"),
        (NAMES | {"names": "17"}, "class names cannot be read"),
        (NAMES | {"names": "{0: 'person'"}, "class names cannot be read"),
    ],
)
def test_metadata_that_is_not_the_cards_is_refused(metadata: dict[str, str], message: str) -> None:
    """Task, stride and class names are held against the card; text that is code is never run."""
    with pytest.raises(ModelError, match=message):
        head((1, 84, 8400), metadata)


@pytest.mark.parametrize(
    "names", ["['person', 'backpack']", "{0: 'Person', 1: 'BACKPACK'}", "{'0':'person','1':'backpack'}"]
)
def test_names_may_be_a_list_or_in_other_case(names: str) -> None:
    """Lists, dicts and capitals are all read."""
    assert head((1, 84, 8400), {"names": names}).rows.tolist() == [0, 1]


def test_without_names_the_cards_numbers_hold_and_that_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """A file without names is read by the card's class numbers, with a warning."""
    with caplog.at_level(logging.WARNING):
        assert head((1, 84, 8400), {}).rows.tolist() == [0, 1]
    assert "no names" in caplog.text


def test_without_names_and_numbers_nothing_is_guessed() -> None:
    """Neither the file nor the card says which class is which: refused."""
    card = pixelcode_card()
    bare = type(card.classes[0])("person", Kind.PERSON, None)
    nameless = type(card)(**{name: getattr(card, name) for name in card.__slots__} | {"classes": (bare,)})
    with pytest.raises(ModelError, match="no class names"):
        read_head([(1, 84, 8400)], {}, nameless, 0.1, "pc.onnx")
