"""Laws of the tables of pairs, groups and gatherings: small made-up sets in the layout of the public ones."""

from __future__ import annotations

import csv
import gzip
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from rich.console import Console

from benchmarks.accuracy import AccuracyReport, accuracy
from benchmarks.standing import count_right
from detector.errors import ConfigError

CLIPS = ("a", "b", "c")  # a on the first day, b and c on the second


def measure(folder: Path, *only: str) -> AccuracyReport:
    return accuracy(folder, set(only) or None, console=Console(file=StringIO()))


def write_walkers(folder: Path) -> None:
    """Two who walk side by side, and one who crosses their way."""
    folder.mkdir(parents=True)
    rows = []
    for k in range(20):
        x = 0.5 * k
        rows.append((6 * k, 1, x, 0, 0.0, 1.25, 0, 0.0))
        rows.append((6 * k, 2, x, 0, 0.8, 1.25, 0, 0.0))
        rows.append((6 * k, 3, 10 - x, 0, 0.4, -1.25, 0, 0.0))
    np.savetxt(folder / "obsmat.txt", rows)
    (folder / "groups.txt").write_text("1 2\n\n")


def write_talkers(folder: Path) -> None:
    """Four pictures of two pairs at arm's length; the positions are in cm."""
    folder.mkdir(parents=True)
    people = np.array([(1, 0, 0, 0), (2, 60, 0, 0), (3, 900, 0, 0), (4, 960, 0, 0)], float)
    features, groups = np.empty((1, 4), object), np.empty((1, 4), object)
    for k in range(4):
        features[0, k] = people
        groups[0, k] = np.empty((1, 2), object)
        groups[0, k][0, 0], groups[0, k][0, 1] = np.array([[1, 2]]), np.array([[3, 4]])
    times = np.arange(4)[None]
    scipy.io.savemat(folder / "features.mat", {"features": features, "timestamp": times})
    scipy.io.savemat(folder / "groundtruth.mat", {"GTgroups": groups, "GTtimestamp": times})


