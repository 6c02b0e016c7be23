"""Laws of the replay: every picture in order, the same bytes each time, nothing of the clock."""

from __future__ import annotations

import json
from uuid import UUID

import av
import pytest
from support.scenario import scenario
from support.site import camera, gathering, make_site, write_network

from api.schemas import AlertIn
from benchmarks.pixelcode import write_video
from benchmarks.replay import ORIGIN, replay, replay_tracks
from detector.errors import ConfigError, SourceUnreadable, StorageError


@pytest.fixture(autouse=True)
def network(tmp_path, monkeypatch):
    monkeypatch.setenv("WATCHPOST_NETWORKS", str(write_network(tmp_path / "networks")))


@pytest.fixture
def video(tmp_path):
    return gathering(tmp_path / "yard.mp4", 14, from_s=1, until_s=6)


@pytest.fixture
def site(tmp_path):
    other = camera("gate", tmp_path / "none.mp4")
    other["rules"] = []
    return make_site(tmp_path, "http://127.0.0.1:9", camera("yard", tmp_path / "none.mp4"), other)


def quiet(what, done, total):
    pass


def test_a_replay_gives_the_same_bytes(tmp_path, video, site):
    """Twice the same input, twice the same file; and a run id that another camera does not have."""
    for name in ("a.json", "b.json"):
        replay(video, site, None, tmp_path / name, quiet)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    replay(video, site, "gate", tmp_path / "c.json", quiet)
    first, other = (json.loads((tmp_path / name).read_text()) for name in ("a.json", "c.json"))
    assert first["run_id"] != other["run_id"]
    assert UUID(first["run_id"]).version == 5


def test_every_picture_is_judged_and_the_alerts_are_as_on_the_wire(tmp_path, video, site):
    """All 140 pictures, told one by one; each phase is an AlertIn whose times count from 1970."""
    told = []
    done = replay(video, site, "yard", tmp_path / "out.json", lambda *one: told.append(one))
    document = json.loads((tmp_path / "out.json").read_text())
    assert [one[1] for one in told] == list(range(1, 141))
    assert {one[2] for one in told} == {140}
    assert (done.n_pictures, document["n_pictures"], document["n_decoded"]) == (140, 140, 140)
    assert "140 pictures" in done.text()
    alerts = [AlertIn.model_validate(alert) for alert in document["alerts"]]
    assert [alert.phase for alert in alerts] == ["opened", "closed"]
    for alert in alerts:
        assert (alert.at - ORIGIN).total_seconds() == pytest.approx(alert.t, abs=0.001)
        assert alert.stages.stored_at == alert.at
        assert str(alert.provenance.run_id) == document["run_id"]
    assert alerts[0].t == pytest.approx(4.0, abs=0.7)
    assert alerts[1].facts["end_reason"] == "dispersed"


def test_an_alert_open_at_the_end_is_closed(tmp_path, site):
    """What still stands at the last picture ends with the source."""
    replay(gathering(tmp_path / "in.mp4", 6), site, None, tmp_path / "out.json", quiet)
    alerts = json.loads((tmp_path / "out.json").read_text())["alerts"]
    assert [alert["phase"] for alert in alerts] == ["opened", "closed"]
    assert alerts[1]["facts"]["end_reason"] == "source ended"


def test_a_recording_cut_short_is_said_to_be(tmp_path, video, site):
    """A file that declares 140 pictures and holds half of them is judged as far as it goes, with a warning."""
    whole = tmp_path / "whole.mp4"
    with av.open(str(video)) as src, av.open(str(whole), "w", options={"movflags": "faststart"}) as dst:
        stream = dst.add_stream_from_template(src.streams.video[0])
        for packet in src.demux(src.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                dst.mux(packet)
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    assert "warning" not in replay(whole, site, "yard", tmp_path / "whole.json", quiet).text()
    done = replay(cut, site, "yard", tmp_path / "cut.json", quiet)
    assert 0 < done.n_pictures < 120
    assert done.n_declared == json.loads((tmp_path / "cut.json").read_text())["n_declared"] == 140
    assert f"declares 140 pictures and {140 - done.n_pictures} of them could not be read" in done.text()


def test_the_other_cameras_rules_are_not_asked(tmp_path, video, site):
    """A camera without rules gives no alerts."""
    assert replay(video, site, "gate", tmp_path / "out.json", quiet).n_alerts == 0


def test_what_cannot_be_replayed_is_named(tmp_path, video, site):
    """An unknown camera, a file that is no video, a place that cannot be written; nothing is left behind."""
    with pytest.raises(ConfigError, match="yard, gate"):
        replay(video, site, "roof", tmp_path / "out.json", quiet)
    (tmp_path / "text.mp4").write_text("not a video")
    with pytest.raises(SourceUnreadable, match="not a video"):
        replay(tmp_path / "text.mp4", site, None, tmp_path / "out.json", quiet)
    with pytest.raises(SourceUnreadable, match="No such file"):
        replay(tmp_path / "gone.mp4", site, None, tmp_path / "out.json", quiet)
    with pytest.raises(StorageError, match="cannot write"):
        replay(video, site, "gate", tmp_path / "no" / "out.json", quiet)
    assert not (tmp_path / "out.json").exists()


def test_stored_tracks_give_the_same_bytes_as_their_video(tmp_path, video, site):
    """Rules on stored tracks write what the replay wrote that stored them; twice stored, the same tracks."""
    for name in ("a", "b"):
        replay(video, site, None, tmp_path / f"{name}.json", quiet, tmp_path / f"{name}.jsonl")
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    video.unlink()
    told = []
    done = replay_tracks(
        tmp_path / "a.jsonl", site, None, tmp_path / "again.json", lambda *one: told.append(one)
    )
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "a.json").read_bytes()
    assert (done.n_pictures, done.n_alerts) == (140, 1)
    assert told[-1] == ("pictures", 140, 140)


