"""Laws of a camera's configuration made in the console: the worker judges it, applies it, keeps it, and says why not."""

from __future__ import annotations

import json
import time
from datetime import timedelta

import pytest
from support.live_api import start_api
from support.running import File, Running
from support.site import RULE, ZONE, camera, gathering, make_site, write_network

from api.schemas_configuration import AreaTable, Configuration, OrderOut
from streams.config import load_site
from streams.console import Console, judged
from streams.kept_tracks import TrackFolder
from streams.places import configuration_of

SOON_S = 40.0


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return write_network(tmp_path_factory.mktemp("networks"))


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return gathering(tmp_path_factory.mktemp("films") / "stand.mp4", 35)


@pytest.fixture
def site(tmp_path, film):
    return make_site(tmp_path, "http://127.0.0.1:9", camera("yard", film), camera("gate", film))


def tracks(folder):
    return TrackFolder(folder / "tracks", timedelta(days=1), 1_000_000)


def order(version=1, **changes):
    """A version for the camera "yard": its zone moved, one mask."""
    mask = AreaTable(name="sky", polygon=[(0, 0), (1, 0), (1, 0.1)])
    zone = AreaTable(name="lawn", polygon=[(0.5, 0.5), (1, 0.5), (1, 1)])
    rule = {key: value for key, value in RULE.items() if key not in ("rule", "zone")}
    told = {
        "zones": [zone],
        "masks": [mask],
        "rules": [{"rule": "gathering", "zone": "lawn", "params": rule}],
    }
    return OrderOut(camera_id="yard", version=version, configuration=Configuration(**(told | changes)))


def test_what_a_site_file_says_comes_back_from_the_console_alike(site):
    """The configuration that is told of a camera, sent back unchanged, makes the same camera."""
    for one in site.cameras:
        assert judged(one, configuration_of(one.places)) == one


def test_every_key_of_a_rule_survives_the_way(tmp_path, film):
    """Lines, directions, times, severity: read, told, read again."""
    rules = [
        {"rule": "crossing", "line": "door", "direction": "to_left", "severity": "high"},
        {"rule": "wrong_way", "line": "door", "zone": "lawn", "active": ["Mon-Fri 18:00-06:00", "Sat-Sun"]},
        {"rule": "loitering", "hold_s": 30, "raised": ["22:00-05:00"]},
        {"rule": "loitering", "hold_s": 10, "shadow": True},
        {"rule": "handoff", "counters": "lawn", "min_px": 80.0},
    ]
    door = {"name": "door", "points": [[0.1, 0.5], [0.9, 0.5]]}
    (told,) = make_site(tmp_path, "http://x", camera("yard", film, lines=[door], rules=rules)).cameras
    again = judged(told, configuration_of(told.places))
    assert again == told
    assert [rule.params for rule in again.build_rules()] == [rule.params for rule in told.build_rules()]


def test_a_silent_rule_may_stand_beside_the_same_one(tmp_path, film):
    """Once silently and once not in one place; twice silently is twice the same rule, and shadow is true or false."""

    def rejected(*rules):
        return load_site(File(tmp_path, "http://x").write(camera("yard", film, rules=list(rules)))).rejected

    assert not rejected(RULE, RULE | {"shadow": True, "min_people": 2})
    assert "the same rule twice" in rejected(RULE | {"shadow": True}, RULE | {"shadow": True})[0].text
    assert "not true or false" in rejected(RULE | {"shadow": 1})[0].text


def test_a_version_is_in_force_and_outlives_a_restart(site, tmp_path):
    """Taken: the camera looks at it, the hash of the configuration is another, and so after a restart alone."""
    console = Console(tmp_path, tracks(tmp_path))
    before = console.apply(site)
    assert before == site
    assert console.take(order(), site)
    after = console.apply(site)
    assert after.cameras[0].zones[0].polygon[0] == (0.5, 0.5)
    assert [mask.name for mask in after.cameras[0].masks.zones] == ["sky"]
    assert after.cameras[1] == site.cameras[1]
    assert after.config_hash != site.config_hash
    assert (console.told["yard"].version, console.told["yard"].answered) == (1, 1)
    assert console.told["yard"].base == configuration_of(site.cameras[0].places)
    assert not console.take(order(), site), "the same version again is nothing new"
    again = Console(tmp_path, tracks(tmp_path))
    assert again.apply(site) == after
    assert again.told == console.told


