"""Laws of a trial: other rules on the kept tracks, in a process of its own, over the service to the console and back."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from support.acting import play
from support.live_api import start_api
from support.running import File, Running
from support.scenario import scenario
from support.site import RULE, ZONE, camera, gathering, make_site, write_network

from benchmarks.replay import replay_tracks
from detector.scene import Scene
from detector.types import Phase
from detector.zones import Zone
from streams.config import load_site
from streams.kept_tracks import Keeper, TrackFolder
from streams.rulebook import Setting, choice_of
from streams.tracks_file import Origin
from streams.what_if import Runner, Trial, failed, judge

SOON_S = 60.0
ZONES = {"lawn": Zone(ZONE["name"], tuple(map(tuple, ZONE["polygon"])))}
GROUP = ("path=2:240,400;40:240,400", "path=2:320,420;40:320,420", "path=2:400,400;40:400,400")


def choice(**changes):
    return choice_of(RULE | changes, Setting(ZONES, {}, "UTC", 10.0))


def keep(folder, run, judgements):
    """As the worker does."""
    source = {"file": "cam", "sha256": "", "run_id": run}
    keeper = Keeper(folder, Origin(source, "n", "a" * 64, "cpu", 0, 0), time.monotonic)
    for one in judgements:
        keeper.add(one.observation.stamp, one.tracks)
    keeper.flush()


@pytest.fixture
def night(tmp_path):
    """Kept tracks of one run, and the alerts that were told of them."""
    rules = [choice().build()]
    judgements, scene = play(rules, scenario(50, *GROUP))
    folder = TrackFolder(tmp_path / "tracks", timedelta(days=9), 10_000_000)
    keep(folder, "a" * 32, judgements)
    told = [alert for one in judgements for alert in one.alerts] + scene.end("source ended")
    return folder, told, judgements


def trial(folder, *choices, since_s=-10.0, until_s=100.0):
    start = datetime(2024, 5, 1, 12, tzinfo=UTC)
    return Trial(
        "cam",
        choices,
        None,
        folder,
        folder.root.parent / "learned",
        start + timedelta(seconds=since_s),
        start + timedelta(seconds=until_s),
    )


def test_unchanged_rules_say_again_what_was_told(night):
    """The same alert, begun and opened within half a second of then, ended within the time that empty views are thinned to."""
    folder, told, _ = night
    (would,) = judge(trial(folder, choice())).alerts
    opened, closed = ([one for one in told if one.phase is phase] for phase in (Phase.OPENED, Phase.CLOSED))
    assert abs(would.started_at - opened[0].started_at) < timedelta(seconds=0.5)
    assert abs(would.opened_at - opened[0].at) < timedelta(seconds=0.5)
    assert (would.rule, would.zone) == ("gathering", "lawn")
    assert would.ended_at is not None
    assert abs(would.ended_at - closed[0].at) < timedelta(seconds=5.5)


def test_other_rules_say_otherwise(night):
    """A threshold over what there was: nothing; a lower one: sooner. The numbers of the trial are told."""
    folder, told, _ = night
    assert judge(trial(folder, choice(min_people=4))).alerts == []
    found = judge(trial(folder, choice(hold_s=1.5)))
    assert found.alerts[0].opened_at < told[0].at
    ((start, end),) = found.covered
    assert 44 < (end - start).total_seconds() < 51
    assert (found.problem, found.left_out) == ("", [])
    assert found.n_pictures > 90
    assert judge(trial(folder)).alerts == []


def test_a_trial_judges_its_span_alone(night):
    """What is open at the end of the span stays open; a span without tracks has nothing; one too long stops where it is."""
    folder, _, _ = night
    (would,) = judge(trial(folder, choice(), until_s=20)).alerts
    assert would.ended_at is None
    assert judge(trial(folder, choice(), since_s=1000, until_s=2000)).judged_until is None
    stopped = judge(trial(folder, choice(), until_s=100), limit_s=-1.0)
    assert stopped.n_pictures < 501


def test_runs_do_not_mix(night):
    """The same track numbers in a later run are other people: what was open ends, and begins anew."""
    folder, _, judgements = night
    later = [
        replace(one, observation=replace(one.observation, stamp=_later(one.observation.stamp)))
        for one in judgements
    ]
    keep(folder, "b" * 32, later)
    found = judge(trial(folder, choice(), until_s=1000))
    assert len(found.alerts) == 2
    assert len({one.opened_at for one in found.alerts}) == 2
    assert len(found.covered) == 2, "between the runs nothing is known"


def _later(stamp):
    return replace(stamp, at=stamp.at + timedelta(seconds=200))


def test_rules_about_things_are_named_as_not_tried(night):
    """Hands and bags are not in tracks: such a rule is left out and said, not counted as silent."""
    folder, _, _ = night
    handoff = choice_of({"rule": "handoff"}, Setting(ZONES, {}, "UTC", 10.0))
    found = judge(trial(folder, choice(), handoff))
    assert (found.left_out, len(found.alerts)) == (["handoff"], 1)


def test_a_trial_runs_in_a_process_of_its_own(night):
    """The runner's answer is that of the same process; a file that cannot be read is an answer too."""
    folder, _, _ = night
    runner = Runner()
    for broken in (False, True):
        if broken:
            next((folder.root / "cam").iterdir()).write_bytes(b"no gzip")
        runner.start(trial(folder, choice()))
        deadline = time.monotonic() + SOON_S
        while (found := runner.poll()) is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not runner.busy
        if broken:
            assert "cannot be read" in found.problem
        else:
            assert found.alerts == judge(trial(folder, choice())).alerts


