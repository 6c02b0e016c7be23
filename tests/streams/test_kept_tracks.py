"""Laws of the tracks that a worker keeps: as the rules saw them, bounded, and nothing of how anybody looks."""

from __future__ import annotations

import gzip
import os
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest
from support.people import Person, row_of, stamp, tracks

from detector.errors import ConfigError
from detector.types import Tracks
from streams.kept_tracks import EMPTY_S, FILE_S, Keeper, TrackFolder
from streams.tracks_file import Origin, read_origin, read_tracks

START = stamp(0.0).at


def origin(run="0123456789abcdef"):
    return Origin({"file": "cam", "sha256": "", "run_id": run}, "net", "a" * 64, "cpu", 0, 0)


class Camera:
    """A keeper with a clock to turn."""

    def __init__(self, folder, run="0123456789abcdef", max_bytes=10_000_000):
        self.now_s = 0.0
        self.folder = TrackFolder(folder, timedelta(days=2), max_bytes)
        self.keeper = Keeper(self.folder, origin(run), lambda: self.now_s)

    def look(self, t, people=(), epoch=0):
        self.now_s = t
        self.keeper.add(stamp(t, epoch=epoch), tracks(t, people))

    def files(self):
        return sorted((self.folder.root / "cam").glob("*"))


def kept(camera):
    return [(one.stamp, one.tracks) for path in camera.files() for one in read_tracks(path, "cam")]


def test_pictures_with_people_come_back_as_the_rules_saw_them(tmp_path):
    """Every number of every picture, and what they were made of."""
    camera = Camera(tmp_path)
    told = [(stamp(k / 5), tracks(k / 5, row_of(3, x=100 / 3 + k))) for k in range(200)]
    for when, seen in told:
        camera.keeper.add(when, seen)
    camera.keeper.flush()
    found = kept(camera)
    assert [when for when, _ in found] == [when for when, _ in told]
    for (_, got), (_, wanted) in zip(found, told, strict=True):
        for name in ("ids", "boxes", "velocity", "scores", "kinds", "born_t", "seen_t"):
            assert np.array_equal(getattr(got, name), getattr(wanted, name))
    assert read_origin(camera.files()[0]) == origin()


def test_an_empty_view_is_kept_thinly(tmp_path):
    """Of pictures without people one in five seconds; the first one after people always, so that an end is seen in time."""
    camera = Camera(tmp_path)
    for k in range(300):
        camera.look(k / 10, row_of(2) if 30 <= k < 40 else ())
    camera.keeper.flush()
    times = [round(when.t, 3) for when, seen in kept(camera) if len(seen) == 0]
    assert 4.0 in times
    assert max(b - a for a, b in pairwise(times)) <= EMPTY_S + 0.2
    assert len(times) <= 7


def test_a_crash_costs_what_was_not_written_and_nothing_else(tmp_path):
    """A piece that was cut off ends the reading; all before it is whole."""
    camera = Camera(tmp_path)
    for k in range(40):
        camera.look(float(k), row_of(2))
    camera.keeper.flush()
    (path,) = camera.files()
    whole = path.read_bytes()
    path.write_bytes(whole[:-60])
    assert 30 <= len(kept(camera)) < 40
    path.write_bytes(gzip.compress(b'{"watchpost_tracks": 1}\nnonsense\n'))
    with pytest.raises(ConfigError, match="line 2"):
        kept(camera)


def test_files_are_of_an_hour_and_of_a_run(tmp_path):
    """A new hour and a new run begin a file; the files of a time are found by it."""
    camera = Camera(tmp_path)
    for t in (0.0, FILE_S - 1, FILE_S, FILE_S + 5):
        camera.look(t, row_of(1))
    camera.keeper.flush()
    Camera(tmp_path, run="fedcba9876543210").look(1.0, row_of(1))
    assert len(camera.files()) == 2
    late = camera.folder.files("cam", START + timedelta(seconds=FILE_S), START + timedelta(days=900))
    assert len(list(late)) == 2, "the first file may hold it too: it was written to since"
    assert list(camera.folder.files("cam", START - timedelta(days=2), START - timedelta(days=1))) == []
    assert list(camera.folder.files("other", START, START + timedelta(days=1))) == []


def test_what_is_old_and_what_is_too_much_goes(tmp_path):
    """Files older than they may be, then the oldest until the rest fits; other cameras' too."""
    for camera_id, hours in (("cam", 60), ("cam", 3), ("gone", 2), ("cam", 1)):
        path = tmp_path / camera_id / f"{hours}-x-0.jsonl.gz"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x" * 100)
        at = START.timestamp() - hours * 3600
        os.utime(path, (at, at))
    TrackFolder(tmp_path, timedelta(days=2), 250).prune(START)
    left = sorted(path.name for path in tmp_path.glob("*/*"))
    assert left == ["1-x-0.jsonl.gz", "2-x-0.jsonl.gz"]
    TrackFolder(tmp_path, timedelta(0), 250).prune(START)
    assert list(tmp_path.glob("*/*")) == []


def test_a_disk_that_refuses_costs_tracks_alone(tmp_path, caplog):
    """It is said once; what comes after the hole is a file of its own."""
    camera = Camera(tmp_path)
    (tmp_path / "cam").write_text("in the way")
    for k in range(60):
        camera.look(float(k), row_of(1))
    assert caplog.text.count("tracks are not kept") == 1
    (tmp_path / "cam").unlink()
    camera.look(70.0, row_of(1))
    camera.look(90.0, row_of(1))
    camera.keeper.flush()
    (path,) = camera.files()
    assert read_origin(path) == origin()
    assert [round(one.stamp.t) for one in read_tracks(path, "cam")][-2:] == [70, 90]


def test_nothing_of_how_anybody_looks_is_in_a_track(tmp_path):
    """A kept picture has these keys and eleven numbers for each person: place, speed, score, kind, times, a number of the run."""
    camera = Camera(tmp_path)
    camera.look(0.0, [Person(7, 100.0)])
    camera.keeper.flush()
    lines = gzip.decompress(camera.files()[0].read_bytes()).decode().splitlines()
    assert lines[1].startswith('{"epoch": 0, "index": 0, "t": 0.0, "at": "2024-05-01T12:00:00+00:00"')
    assert set(Tracks.__dataclass_fields__) == {
        "ids", "boxes", "velocity", "scores", "kinds", "born_t", "seen_t",
    }  # fmt: skip