def write_table(path: Path, rows: list[dict[str, object]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_gatherings(folder: Path) -> None:
    """Three clips of a minute: four stand together from 10 to 50 s in a and b; in c they stand far apart."""
    (folder / "tracks").mkdir(parents=True)
    write_table(
        folder / "clips.csv",
        [
            {"clip": clip, "kind": "gathering", "date": f"2018-03-0{1 + (clip != 'a')}", "nominal_s": 60}
            for clip in CLIPS
        ],
    )
    write_table(
        folder / "identities.csv",
        [{"clip": clip, "track_id": n, "identity": n % 10} for clip in CLIPS for n in (1, 2, 3, 4, 11)],
    )
    write_table(
        folder / "gatherings.csv",
        [
            {"clip": clip, "label": "gathering", "ge4_spans": "300-1500", "member_ids": "1 2 3 4"}
            for clip in "ab"
        ],
    )
    for clip in CLIPS:
        apart = 400 if clip == "c" else 60
        with gzip.open(folder / "tracks" / f"{clip}.csv.gz", "wt") as file:
            file.write("frame,track_id,class,x1,y1,x2,y2\n")
            for frame in range(300, 1501, 3):
                for n in (1, 2, 3, 4, 11):  # 11 is a second track of person 1
                    x = 100 + apart * (n % 10)
                    file.write(f"{frame},{n},person,{x},400,{x + 60},600\n")


def test_pairs_are_measured_beside_nearness(tmp_path: Path) -> None:
    """Who walks side by side is a pair; who crosses is none; both peers stand beside."""
    write_walkers(tmp_path / "set" / "datasets" / "ETH" / "seq_a")
    figure, told = measure(tmp_path).figures
    assert (figure.name, figure.value, figure.n) == ("pairs.seq_a.f1", 1.0, 1)
    assert set(figure.peers) == {"nearness", "nearness_and_speed"}
    assert (told.name, told.value, told.peers) == ("pairs.seq_a.gathering_alerts", 0, {"head_count": 0})


def test_standing_groups_are_measured_at_both_tolerances(tmp_path: Path) -> None:
    """Two pairs far from one another are found at 2/3 and exactly; first and second half have their figures."""
    write_talkers(tmp_path / "set" / "data" / "octave" / "Tea" / "Seq1")
    figures = {figure.name: figure for figure in measure(tmp_path, "groups").figures}
    assert set(figures) == {
        f"groups.tea.{half}{way}{metric}"
        for half in ("", "tuning.")
        for way in ("", "facing.")
        for metric in ("f1", "f1_exact")
    }
    assert all((figure.value, figure.n) == (1.0, 4) for figure in figures.values())


def test_facing_tells_apart_who_stands_as_near(tmp_path: Path) -> None:
    """Four in a row, an arm apart: positions alone make no two pairs of them, who faces whom does."""
    folder = tmp_path / "set" / "data" / "octave" / "Tea" / "Seq1"
    write_talkers(folder)
    features = scipy.io.loadmat(folder / "features.mat")
    for people in features["features"].ravel():
        people[:, 1] = [0, 90, 180, 270]
        people[:, 3] = [0, np.pi, 0, np.pi]
    scipy.io.savemat(folder / "features.mat", {name: features[name] for name in ("features", "timestamp")})
    figures = {figure.name: figure.value for figure in measure(tmp_path, "groups").figures}
    assert (figures["groups.tea.f1"], figures["groups.tea.facing.f1"]) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("found", "loose", "exact"),
    [
        ({1, 2, 3}, 1, 1),
        ({1, 2}, 1, 0),
        ({1, 2, 9}, 1, 0),
        ({1, 2, 8, 9}, 0, 0),
        ({1, 2, 3, 9}, 1, 0),
        ({1, 8}, 0, 0),
    ],
)
def test_when_a_group_is_right(found: set[int], loose: int, exact: int) -> None:
    """Of three true members two must be there and one other may be; exactly is exactly."""
    truth, told = [frozenset({1, 2, 3})], [frozenset(found)]
    assert count_right(truth, told, 2 / 3) == loose
    assert count_right(truth, told, 1.0) == exact


def test_a_found_group_serves_one_true_group() -> None:
    """Two true groups cannot both be found by the same one."""
    assert count_right([frozenset({1, 2, 3}), frozenset({1, 2, 4})], [frozenset({1, 2})], 2 / 3) == 1


def test_gatherings_are_judged_by_the_real_rule(tmp_path: Path) -> None:
    """Four who stand together for 40 s are one alert, told 20 s after; four who stand apart are none but of the head count."""
    write_gatherings(tmp_path / "yard_gatherings")
    report = measure(tmp_path, "gathering.yard")
    figures = {figure.name: figure for figure in report.figures}
    for part, n in (("", 1), ("tuning.", 1)):
        assert figures[f"gathering.yard.{part}recall"].value == 1.0
        assert figures[f"gathering.yard.{part}recall"].n == n
        assert figures[f"gathering.yard.{part}delay_p50_s"].value == pytest.approx(20, abs=0.5)
        assert figures[f"gathering.yard.{part}fragments"].value == 0
    assert "2 clips of 2018-03-02" in figures["gathering.yard.recall"].split
    assert figures["gathering.yard.precision"].value == 1.0
    assert figures["gathering.yard.precision"].peers["head_count"] == 0.5
    assert figures["gathering.yard.false_per_camera_hour"].value == 0
    assert figures["gathering.yard.naudc"].value == 0
    assert [study.part for study in report.studies] == ["held out", "tuning"]


def test_broken_labels_are_named(tmp_path: Path) -> None:
    """A table without its columns is a ConfigError that names the folder."""
    write_gatherings(tmp_path / "yard_gatherings")
    (tmp_path / "yard_gatherings" / "clips.csv").write_text("what\n1\n")
    with pytest.raises(ConfigError, match="yard_gatherings"):
        measure(tmp_path)