def test_a_scene_takes_tracks_of_no_one(tmp_path):
    """No kept track at all: an answer with nothing in it."""
    folder = TrackFolder(tmp_path, timedelta(days=1), 1000)
    found = judge(trial(folder, choice()))
    assert (found.n_pictures, found.alerts, found.judged_until) == (0, [], None)
    assert failed("x").problem == "x"
    assert Scene("cam", UUID(int=0), []).end("") == []


def closed(client):
    """The alerts that have ended, once there is one."""
    deadline = time.monotonic() + SOON_S
    while time.monotonic() < deadline:
        items = client.get("/api/v1/alerts").json()["items"]
        if found := [one for one in items if one["phase"] == "closed"]:
            return found
        time.sleep(0.1)
    raise AssertionError("no alert has ended")


def tried(client, **params):
    """What the service answers to the rule in force with other parameters, on the last hour."""
    told = client.get("/api/v1/cameras/yard/configuration").json()["worker"]["in_force"]
    rule = told["rules"][0] | {"params": told["rules"][0]["params"] | params}
    until = datetime.now(UTC)
    span = {"since": (until - timedelta(hours=1)).isoformat(), "until": until.isoformat()}
    body = span | {"configuration": told | {"rules": [rule]}}
    return client.post("/api/v1/cameras/yard/what-if", json=body, timeout=SOON_S)


def test_from_the_console_to_the_tracks_and_back(tmp_path, monkeypatch):
    """Over the real service: the past alert stays with the rule as it is, vanishes with a stricter one, and keeps its verdict."""
    api = start_api(tmp_path)
    monkeypatch.setenv("WATCHPOST_TOKEN", api.token)
    monkeypatch.setenv("WATCHPOST_NETWORKS", str(write_network(tmp_path / "networks")))
    monkeypatch.setattr("streams.liaison.ASK_S", 0.2)
    monkeypatch.setattr("streams.kept_tracks.PIECE_S", 0.5)
    film = gathering(tmp_path / "stand.mp4", 30, until_s=9)
    file = File(tmp_path, api.base_url)
    worker = Running(load_site(file.write(camera("yard", film, pace="realtime"))))
    client = api.log_in("admin")
    try:
        (alert,) = closed(client)
        verdict = {"verdict": "false", "reason": "normal_behaviour"}
        client.post(f"/api/v1/alerts/{alert['alert_id']}/verdict", json=verdict).raise_for_status()
        (line,) = tried(client).json()["lines"]
        assert (line["fate"], line["past"]["verdict"]) == ("stays", "false")
        assert line["past"]["rule"] == line["would"]["rule"]
        (line,) = tried(client, min_people=4).json()["lines"]
        assert (line["fate"], line["past"]["alert_id"], line["would"]) == (
            "vanishes",
            alert["alert_id"],
            None,
        )
        assert tried(client, min_people=99).status_code == 422
        with ThreadPoolExecutor(3) as pool:
            codes = sorted(one.status_code for one in pool.map(lambda _: tried(client), range(3)))
        assert codes in ([200, 409, 409], [200, 200, 409], [200, 200, 200])
    finally:
        worker.stop.set()
        worker.end()
        client.close()
        api.stop()


def test_a_kept_file_can_be_replayed_by_an_engineer(night, tmp_path):
    """`watchpost replay --tracks` takes a worker's file as it is and tells the same incident."""
    folder, told, _ = night
    (path,) = (folder.root / "cam").iterdir()
    site = make_site(tmp_path, "http://127.0.0.1:9", camera("cam", tmp_path / "no-film.mp4"))
    done = replay_tracks(path, site, "cam", tmp_path / "out.json", lambda *_: None)
    assert done.n_alerts == len({one.alert_id for one in told}) == 1
