"""Laws of the hand-off figures on boxes: a made-up set in which one pair hands a bag over and another talks."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pytest

from benchmarks.handoff_boxes import find_transfer_sets, transfer_figures
from detector.errors import ConfigError

SECONDS = 12
SPAN = (120, 240)  # frames of the transfer; the bag changes hands in its middle


def write_set(folder: Path) -> None:
    """People 1 and 2 meet and a bag goes from the one to the other; 3 and 4 stand and talk; 5 is alone."""
    (folder / "tracks").mkdir(parents=True)
    events = [
        ("person_transfers_object", *SPAN, "1 2 9", "person person bag"),
        ("person_talks_to_person", 30, 330, "3 4", "person person"),
        ("person_picks_up_object", 30, 60, "5", "person"),
        ("vehicle_stops", 0, 10, "6", "vehicle"),
    ]
    write(folder / "clips.csv", ["clip"], [("a",)])
    write(
        folder / "identities.csv", ["clip", "track_id", "identity"], [("a", n, n) for n in (1, 2, 3, 4, 5, 9)]
    )
    columns = ["clip", "activity", "first_frame", "last_frame", "actor_identities", "actor_classes"]
    write(folder / "events.csv", columns, [("a", *event) for event in events])
    rows = []
    for frame in range(0, SECONDS * 30, 3):
        for person, x in ((1, 300), (2, 380), (3, 900), (4, 980), (5, 1500)):
            rows.append((frame, person, "person", x - 30, 400, x + 30, 580))
        hand = 300 + round(80 * min(max((frame - sum(SPAN) / 2) / 30, 0), 1))
        rows.append((frame, 9, "bag", hand - 12, 500, hand + 12, 530))
    with gzip.open(folder / "tracks" / "a.csv.gz", "wt", newline="") as file:
        csv.writer(file).writerows([("frame", "track_id", "class", "x1", "y1", "x2", "y2"), *rows])


def write(path: Path, columns: list[str], rows: list[tuple[object, ...]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])


def test_a_bag_that_changes_its_owner_is_a_call_and_nearness_calls_everybody(tmp_path: Path) -> None:
    """The one transfer is found by things and by nearness; nearness alone also calls the two who only talk."""
    write_set(tmp_path / "made_transfers")
    (folder,) = find_transfer_sets(tmp_path)
    told = {figure.name: figure for figure in transfer_figures(folder, lambda _done, _total: None)}
    assert (told["handoff.made.recall"].value, told["handoff.made.recall"].n) == (1.0, 1)
    assert told["handoff.made.precision"].value == 1.0
    assert told["handoff.made.precision"].peers == {"nearness": 0.5}
    assert told["handoff.made.called.talk"].value == 0.0
    assert told["handoff.made.recall_with_thing"].value == 1.0
    assert told["handoff.made.too_small_share"].value == 0.0


def test_a_set_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A folder without tracks says which it is."""
    write_set(tmp_path / "made_transfers")
    (tmp_path / "made_transfers" / "tracks" / "a.csv.gz").unlink()
    with pytest.raises(ConfigError, match="made_transfers"):
        transfer_figures(tmp_path / "made_transfers", lambda _done, _total: None)
