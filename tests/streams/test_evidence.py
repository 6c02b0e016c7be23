"""Laws of evidence: whole files or none, room left for alerts, boxes of the right seconds and picture size."""

from __future__ import annotations

import io
import shutil
from collections import namedtuple
from datetime import UTC, datetime
from fractions import Fraction
from uuid import uuid4

import av
import numpy as np
import pytest
from PIL import Image

from api.schemas import MediaKind, OverlayDoc
from detector.errors import StorageError
from detector.pairs import Pair, PairSight
from detector.types import Stamp, Tracks
from streams.evidence import Folder, OverlayHistory, tile
from streams.frame import Frame

AT = datetime(2026, 3, 1, tzinfo=UTC)
Usage = namedtuple("Usage", "total used free")


def stamp(t, epoch=0, width=640, height=480):
    return Stamp("yard", epoch, int(t * 10), t, AT, width, height)


def tracks(*boxes):
    n = len(boxes)
    return Tracks(
        ids=np.arange(1, n + 1),
        boxes=np.array(boxes, np.float32).reshape(n, 4),
        velocity=np.zeros((n, 2), np.float32),
        scores=np.ones(n, np.float32),
        kinds=np.zeros(n, np.int64),
        born_t=np.zeros(n),
        seen_t=np.zeros(n),
    )


def test_a_file_gets_its_name_only_when_it_is_whole(tmp_path):
    """While a file is written, and after a failure, nothing stands under its final name."""
    folder, alert_id = Folder(tmp_path / "e"), uuid4()
    final = folder.path(alert_id, MediaKind.CLIP)

    def half():
        with folder.place(alert_id, MediaKind.CLIP, 10) as part:
            part.write_bytes(b"half")
            assert not final.exists()
            raise OSError(28, "No space left on device")

    with pytest.raises(StorageError, match="No space left"):
        half()
    assert list((tmp_path / "e").iterdir()) == []
    assert folder.write(alert_id, MediaKind.CLIP, b"whole").read_bytes() == b"whole"
    assert list((tmp_path / "e").iterdir()) == [final]


@pytest.mark.parametrize(
    ("total", "free", "fits"), [(10**9, 49e6, False), (10**9, 52e6, True), (8e6, 1e6, True)]
)
def test_the_last_of_the_disk_is_left_to_alerts(tmp_path, monkeypatch, total, free, fits):
    """Evidence is not written into the last 5 % of a disk (at most 64 MiB)."""
    folder = Folder(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(total, 0, free))
    if fits:
        folder.write(uuid4(), MediaKind.SNAPSHOT, b"x" * 1000)
    else:
        with pytest.raises(StorageError, match="disk full"):
            folder.write(uuid4(), MediaKind.SNAPSHOT, b"x" * 1000)


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path):
    """The folder is named."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="file"):
        Folder(tmp_path / "file" / "e")


def test_the_sweep_removes_what_no_row_points_to(tmp_path):
    """Half files and strays of a crash go, files that wait to be sent stay."""
    folder = Folder(tmp_path)
    kept = folder.write(uuid4(), MediaKind.CLIP, b"wanted")
    folder.write(uuid4(), MediaKind.CLIP, b"stray")
    (tmp_path / f"{uuid4()}-clip.mp4.part").write_bytes(b"half")
    assert folder.sweep({kept}) == 2
    assert list(tmp_path.iterdir()) == [kept]


def test_an_overlay_has_the_boxes_of_its_seconds(tmp_path):
    """Only the asked seconds of the asked epoch, each with track ids and boxes to a tenth of a pixel."""
    history = OverlayHistory(120.0)
    for n in range(100):
        history.add(stamp(n / 10, epoch=n // 50), tracks((n + 0.04, 1, 20, 30), (5, 6, 7.77, 8)))
    doc = history.doc(1, 4.0, 6.0)
    assert [frame.t for frame in doc.frames] == [n / 10 for n in range(50, 61)]
    assert doc.frames[0].boxes == [(1, 50.0, 1.0, 20.0, 30.0), (2, 5.0, 6.0, 7.8, 8.0)]
    assert OverlayDoc.model_validate_json(doc.model_dump_json()) == doc
    assert (doc.width, doc.height) == (640, 480)


def test_skeletons_of_close_pairs_go_with_the_boxes():
    """Each person of a pair once, 17 joints with their confidence; nobody of whom no joint was seen."""
    history, seen = OverlayHistory(120.0), np.full((17, 3), 0.9, np.float32)
    seen[:, 0] = np.arange(17) + 0.123
    hidden = np.zeros((17, 3), np.float32)
    sights = [
        PairSight(Pair(ids, (0, 1), 0.5, 160.0, 0.0), np.stack([seen, other]))
        for ids, other in (((1, 2), seen), ((1, 3), hidden))
    ]
    history.add(stamp(1.0), tracks((1, 2, 3, 4)), sights)
    history.add(stamp(2.0), tracks((1, 2, 3, 4)))
    doc = history.doc(0, 0.0, 9.0)
    told = doc.frames[0].skeletons
    assert [track_id for track_id, _ in told] == [1, 2]
    assert told[0][1][:6] == [0.12, 0.9, 0.9, 1.12, 0.9, 0.9]
    assert [len(flat) for _, flat in told] == [51, 51]
    assert doc.frames[1].skeletons == []
    assert OverlayDoc.model_validate_json(doc.model_dump_json()) == doc


def test_boxes_are_within_the_picture():
    """A box that is expected partly outside is shown up to the edge."""
    history = OverlayHistory(120.0)
    history.add(stamp(1.0), tracks((-5, -6, 700, 500)))
    assert history.doc(0, 0.0, 9.0).frames[0].boxes == [(1, 0.0, 0.0, 640.0, 480.0)]


def test_the_history_is_bounded():
    """An hour of pictures keeps two minutes."""
    history = OverlayHistory(120.0)
    for n in range(3600):
        history.add(stamp(float(n)), tracks((1, 2, 3, 4)))
    assert len(history) == 121


def test_boxes_of_another_picture_size_are_not_shown():
    """After the picture size changed, the old boxes are gone."""
    history = OverlayHistory(120.0)
    history.add(stamp(1.0), tracks((1, 2, 3, 4)))
    history.add(stamp(2.0, epoch=1, width=320, height=240), tracks((1, 2, 3, 4)))
    assert len(history) == 1
    assert history.doc(1, 0.0, 9.0).width == 320


@pytest.mark.parametrize(
    ("size", "wanted"), [((1920, 1080), (640, 360)), ((320, 240), (320, 240)), ((480, 960), (320, 640))]
)
def test_a_tile_is_small(size, wanted):
    """The longest side is at most 640 px; a smaller picture is not blown up."""
    video = av.VideoFrame.from_ndarray(np.full((size[1], size[0], 3), 99, np.uint8), format="rgb24")
    video.pts, video.time_base = 0, Fraction(1, 10)
    frame = Frame(stamp(0.0, width=size[0], height=size[1]), video)
    assert Image.open(io.BytesIO(tile(frame))).size == wanted
