"""Laws of scoring one's own recordings: the product's replay, one's own labels, the event metrics."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.site import camera, gathering, make_site, write_network

from benchmarks.own_footage import COLUMNS, own_footage, read_labels
from benchmarks.replay import replay
from detector.errors import ConfigError

HEAD = ",".join(COLUMNS)


def quiet(what: str, done: int, total: int) -> None:
    pass


def write_labels(folder: Path, *rows: str) -> Path:
    path = folder / "labels.csv"
    path.write_text("\n".join([HEAD, *rows]) + "\n")
    return path


def test_recordings_and_stored_tracks_are_scored_by_labels(tmp_path, monkeypatch):
    """A gathering in a recording and one in stored tracks are found in time; a false label is a miss."""
    monkeypatch.setenv("WATCHPOST_NETWORKS", str(write_network(tmp_path / "networks")))
    site = make_site(tmp_path, "http://127.0.0.1:9", camera("yard", tmp_path / "none.mp4"))
    footage = tmp_path / "mine"
    footage.mkdir()
    gathering(footage / "one.mp4", 14, from_s=1, until_s=6)
    replay(footage / "one.mp4", site, None, tmp_path / "out.json", quiet, footage / "two.jsonl")
    rows = ("one.mp4,gathering,1,6,yes", "two.jsonl,gathering,1,6,yes", "two.jsonl,gathering,9,13,yes")
    told = []
    report = own_footage(footage, write_labels(tmp_path, *rows), site, None, lambda *one: told.append(one))
    figures = {figure.name: figure for figure in report.figures}
    assert figures["own.gathering.recall"].value == pytest.approx(2 / 3)
    assert figures["own.gathering.precision"].value == 1.0
    assert figures["own.gathering.delay_p50_s"].value == pytest.approx(3, abs=0.8)
    assert figures["own.gathering.recall"].n == 3
    assert told[-1] == ("files", 2, 2)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("gone.mp4,gathering,1,2,yes", "no such file"),
        ("a.mp4,gathering,5,2,yes", "no time from 5 s to 2 s"),
        ("a.mp4,gathering,1,two,yes", "two"),
        ("a.mp4,gathering,1,2,maybe", "maybe"),
        ("a.mp4,gathering", "line 2"),
    ],
)
def test_a_wrong_label_is_named_by_its_line(tmp_path, row, words):
    """What is wrong with a row, and which row."""
    with pytest.raises(ConfigError, match=words) as found:
        read_labels(write_labels(tmp_path, row), {"a.mp4"})
    assert "line 2" in str(found.value)


def test_other_columns_and_an_empty_folder_are_named(tmp_path):
    """Another first line is told with the one that is wanted; a folder without footage with what may be there."""
    (tmp_path / "labels.csv").write_text("file,start\n")
    with pytest.raises(ConfigError, match=HEAD):
        read_labels(tmp_path / "labels.csv", set())
    with pytest.raises(ConfigError, match="jsonl"):
        own_footage(tmp_path, tmp_path / "labels.csv", None, None, quiet)
