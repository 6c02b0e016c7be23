"""Laws of following a site file: a whole change is taken once, a fault is said and changes nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.running import File
from support.site import camera

from streams.config import load_site
from streams.sitefile import LOOK_S, SiteFile


class Rig:
    """A site file that is looked at on a clock of the test's own."""

    def __init__(self, folder):
        self.file = File(folder, "http://127.0.0.1:1")
        self.now_s = 100.0
        self.site = load_site(self.file.write(table("yard"), table("gate")))
        self.follower = SiteFile(self.site, lambda: self.now_s)

    def look(self, n=1):
        """The outcome of `n` looks, each at its time."""
        found = []
        for _ in range(n):
            self.now_s += LOOK_S
            found.append(self.follower.look())
        return found


@pytest.fixture
def rig(tmp_path):
    return Rig(tmp_path)


def table(camera_id, **more):
    return camera(camera_id, "rtsp://192.0.2.1/s", **more)


def test_a_file_that_stays_as_it_is_changes_nothing(rig):
    """However often it is looked at, and though it is written again with the same words."""
    assert rig.look(4) == [None] * 4
    rig.file.write(table("yard"), table("gate"))
    assert rig.look(4) == [None] * 4


def test_a_change_counts_when_it_has_settled(rig):
    """It is taken at the second look that sees it, once; between two looks nothing is read."""
    rig.look(3)
    rig.file.write(table("yard"))
    assert rig.look() == [None]
    assert rig.follower.look() is None
    (found,) = rig.look()
    assert [one.id for one in found.cameras] == ["yard"]
    assert found.config_hash == load_site(rig.file.path).config_hash != rig.site.config_hash
    assert rig.look(3) == [None] * 3


def test_a_file_that_is_being_written_is_not_taken_in_halves(rig):
    """While it differs from look to look, a half that happens to be right removes no camera."""
    rig.look(3)
    text = rig.file.path.read_text()
    half = text[: text.rindex("[[cameras]]")]
    for end in (len(half), len(half) + 1, len(text)):
        rig.file.path.write_text((half + text[len(half) :].replace("192", "193"))[:end])
        assert rig.look() == [None]
    (found,) = rig.look()
    assert [one.id for one in found.cameras] == ["yard", "gate"]


def test_what_changed_before_the_first_look_is_taken(rig):
    """The file is read once more at the start: the network may have taken minutes to load."""
    rig.file.write(table("yard"))
    _, found = rig.look(2)
    assert [one.id for one in found.cameras] == ["yard"]


def test_a_wrong_camera_stays_as_it_was(rig, caplog):
    """It is told with its id; its former self keeps its place in the configuration's hash."""
    rig.look(3)
    rig.file.write(table("yard", analyse_fps=900.0), table("gate", analyse_fps=2.0), {"id": "roof"})
    _, found = rig.look(2)
    by_id = {one.id: one for one in found.cameras}
    assert by_id["yard"] == next(one for one in rig.site.cameras if one.id == "yard")
    assert by_id["gate"].analyse_fps == 2.0
    assert [one.camera_id for one in found.rejected] == ["yard", "roof"]
    assert "camera_id=yard error=cameras[0].analyse_fps" in caplog.text
    rig.file.write(table("yard"), table("gate", analyse_fps=2.0))
    _, found = rig.look(2)
    assert found.rejected == ()
    assert found.config_hash == load_site(rig.file.path).config_hash


def test_a_wrong_table_that_takes_anothers_id_is_nobodys(rig, caplog):
    """The camera that has the id is watched, and nothing is said against it."""
    rig.look(3)
    rig.file.write(table("yard"), table("gate"), table("yard", name="Twin"))
    _, found = rig.look(2)
    assert [one.camera_id for one in found.rejected] == [""]
    assert [one.name for one in found.cameras] == ["Yard", "Gate"]
    assert "this id is taken" in caplog.text


@pytest.mark.parametrize(
    ("text", "said"),
    [("[[cameras", "not TOML"), ("", "no camera"), ("[workers]\n", "unknown key"), (None, "cannot be read")],
)
def test_a_file_that_cannot_be_taken_is_said_once(rig, caplog, text, said):
    """Nothing changes, and the next right version is taken."""
    rig.look(3)
    if text is None:
        rig.file.path.unlink()
    else:
        rig.file.write_text(text)
    assert rig.look(5) == [None] * 5
    assert caplog.text.count("site file not taken") == 1
    assert said in caplog.text
    rig.file.write(table("gate"))
    _, found = rig.look(2)
    assert [one.id for one in found.cameras] == ["gate"]


def test_worker_and_detector_wait_for_a_restart(rig, caplog):
    """A change of these is said and not taken; cameras changed with it are."""
    rig.look(3)
    rig.file.write(table("yard"), worker={"worker_id": "other"})
    _, found = rig.look(2)
    assert found.worker == rig.site.worker
    assert [one.id for one in found.cameras] == ["yard"]
    assert "takes effect at the next start" in caplog.text


def test_a_site_from_no_file_is_never_changed(rig):
    """What was made in memory has nothing to be looked at."""
    follower = SiteFile(replace(rig.site, path=None), lambda: 0.0)
    assert follower.look() is None