def test_a_version_that_is_refused_changes_nothing_and_says_why(site, tmp_path):
    """The one before stays in force, and the answer names key, limit and value."""
    console = Console(tmp_path, tracks(tmp_path))
    console.take(order(), site)
    good = console.apply(site)
    bad = order(2, rules=[{"rule": "gathering", "zone": "lawn", "params": {"min_people": 99}}])
    assert not console.take(bad, site)
    assert console.apply(site) == good
    told = console.told["yard"]
    assert (told.version, told.answered) == (1, 2)
    assert told.refused == "configuration.rules[0].min_people: out of range (wanted 2-20, got 99)"
    unknown = order(3, rules=[{"rule": "gatherin"}])
    assert not console.take(unknown, site)
    assert "Did you mean 'gathering'?" in console.told["yard"].refused


def test_back_to_the_file(site, tmp_path):
    """A version without a configuration is the site file again."""
    console = Console(tmp_path, tracks(tmp_path))
    console.take(order(), site)
    assert console.take(OrderOut(camera_id="yard", version=2, configuration=None), site)
    assert console.apply(site) == site
    assert (console.told["yard"].version, console.told["yard"].answered) == (2, 2)


def test_a_file_that_the_version_does_not_fit_counts_alone(site, tmp_path, film):
    """A rate too low for the version's gaps: the file is in force, and the console is told why."""
    console = Console(tmp_path, tracks(tmp_path))
    console.take(order(), site)
    slow = make_site(tmp_path, "http://127.0.0.1:9", camera("yard", film, analyse_fps=0.5, rules=[]))
    assert console.apply(slow) == slow
    assert "shorter than the time between two pictures" in console.told["yard"].refused
    assert console.apply(site).cameras[0].zones[0].polygon[0] == (0.5, 0.5)


def test_a_damaged_memory_leaves_the_file(site, tmp_path, caplog):
    """What cannot be read on disk is said, and the site file counts."""
    (tmp_path / "console").mkdir()
    (tmp_path / "console" / "yard.json").write_text("{")
    assert Console(tmp_path, tracks(tmp_path)).apply(site) == site
    assert "cannot be read" in caplog.text


def test_a_drawn_zone_is_what_the_running_rule_uses(tmp_path, film, network, monkeypatch):
    """Over the real service: people outside the file's zone are told once the console's holds them; a wrong one is refused."""
    api = start_api(tmp_path)
    monkeypatch.setenv("WATCHPOST_TOKEN", api.token)
    monkeypatch.setenv("WATCHPOST_NETWORKS", str(network))
    monkeypatch.setattr("streams.liaison.ASK_S", 0.2)
    corner = ZONE | {"polygon": [[0.0, 0.0], [0.2, 0.0], [0.2, 0.2]]}
    file = File(tmp_path, api.base_url)
    worker = Running(load_site(file.write(camera("yard", film, pace="realtime", loop=True, zones=[corner]))))
    client = api.log_in("admin")
    url = "/api/v1/cameras/yard/configuration"

    def until(holds):
        deadline = time.monotonic() + SOON_S
        while time.monotonic() < deadline:
            answer = client.get(url)
            if answer.status_code == 200 and (found := answer.json())["worker"] and holds(found["worker"]):
                return found
            time.sleep(0.1)
        raise AssertionError(answer.text)

    try:
        told = until(lambda worker: worker["version"] == 0)
        assert client.get("/api/v1/alerts").json()["items"] == []
        wanted = told["worker"]["in_force"] | {"zones": [ZONE]}
        client.put(url, json={"based_on": 0, "configuration": wanted}).raise_for_status()
        until(lambda worker: worker["version"] == 1)
        deadline = time.monotonic() + SOON_S
        while not (items := client.get("/api/v1/alerts").json()["items"]) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert [(one["rule"], one["zone"]) for one in items] == [("gathering", "lawn")]
        wanted["rules"][0]["params"]["hold_s"] = -1
        client.put(url, json={"based_on": 1, "configuration": wanted}).raise_for_status()
        found = until(lambda worker: worker["answered"] == 2)
        assert found["worker"]["version"] == 1
        assert "hold_s" in found["worker"]["refused"]
        kept = json.loads((tmp_path / "state" / "console" / "yard.json").read_text())
        assert kept["version"] == 1
    finally:
        worker.stop.set()
        worker.end()
        client.close()
        api.stop()
