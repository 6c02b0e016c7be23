"""Laws of the memory of a view: it survives a restart, belongs to camera and picture size, and harms nobody."""

from __future__ import annotations

import json
import os
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from support.people import Person, detections, stamp

from detector.scene import Scene
from detector.types import Detections
from streams.learned import SAVE_S, Learned

FEET = np.array([[640, 400], [640, 700]], np.float32)


class Camera:
    """A scene with a memory, and a clock to turn."""

    def __init__(self, folder: Path, camera_id: str = "cam") -> None:
        self.scene = Scene(camera_id, UUID(int=1), [])
        self.now_s = 100.0
        self.learned = Learned(folder, camera_id, self.scene, lambda: self.now_s)
        self._camera_id = camera_id

    def look(self, t: float, seen: Detections, size: tuple[int, int] = (1280, 960), epoch: int = 0) -> None:
        shown = stamp(t, camera_id=self._camera_id, size=size, epoch=epoch)
        self.learned.before(shown)
        self.scene.step(shown, seen)

    def watch_people(self, from_s: float = 0.0, seconds: float = 40.0, epoch: int = 0) -> None:
        """People of a sixth of the picture's height walk about."""
        for k in range(round(seconds * 5)):
            t = from_s + k / 5
            people = [Person(i, 200 + 200 * i, 350 + 500 * abs((t / (7 + i)) % 2 - 1)) for i in range(4)]
            self.look(t, detections(people, body_px=160), epoch=epoch)

    def body_px(self) -> list[float]:
        return self.scene._scale.body_px(FEET).tolist()


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_was_learned_survives_a_restart(tmp_path: Path) -> None:
    """A worker that starts again knows from the first picture on how tall people are."""
    before = Camera(tmp_path)
    before.watch_people()
    before.learned.save()
    after = Camera(tmp_path)
    after.look(0.0, Detections.empty())
    assert after.body_px() == pytest.approx(before.body_px(), rel=0.01)
    assert files(tmp_path) == ["cam-1280x960.json"]


def test_it_is_stored_now_and_then_and_only_when_new(tmp_path: Path) -> None:
    """Nothing is written before a minute is over, then once, and not again while nothing new is learned."""
    folder = tmp_path / "learned"
    camera = Camera(folder)
    camera.watch_people()
    assert not folder.exists()
    camera.now_s += SAVE_S
    camera.look(41.0, Detections.empty())
    path = folder / "cam-1280x960.json"
    os.utime(path, (1, 1))
    camera.now_s += SAVE_S
    camera.look(42.0, Detections.empty())
    assert path.stat().st_mtime == 1


def test_another_size_is_another_view(tmp_path: Path) -> None:
    """A size not seen before starts from nothing; back at the old size the old knowledge is there again (TRK-03)."""
    camera = Camera(tmp_path)
    camera.watch_people()
    known = camera.body_px()
    camera.look(0.0, Detections.empty(), size=(640, 480), epoch=1)
    assert camera.scene.learned() is None
    camera.look(0.0, Detections.empty(), epoch=2)
    assert camera.body_px() == pytest.approx(known, rel=0.01)


def test_a_reconnect_forgets_nothing(tmp_path: Path) -> None:
    """A new epoch of the same size goes on with what was learned."""
    camera = Camera(tmp_path)
    camera.watch_people()
    known = camera.body_px()
    camera.look(0.0, Detections.empty(), epoch=1)
    assert camera.body_px() == pytest.approx(known, rel=0.01)


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "{",
        "[]",
        "null",
        '{"version": 2}',
        "\x00\xff",
        "samples-nan",
        "other-camera",
        "other-size",
        "huge",
    ],
)
def test_a_damaged_file_is_learned_anew(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A file that is cut, foreign, or holds what cannot be is logged, ignored and written over."""
    camera = Camera(tmp_path)
    camera.watch_people()
    camera.learned.save()
    path = tmp_path / "cam-1280x960.json"
    good = json.loads(path.read_text("utf-8"))
    text = {
        "samples-nan": json.dumps(good | {"samples": [[float("nan"), 1.0]]}),
        "other-camera": json.dumps(good | {"camera_id": "gate"}),
        "other-size": json.dumps(good | {"width": 640}),
        "huge": json.dumps(good | {"samples": [[10.0, 1e9]]}),
    }.get(damage, damage)
    path.write_text(text, "latin-1")
    again = Camera(tmp_path)
    again.look(0.0, Detections.empty())
    assert again.scene.learned() is None
    assert "learned anew" in caplog.text
    again.watch_people(1.0)
    again.learned.save()
    assert json.loads(path.read_text("utf-8"))["camera_id"] == "cam"


def test_a_disk_that_refuses_costs_only_the_memory(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where nothing can be written the camera goes on, says so once, and leaves no half file."""
    (tmp_path / "learned").write_text("not a folder")
    camera = Camera(tmp_path / "learned")
    camera.watch_people(seconds=10)
    camera.learned.save()
    camera.look(11.0, Detections.empty())
    camera.learned.save()
    assert caplog.text.count("not stored") == 1
    assert files(tmp_path) == ["learned"]


def test_cameras_do_not_share(tmp_path: Path) -> None:
    """What one camera learned says nothing to another."""
    one = Camera(tmp_path)
    one.watch_people()
    one.learned.save()
    other = Camera(tmp_path, "gate")
    other.look(0.0, Detections.empty())
    assert other.scene.learned() is None