def test_another_camera_judges_stored_tracks_by_its_own_rules(tmp_path, video, site):
    """Stored tracks belong to no camera: one without rules says nothing of them, in a run of its own."""
    replay(video, site, "yard", tmp_path / "a.json", quiet, tmp_path / "a.jsonl")
    assert replay_tracks(tmp_path / "a.jsonl", site, "gate", tmp_path / "b.json", quiet).n_alerts == 0
    runs = [json.loads((tmp_path / name).read_text())["run_id"] for name in ("a.json", "b.json")]
    assert runs[0] != runs[1]


def test_things_are_stored_with_the_tracks(tmp_path):
    """A bag left behind is told from stored tracks as from the recording; rules that lack what they need are named."""
    video = tmp_path / "bag.mp4"
    write_video(
        video,
        scenario(
            16, "path=0:100,400;4:300,400;5:300,400;10:560,400", "path=4:300,460;16:300,460 wh=40x40 cls=1"
        ),
    )
    rules = [{"rule": "left_behind", "zone": "lawn", "hold_s": 3.0, "gap_s": 1.0}, {"rule": "handoff"}]
    site = make_site(tmp_path, "http://127.0.0.1:9", camera("yard", video, rules=rules[:1]))
    stored, out = tmp_path / "bag.jsonl", tmp_path / "again.json"
    assert replay(video, site, None, tmp_path / "a.json", quiet, stored).n_alerts == 1
    done = replay_tracks(stored, site, None, out, quiet)
    assert out.read_bytes() == (tmp_path / "a.json").read_bytes()
    assert (done.untold, "warning" in done.text()) == ((), False)
    pictures = [json.loads(line) for line in stored.read_text().splitlines()]
    for picture in pictures[1:]:
        del picture["objects"]
    stored.write_text("\n".join(json.dumps(picture) for picture in pictures))
    both = make_site(tmp_path, "http://127.0.0.1:9", camera("yard", video, rules=rules))
    done = replay_tracks(stored, both, None, out, quiet)
    assert done.n_alerts == 0
    assert "warning: handoff tells nothing from stored tracks: they hold no skeletons" in done.text()
    assert "warning: left_behind tells nothing from these tracks: they hold no objects" in done.text()


def test_broken_tracks_are_named(tmp_path, video, site):
    """What is no file of tracks, and the line that cannot be read; nothing is left behind."""
    out = tmp_path / "out.json"
    (tmp_path / "none.jsonl").write_text("{}\n")
    with pytest.raises(ConfigError, match="not a file of tracks"):
        replay_tracks(tmp_path / "none.jsonl", site, None, out, quiet)
    with pytest.raises(ConfigError, match="No such file"):
        replay_tracks(tmp_path / "gone.jsonl", site, None, out, quiet)
    replay(video, site, "gate", tmp_path / "a.json", quiet, tmp_path / "a.jsonl")
    lines = (tmp_path / "a.jsonl").read_text().splitlines()
    (tmp_path / "cut.jsonl").write_text("\n".join([*lines[:3], lines[3][:40]]))
    with pytest.raises(ConfigError, match="line 4"):
        replay_tracks(tmp_path / "cut.jsonl", site, None, out, quiet)
    assert not out.exists()
    with pytest.raises(StorageError, match="cannot write the tracks"):
        replay(video, site, "gate", out, quiet, tmp_path / "no" / "a.jsonl")
