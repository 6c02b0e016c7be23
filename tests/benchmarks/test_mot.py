"""Laws of the referee: known answers on cases made by hand, and files read as they were written."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.mot import Labels, read_milan_xml, read_mot_detections, read_mot_truth, score
from benchmarks.peers import peers
from detector.errors import ConfigError
from detector.types import Kind


def walk(ids: list[int], n: int, offset: float = 0.0) -> list[Labels]:
    """People that stand far apart for n pictures."""
    boxes = np.array([[100 * k + offset, 0, 100 * k + 40 + offset, 100] for k in range(len(ids))], np.float32)
    return [Labels(np.array(ids, np.int64), boxes.reshape(-1, 4)) for _ in range(n)]


def test_the_truth_itself_is_perfect() -> None:
    """What says the same as the truth, under other numbers, gets every mark."""
    found = score(walk([1, 2, 3], 10), walk([70, 8, 1000], 10))
    assert (found.hota, found.mota, found.idf1, found.switches) == (pytest.approx(1), 1, 1, 0)


def test_one_switch_in_the_middle() -> None:
    """One person, ten pictures, another id for the second half: MOTA 9/10, IDF1 5/10, HOTA root of 1/2."""
    found = score(walk([1], 10), walk([1], 5) + walk([2], 5))
    assert found.switches == 1
    assert found.mota == pytest.approx(0.9)
    assert found.idf1 == pytest.approx(0.5)
    assert found.hota == pytest.approx(np.sqrt(0.5))


def test_missing_and_false_people() -> None:
    """Of two people one is never seen, and one who is not there is: MOTA 0, IDF1 1/2."""
    false = [
        Labels(np.array([1, 9], np.int64), np.array([[0, 0, 40, 100], [500, 0, 540, 100]], np.float32))
        for _ in range(8)
    ]
    found = score(walk([1, 2], 8), false)
    assert found.mota == pytest.approx(0.0)
    assert found.idf1 == pytest.approx(0.5)


def test_a_box_half_aside_counts_for_hota_alone() -> None:
    """IoU 1/3 is below the 0.5 of MOTA and IDF1; HOTA takes it at its 6 lower thresholds of 19."""
    found = score(walk([1], 4), walk([1], 4, offset=20))
    assert found.mota == pytest.approx(-1.0)
    assert found.idf1 == 0.0
    assert found.hota == pytest.approx(6 / 19)


def test_empty_pictures_and_nobody_at_all() -> None:
    """Pictures with nobody are allowed on either side; nobody found gets nothing."""
    nobody = walk([], 3)
    assert score(walk([1], 3) + nobody, walk([1], 3) + nobody).idf1 == 1.0
    assert score(walk([1], 3), nobody).hota == 0.0


def test_sequences_of_unlike_length_are_refused() -> None:
    """A tracker that lost pictures cannot be scored."""
    with pytest.raises(ValueError, match="wanted 3 pictures, got 2"):
        score(walk([1], 3), walk([1], 2))


def test_milan_xml_gives_corners(tmp_path: Path) -> None:
    """Centre and size become corners; a picture with nobody stays in the list."""
    path = tmp_path / "a.xml"
    path.write_text(
        '<dataset><frame number="0"><objectlist><object id="7"><box xc="50" yc="60" w="20" h="40"/></object>'
        '</objectlist></frame><frame number="1"><objectlist/></frame></dataset>'
    )
    first, second = read_milan_xml(path)
    assert first.ids.tolist() == [7]
    assert first.boxes.tolist() == [[40, 40, 60, 80]]
    assert second.boxes.shape == (0, 4)


def test_mot_text_is_read_picture_by_picture(tmp_path: Path) -> None:
    """Rows are put with their picture, counted from 1; a detection is a person with its score."""
    path = tmp_path / "gt.txt"
    path.write_text("1,4,10,20,30,40,1,-1,-1,-1\n3,4,11,20,30,40,1,-1,-1,-1\n")
    truth = read_mot_truth(path)
    assert [picture.ids.tolist() for picture in truth] == [[4], [], [4]]
    assert truth[2].boxes.tolist() == [[11, 20, 41, 60]]
    path.write_text("2,-1,10,20,30,40,0.75,-1,-1,-1\n9,-1,10,20,30,40,0.75\n")
    seen = read_mot_detections(path, 2)
    assert [len(picture) for picture in seen] == [0, 1]
    assert (seen[1].scores[0], seen[1].kinds[0]) == (0.75, Kind.PERSON)


@pytest.mark.parametrize("text", ["not,a,number\n", "1,2,3\n"])
def test_a_broken_label_file_is_named(tmp_path: Path, text: str) -> None:
    """Files that cannot be read are a ConfigError that says which."""
    path = tmp_path / "gt.txt"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"gt\.txt"):
        read_mot_truth(path)
    with pytest.raises(ConfigError, match=r"gt\.txt"):
        read_milan_xml(path)
    with pytest.raises(ConfigError, match=r"none\.txt"):
        read_mot_truth(tmp_path / "none.txt")


def test_a_missing_referee_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without TrackEval the error says what to install."""
    monkeypatch.setitem(sys.modules, "trackeval.metrics", None)
    with pytest.raises(ConfigError, match="bench"):
        score(walk([1], 1), walk([1], 1))


def test_a_missing_peer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the peers' package the error says what to install."""
    monkeypatch.setitem(sys.modules, "trackers", None)
    with pytest.raises(ConfigError, match="bench"):
        peers()
