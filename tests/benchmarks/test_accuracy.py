"""Laws of the accuracy benchmark: any folder of the layout is measured, beside the peers, under stable names."""

from __future__ import annotations

import json
import os
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from benchmarks import ultralytics_peer
from benchmarks.accuracy import accuracy, average_precision, match
from benchmarks.mot import Labels
from benchmarks.sequences import find_sequences
from detector.errors import ConfigError
from detector.types import Detections, Kind


@pytest.fixture(autouse=True)
def without_ultralytics(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test depends on whether the export environment is made, but that of the peer itself."""
    if "ultralytics" not in request.node.name:
        monkeypatch.setattr(ultralytics_peer, "export_environment", lambda: None)


def write_text_sequence(folder: Path, n: int = 20) -> None:
    """Two people who walk apart, found in every picture."""
    folder.mkdir(parents=True)
    rows = [
        (frame, person, 100 + 200 * person + 4 * frame * person, 100, 40, 100)
        for frame in range(1, n + 1)
        for person in (1, 2)
    ]
    truth = [f"{f},{i},{x},{y},{w},{h},1,-1,-1,-1" for f, i, x, y, w, h in rows]
    found = [f"{f},-1,{x},{y},{w},{h},0.9,-1,-1,-1" for f, _, x, y, w, h in rows]
    (folder / "gt.txt").write_text("\n".join(truth))
    (folder / "det.txt").write_text("\n".join(found))


def labels(*boxes: list[float]) -> Labels:
    """People with these boxes."""
    return Labels(np.arange(len(boxes)), np.array(boxes, np.float32).reshape(-1, 4))


def seen(*rows: tuple[list[float], float]) -> Detections:
    """People detected with these boxes and scores."""
    return Detections(
        np.array([box for box, _ in rows], np.float32).reshape(-1, 4),
        np.array([score for _, score in rows], np.float32),
        np.zeros(len(rows), np.int64),
    )


A, B, C = [0.0, 0, 10, 10], [100.0, 0, 110, 10], [200.0, 0, 210, 10]


def test_a_true_person_is_found_once() -> None:
    """Of two boxes on one person the stronger is right and the other is wrong; a bag is neither."""
    bag = Detections(np.array([C], np.float32), np.ones(1, np.float32), np.array([Kind.BACKPACK], np.int64))
    scores, right, n_truth = match([labels(A), labels(B), labels()], [seen((A, 0.5), (A, 0.9)), seen(), bag])
    assert scores.tolist() == pytest.approx([0.9, 0.5])
    assert right.tolist() == [True, False]
    assert n_truth == 2


@pytest.mark.parametrize(
    ("right", "n_truth", "wanted"),
    [
        ([1, 1], 2, 1.0),
        ([1, 0, 1], 2, 0.5 + 0.5 * 2 / 3),
        ([0, 1], 1, 0.5),
        ([], 3, 0.0),
        ([1], 4, 0.25),
    ],
)
def test_average_precision_by_hand(right: list[int], n_truth: int, wanted: float) -> None:
    """The area under precision over recall is what one works out by hand."""
    scores = np.linspace(0.9, 0.1, len(right)).astype(np.float32)
    assert average_precision(scores, np.array(right, bool), n_truth) == pytest.approx(wanted)


def test_equal_scores_have_no_order() -> None:
    """Detections of one score enter the curve together, in whatever order they came."""
    scores = np.array([0.5, 0.5], np.float32)
    first = average_precision(scores, np.array([True, False]), 1)
    assert first == average_precision(scores, np.array([False, True]), 1) == 0.5


def test_text_sequences_are_scored_beside_the_peers(tmp_path: Path) -> None:
    """Every text sequence gets four figures a stride, with the peers' beside them, and all are perfect here."""
    write_text_sequence(tmp_path / "set" / "Some-Street")
    report = accuracy(tmp_path, console=Console(file=StringIO()))
    names = [figure.name for figure in report.figures]
    assert names == [
        f"tracking.some_street.{stride}{metric}"
        for stride in ("", "stride2.", "stride4.")
        for metric in ("hota", "mota", "idf1", "switches")
    ]
    for figure in report.figures:
        assert set(figure.peers) == {"trackers.bytetrack", "trackers.ocsort"}
        assert figure.data == "set/Some-Street"
    by_name = {figure.name: figure for figure in report.figures}
    assert by_name["tracking.some_street.idf1"].value == pytest.approx(
        19 / 19.5
    )  # the 1st picture is not told
    assert by_name["tracking.some_street.switches"].value == 0
    assert [by_name[f"tracking.some_street.{s}mota"].n for s in ("", "stride2.", "stride4.")] == [20, 10, 5]


@pytest.mark.skipif(bool(ultralytics_peer.why_not()), reason="the export environment is not made")
def test_ultralytics_sees_the_same_detections(tmp_path: Path) -> None:
    """Where it can run, ultralytics' ByteTrack stands beside the others, and follows two people who are always found."""
    write_text_sequence(tmp_path / "set" / "a")
    figures = {one.name: one for one in accuracy(tmp_path, console=Console(file=StringIO())).figures}
    assert figures["tracking.a.idf1"].peers[ultralytics_peer.NAME] > 0.9
    assert figures["tracking.a.switches"].peers[ultralytics_peer.NAME] == 0


def test_a_peer_that_cannot_run_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Without its environment ultralytics is left out, with the reason; the others are measured all the same."""
    write_text_sequence(tmp_path / "set" / "a")
    accuracy(tmp_path, console=Console(file=StringIO()))
    assert "left out peer=ultralytics.bytetrack reason=the export environment is not made" in caplog.text


def test_the_object_has_the_fields_that_scripts_read(tmp_path: Path) -> None:
    """The JSON object is machine, commit and figures, each with its eight fields; the table prints all of it."""
    write_text_sequence(tmp_path / "set" / "a")
    report = accuracy(tmp_path, console=Console(file=StringIO()))
    found = json.loads(json.dumps(report.as_json()))
    assert set(found) == {"machine", "commit", "figures"}
    fields = {"name", "value", "unit", "data", "split", "n", "ci95", "peers"}
    assert all(set(figure) == fields for figure in found["figures"])
    text = StringIO()
    report.show(Console(file=text, width=250))
    assert all(figure["name"] in text.getvalue() for figure in found["figures"])


def test_the_frame_rate_comes_from_seqinfo(tmp_path: Path) -> None:
    """A slow recording is tracked in its own seconds: the same rows at another rate are other motions."""
    for name, rate in (("slow", 2), ("fast", 50)):
        write_text_sequence(tmp_path / "set" / name, 60)
        (tmp_path / "set" / name / "seqinfo.ini").write_text(f"[Sequence]\nframeRate={rate}\n")
        rows = (tmp_path / "set" / name / "det.txt").read_text().splitlines()
        kept = [row for row in rows if not 20 < int(row.split(",")[0]) < 40]
        (tmp_path / "set" / name / "det.txt").write_text("\n".join(kept))
    report = accuracy(tmp_path, {"tracking"}, console=Console(file=StringIO()))
    switches = {figure.name: figure.value for figure in report.figures}
    # 20 pictures unseen are ten seconds in one and less than half of one in the other.
    assert switches["tracking.slow.switches"] == 2
    assert switches["tracking.fast.switches"] == 0


def test_only_chooses_by_the_beginning_of_names(tmp_path: Path) -> None:
    """`only` takes parts, sequences or full names; what is not there is an error that lists what is."""
    write_text_sequence(tmp_path / "set" / "a")
    write_text_sequence(tmp_path / "set" / "b")
    console = Console(file=StringIO())
    some = accuracy(tmp_path, {"tracking.b"}, console=console).figures
    assert {figure.name.split(".")[1] for figure in some} == {"b"}
    with pytest.raises(ConfigError, match="of a, b"):
        accuracy(tmp_path, {"detection"}, console=console)
    with pytest.raises(ConfigError, match="of a, b"):
        accuracy(tmp_path, {"tracking.c"}, console=console)


def test_a_folder_without_data_says_what_to_put_there(tmp_path: Path) -> None:
    """No data is a ConfigError with the layout that is wanted."""
    with pytest.raises(ConfigError, match=r"annotations/\*\.xml"):
        accuracy(tmp_path)
    with pytest.raises(ConfigError, match="no labelled sequence"):
        accuracy(tmp_path / "none")


@pytest.mark.data
@pytest.mark.network
@pytest.mark.skipif("WATCHPOST_DATA" not in os.environ, reason="WATCHPOST_DATA names no folder")
def test_pets_keeps_its_figures() -> None:
    """On PETS S2.L1 detection and tracking stay at what is promised, and ahead of the peers."""
    data = Path(os.environ["WATCHPOST_DATA"])
    assert "pets_s2l1" in {sequence.name for sequence in find_sequences(data)}
    report = accuracy(data, {"detection.pets_s2l1", "tracking.pets_s2l1"}, console=Console(file=StringIO()))
    figures = {figure.name: figure for figure in report.figures}
    assert figures["detection.pets_s2l1.precision"].value >= 0.91
    assert figures["detection.pets_s2l1.recall"].value >= 0.90
    for metric, floor, lead in (("hota", 0.65, 0.04), ("idf1", 0.88, 0.07)):
        figure = figures[f"tracking.pets_s2l1.{metric}"]
        assert figure.value >= max(floor, figure.peers["trackers.bytetrack"] + lead)
    slow = figures["tracking.pets_s2l1.stride4.idf1"]
    assert slow.value >= slow.peers["trackers.bytetrack"] + 0.15
