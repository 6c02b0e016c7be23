"""The site file: what is right becomes a Site, what is wrong is named by its key, and no secret is repeated."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from detector.errors import ConfigError
from detector.rules.gathering import GatheringParams
from streams.config import Site, load_site, parse_site
from streams.rulebook import RULES

WHOLE = """
[worker]
state_dir = "var"
api_url = "https://alerts.example"
token_file = "token"
worker_id = "hall-1"

[detector]
network = "yolov8n"
side_px = 448
provider = "cpu"
threads = 1
min_score = 0.2
max_batch = 4

[[cameras]]
id = "lawn"
name = "Lawn, north side"
source = "clips/lawn.mp4"
timezone = "Europe/Berlin"
analyse_fps = 7
pace = "fast"
loop = true

[[cameras.zones]]
name = "grass"
polygon = [[0, 0.5], [1, 0.5], [1, 1], [0, 1.0]]

[[cameras.rules]]
rule = "gathering"
zone = "grass"
min_people = 3
hold_s = 10

[[cameras.rules]]
rule = "gathering"

[[cameras]]
id = "gate"
source = "rtsp://10.0.0.5/s"
user = "viewer"
password = "p@ss/word"
"""

DOOR = {"name": "door", "points": [[0.1, 0.5], [0.9, 0.5]]}
SQUARE = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]]


def site_of(tmp_path: Path, text: str, environ: dict[str, str] | None = None) -> Site:
    path = tmp_path / "watchpost.toml"
    path.write_text(text, "utf-8")
    return load_site(path, environ or {})


def content(**changes: Any) -> dict[str, Any]:
    """A site of one camera with one zone and one rule; `changes` go to the camera."""
    camera = {
        "id": "lawn",
        "source": "a.mp4",
        "zones": [{"name": "grass", "polygon": SQUARE}],
        "rules": [{"rule": "gathering", "zone": "grass"}],
    }
    return {"cameras": [camera | changes]}


def fault(**changes: Any) -> str:
    """The text of the one fault of a camera changed so."""
    site = parse_site(content(**changes), Path("/site"), {})
    assert site.cameras == ()
    assert len(site.rejected) == 1
    return str(site.rejected[0])


def test_a_whole_file(tmp_path: Path) -> None:
    """Every key arrives where it belongs; relative paths start at the file's folder."""
    site = site_of(tmp_path, WHOLE)
    assert site.rejected == ()
    assert site.worker.state_dir == tmp_path / "var"
    assert site.worker.token_file == tmp_path / "token"
    assert (site.worker.api_url, site.worker.worker_id) == ("https://alerts.example", "hall-1")
    assert (site.detector.side_px, site.detector.provider, site.detector.threads) == (448, "cpu", 1)
    lawn, gate = site.cameras
    assert (lawn.name, lawn.timezone, lawn.analyse_fps, lawn.pace, lawn.loop) == (
        "Lawn, north side",
        "Europe/Berlin",
        7.0,
        "fast",
        True,
    )
    assert lawn.address.url == str(tmp_path / "clips/lawn.mp4")
    assert [zone.name for zone in lawn.zones] == ["grass"]
    assert (gate.name, gate.pace, gate.loop, gate.address.live) == ("gate", "realtime", False, True)
    assert gate.address.url == "rtsp://viewer:p%40ss%2Fword@10.0.0.5/s"


def test_rules_are_made_of_the_detectors_own_parameters(tmp_path: Path) -> None:
    """A rule's keys and defaults are those of its Params; each call makes rules with no memory."""
    lawn = site_of(tmp_path, WHOLE).cameras[0]
    assert [choice.params for choice in lawn.rules] == [
        GatheringParams(min_people=3, hold_s=10.0),
        GatheringParams(),
    ]
    first, second = lawn.build_rules()
    assert (first.name, first.zone, second.zone) == ("gathering", "grass", "")
    assert lawn.build_rules()[0] is not first
    every = {field.name: getattr(GatheringParams(), field.name) for field in fields(GatheringParams)}
    told = parse_site(content(rules=[{"rule": "gathering", **every}]), Path(), {})
    assert told.cameras[0].rules[0].params == GatheringParams()


def test_ground_is_told_by_a_rectangle_or_by_points() -> None:
    """A rectangle's sides and the same four places in metres are one calibration, part of the hash."""
    sides = parse_site(content(ground={"corners": SQUARE, "width_m": 6.0, "depth_m": 4.0}), Path(), {})
    places = [[0.0, 0.0], [6.0, 0.0], [6.0, 4.0], [0.0, 4.0]]
    points = parse_site(content(ground={"corners": SQUARE, "metres": places}), Path(), {})
    assert sides.cameras[0].ground == points.cameras[0].ground is not None
    assert sides.config_hash == points.config_hash != parse_site(content(), Path(), {}).config_hash


def test_defaults_need_only_a_camera() -> None:
    """A file with one camera and a source is enough."""
    site = parse_site({"cameras": [{"id": "a", "source": "a.mp4"}]}, Path("/site"), {})
    assert site.worker.state_dir == Path("/site/state")
    assert site.detector.network == "yolov8n"
    assert site.cameras[0].build_rules() == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"nmae": "x"}, ["cameras[0].nmae: unknown key", "Did you mean 'name'?"]),
        ({"source": None}, ["cameras[0].source"]),
        ({"id": "Lawn 1"}, ["cameras[0].id", "'Lawn 1'"]),
        ({"name": "x" * 101}, ["cameras[0].name"]),
        ({"name": "a\u202eb"}, ["cameras[0].name", "printable"]),
        ({"timezone": "Mars/Base"}, ["cameras[0].timezone: no such time zone", "'Mars/Base'"]),
        ({"timezone": "../../etc/passwd"}, ["cameras[0].timezone: no such time zone"]),
        ({"analyse_fps": 0}, ["cameras[0].analyse_fps", "greater than or equal to 0.1", "got 0"]),
        ({"analyse_fps": float("nan")}, ["cameras[0].analyse_fps"]),
        ({"analyse_fps": "5"}, ["cameras[0].analyse_fps", "number", "'5'"]),
        ({"pace": "slow"}, ["cameras[0].pace", "'realtime' or 'fast'", "'slow'"]),
        ({"loop": 1}, ["cameras[0].loop", "boolean"]),
        ({"zones": [{"name": "grass", "poligon": SQUARE}]}, ["cameras[0].zones[0].p", "1 more"]),
        ({"zones": [{"name": "a", "polygon": SQUARE, "colr": 1}]}, ["cameras[0].zones[0].colr: unknown key"]),
        ({"zones": [{"name": "grass", "polygon": SQUARE[:2]}]}, ["cameras[0].zones[0]", "corners"]),
        ({"zones": [{"name": "grass", "polygon": [[0.1], *SQUARE]}]}, ["cameras[0].zones[0].polygon[0]"]),
        (
            {"zones": [{"name": "grass", "polygon": [[640, 480], *SQUARE]}]},
            ["zones[0]", "corner 1", "Divide"],
        ),
        (
            {"zones": [{"name": "grass", "polygon": [SQUARE[0], SQUARE[2], SQUARE[1], SQUARE[3]]}]},
            ["cameras[0].zones[0]", "zone 'grass'", "cross", "edge 1"],
        ),
        ({"ground": {"corners": SQUARE[:3], "width_m": 6.0, "depth_m": 4.0}}, ["cameras[0].ground.corners"]),
        (
            {"ground": {"corners": [*SQUARE[:2], SQUARE[3], SQUARE[2]], "width_m": 6.0, "depth_m": 4.0}},
            ["cameras[0].ground.corners: sides that cross", "in order around the shape"],
        ),
        ({"ground": {"corners": SQUARE, "width_m": 6.0, "depth_m": 0.0}}, ["cameras[0].ground.depth_m"]),
        (
            {"ground": {"corners": SQUARE, "width_m": 6.0}},
            ["cameras[0].ground: no one size", "width_m and depth_m, or metres", "got width_m"],
        ),
        (
            {"ground": {"corners": SQUARE, "widht_m": 6.0, "depth_m": 4.0}},
            ["cameras[0].ground.widht_m: unknown key", "Did you mean 'width_m'?"],
        ),
        (
            {"masks": [{"name": "door", "polygon": SQUARE[:2]}]},
            ["cameras[0].masks[0]", "corners"],
        ),
        ({"masks": [{"name": "door", "poligon": SQUARE}]}, ["cameras[0].masks[0].p", "1 more"]),
        ({"masks": [{"name": "door", "polygon": SQUARE}] * 2}, ["cameras[0].masks[1]"]),
        ({"masks_blind_detector": "no"}, ["cameras[0].masks_blind_detector"]),
        (
            {"zones": [{"name": "grass", "polygon": SQUARE}] * 2},
            ["cameras[0].zones[1]: this zone name is taken"],
        ),
        (
            {"rules": [{"rule": "gatherin"}]},
            ["cameras[0].rules[0].rule: no such rule", "Did you mean 'gathering'?"],
        ),
        ({"rules": [{}]}, ["cameras[0].rules[0].rule: no such rule", "gathering"]),
        (
            {"rules": [{"rule": "gathering", "zone": "gras"}]},
            ["cameras[0].rules[0].zone: no such zone", "wanted grass", "got 'gras'", "Did you mean 'grass'?"],
        ),
        ({"rules": [{"rule": "gathering", "zone": ["grass"]}]}, ["cameras[0].rules[0].zone: no such zone"]),
        (
            {"rules": [{"rule": "handoff", "counters": "grass, till"}]},
            ["cameras[0].rules[0]: counters.zone: no such zone", "wanted grass"],
        ),
        (
            {"rules": [{"rule": "gathering", "counters": ["grass"]}]},
            ["cameras[0].rules[0].counters: unknown key"],
        ),
        ({"rules": [{"rule": "handoff", "counters": ["grass"]}]}, ["cameras[0].rules[0].counters"]),
        (
            {"rules": [{"rule": "gathering", "min_peple": 3}]},
            ["cameras[0].rules[0].min_peple: unknown key", "Did you mean 'min_people'?"],
        ),
        (
            {"rules": [{"rule": "gathering", "min_people": 1}]},
            ["cameras[0].rules[0].min_people: out of range", "wanted 2-20", "got 1"],
        ),
        (
            {"rules": [{"rule": "gathering", "min_people": "four"}]},
            ["cameras[0].rules[0].min_people", "integer"],
        ),
        ({"rules": [{"rule": "gathering", "min_people": True}]}, ["cameras[0].rules[0].min_people"]),
        ({"rules": [{"rule": "gathering", "hold_s": float("inf")}]}, ["cameras[0].rules[0].hold_s"]),
        (
            {"rules": [{"rule": "gathering", "hold_s": 1, "gap_s": 2}]},
            ["cameras[0].rules[0].gap_s", "less than hold_s"],
        ),
        ({"rules": [{"rule": "gathering"}] * 2}, ["cameras[0].rules[1]: the same rule twice"]),
        (
            {"rules": [{"rule": "gathering", "active": ["Mon-Fry"]}]},
            ["cameras[0].rules[0].active: no such day", "'Mon-Fry'"],
        ),
        ({"rules": [{"rule": "gathering", "active": "Sat"}]}, ["cameras[0].rules[0].active: not a list"]),
        ({"rules": [{"rule": "gathering", "raised": []}]}, ["cameras[0].rules[0].raised: no times"]),
        (
            {"rules": [{"rule": "gathering", "severity": "dire"}]},
            ["cameras[0].rules[0].severity: no such severity", "low, medium, high", "'dire'"],
        ),
        (
            {"rules": [{"rule": "gathering", "line": "door"}]},
            ["cameras[0].rules[0].line: unknown key"],
        ),
        (
            {"analyse_fps": 0.25},
            ["cameras[0].rules[0].gap_s: shorter than the time between two pictures", "at least 4", "got 2"],
        ),
        (
            {"rules": [{"rule": "crossing"}]},
            ["cameras[0].rules[0].line: missing", "[[cameras.lines]]"],
        ),
        (
            {"rules": [{"rule": "crossing", "line": "gate"}], "lines": [DOOR]},
            ["cameras[0].rules[0].line: no such line", "wanted door", "got 'gate'"],
        ),
        (
            {"rules": [{"rule": "crossing", "line": "door", "zone": "grass"}], "lines": [DOOR]},
            ["cameras[0].rules[0].zone: unknown key"],
        ),
        (
            {"rules": [{"rule": "crossing", "line": "door", "direction": "up"}], "lines": [DOOR]},
            ["cameras[0].rules[0].direction", "'both', 'to_right' or 'to_left'", "got 'up'"],
        ),
        ({"lines": [{"name": "door", "points": [[0, 0]]}]}, ["cameras[0].lines[0].points"]),
        ({"lines": [{"name": "door", "points": [[0, 0], [0, 2]]}]}, ["cameras[0].lines[0]", "corner 2"]),
        ({"lines": [{"name": "grass", "points": [[0, 0], [1, 1]]}]}, ["lines[0].name: this name is taken"]),
        ({"lines": [{"name": "door", "pints": []}]}, ["cameras[0].lines[0].p"]),
        ({"blind": {"hold": 5}}, ["cameras[0].blind.hold: unknown key", "Did you mean 'hold_s'?"]),
        ({"blind": {"hold_s": -1.0}}, ["cameras[0].blind.hold_s: out of range"]),
        ({"blind": {"enabled": "no"}}, ["cameras[0].blind.enabled", "boolean"]),
        ({"evidence_source": "rtsp://cam/main"}, ["cameras[0].evidence_source: two streams of a file"]),
        (
            {"source": "rtsp://c/s", "evidence_source": "secret.mp4"},
            ["evidence_source: two streams of a file"],
        ),
        ({"source": "rtsp://c/s", "evidence_source": "rtsp://u:secret@x:y/"}, ["evidence_source: not a URL"]),
        ({"source": "gopher://x/secret"}, ["cameras[0].source", "rtsp"]),
        ({"user": "u", "password": "secret"}, ["cameras[0].source: a file has no login"]),
        ({"host": "10.0.0.5"}, ["cameras[0].source: no one address", "host with scheme", "got both"]),
        ({"source": ""}, ["cameras[0].source: no one address", "got neither"]),
        ({"port": 554}, ["cameras[0].source: scheme, port and path go with host"]),
        ({"source": "", "host": "[::1]"}, ["cameras[0].host"]),
        ({"source": "", "host": "u:secret@cam"}, ["cameras[0].host"]),
        ({"source": "", "host": "cam", "port": 70000}, ["cameras[0].port", "65535"]),
        ({"source": "", "host": "cam", "scheme": "gopher"}, ["cameras[0].scheme", "rtsp"]),
        ({"source": "", "host": "cam", "path": "a secret"}, ["cameras[0].source: not a URL"]),
        ({"transport": "sctp"}, ["cameras[0].transport", "'tcp' or 'udp'"]),
        ({"decoder": "gpu"}, ["cameras[0].decoder", "'auto'"]),
        ({"source": "v4l2:///etc/secret"}, ["cameras[0].source: not a video device"]),
    ],
)
def test_a_wrong_camera_is_named_by_its_key(changes: dict[str, Any], said: list[str]) -> None:
    """The fault tells the dotted key, what was wanted, what was got, and what was probably meant."""
    text = fault(**changes)
    for part in said:
        assert part in text
    assert "secret" not in text


@pytest.mark.parametrize(
    ("told", "url"),
    [
        ({"host": "::1", "port": 18557, "path": "s"}, "rtsp://[::1]:18557/s"),
        ({"host": "10.0.0.5", "path": "/a/b?c=1"}, "rtsp://10.0.0.5/a/b?c=1"),
        ({"host": "cam", "scheme": "rtsps", "user": "u", "password": "p@s"}, "rtsps://u:p%40s@cam/"),
    ],
)
def test_an_address_in_parts_is_joined_once(told: dict[str, Any], url: str) -> None:
    """An IPv6 host gets its brackets, a login its encoding (ING-02, ING-09)."""
    camera = parse_site({"cameras": [{"id": "a"} | told]}, Path("/site"), {}).cameras[0]
    assert camera.address.url == url
    assert camera.address.live


def test_a_second_stream_shares_login_and_way() -> None:
    """The same user, password, transport and trust."""
    told = {"source": "rtsp://cam/sub", "evidence_source": "rtsp://cam/main", "user": "u", "password": "p"}
    camera = parse_site(content(**told, transport="udp"), Path("/site"), {}).cameras[0]
    assert camera.evidence is not None
    assert (camera.evidence.url, camera.evidence.transport) == ("rtsp://u:p@cam/main", "udp")


def test_how_a_camera_is_reached_is_told_with_its_address() -> None:
    """Transport, trust and decoder; a certificate's path starts at the site file's folder."""
    told = {"source": "rtsps://cam/s", "transport": "udp", "tls_ca_file": "cam.pem", "decoder": "auto"}
    address = parse_site(content(**told, tls_verify=False), Path("/site"), {}).cameras[0].address
    assert (address.transport, address.tls_verify, address.decoder) == ("udp", False, "auto")
    assert address.tls_ca_file == Path("/site/cam.pem")


def test_one_bad_camera_does_not_stop_the_others() -> None:
    """The right ones run; each wrong one has its fault, a taken id too."""
    told = content()
    told["cameras"] += [
        {"id": "gate"},
        {"id": "lawn", "source": "b.mp4"},
        7,
        {"id": "yard", "source": "c.mp4"},
    ]
    site = parse_site(told, Path(), {})
    assert [camera.id for camera in site.cameras] == ["lawn", "yard"]
    assert [str(error) for error in site.rejected] == [
        "cameras[1].source: no one address (wanted source, or host with scheme, port and path, got neither)",
        "cameras[2].id: this id is taken (wanted an id of its own, got lawn)",
        "cameras[3]: not a table (wanted [cameras[3]], got 7)",
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"camras": []}, ["camras: unknown key", "Did you mean 'cameras'?"]),
        ({"worker": {"api_urll": "x"}}, ["worker.api_urll: unknown key", "Did you mean 'api_url'?"]),
        ({"worker": {"api_url": "https://u:pw@host"}}, ["worker.api_url"]),
        ({"worker": 3}, ["worker: not a table"]),
        ({"detector": {"side_px": 100}}, ["detector.side_px", "multiple of 32", "got 100"]),
        ({"detector": {"provider": "gpu"}}, ["detector.provider", "'cuda'", "'gpu'"]),
        ({"detector": {"min_score": 0.0, "threads": -1}}, ["detector.threads", "1 more below detector"]),
        ({"cameras": []}, ["cameras: no camera"]),
        ({"cameras": {"id": "a"}}, ["cameras: no camera", "[[cameras]]"]),
    ],
)
def test_a_fault_outside_the_cameras_stops_the_start(changes: dict[str, Any], said: list[str]) -> None:
    """Worker and detector concern every camera, so their faults are raised."""
    with pytest.raises(ConfigError) as caught:
        parse_site(content() | changes, Path(), {})
    for part in said:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"[worker]\nstate_dir = var\n", ["not TOML", "line 2"]),
        (b"[worker]\n# caf\xe9\n", ["not UTF-8", "line 2"]),
        (b"#" * 4_000_001, ["too large"]),
        (None, ["cannot be read", "No such file"]),
    ],
)
def test_a_broken_file_is_told_by_line(tmp_path: Path, raw: bytes | None, said: list[str]) -> None:
    """No file, no TOML, no text: the file, and where it has one the line."""
    path = tmp_path / "watchpost.toml"
    if raw is not None:
        path.write_bytes(raw)
    with pytest.raises(ConfigError) as caught:
        load_site(path, {})
    for part in [str(path), *said]:
        assert part in str(caught.value)


def test_no_secret_can_be_printed(tmp_path: Path) -> None:
    """Neither a site nor a fault shows a login or a camera's address."""
    site = site_of(tmp_path, WHOLE)
    for text in (repr(site), str(site.cameras), str(site.worker.token({"WATCHPOST_TOKEN": "t0ken"}))):
        for secret in ("p@ss", "p%40ss", "viewer", "t0ken"):
            assert secret not in text
    bad = parse_site(
        {
            "cameras": [
                {"id": "a", "source": ["rtsp://u:secret@x"], "password": 12345, "user": "x", "nope": 1}
            ]
        },
        Path(),
        {},
    )
    assert "secret" not in str(bad.rejected[0])
    assert "12345" not in str(bad.rejected[0])


def test_the_environment_overrides_a_password(tmp_path: Path) -> None:
    """WATCHPOST_CAMERA_<ID>_PASSWORD, the id in capitals, goes before the file."""
    site = site_of(tmp_path, WHOLE, {"WATCHPOST_CAMERA_GATE_PASSWORD": "other"})
    assert "viewer:other@" in site.cameras[1].address.url


def test_the_token_comes_from_the_environment_or_a_file(tmp_path: Path) -> None:
    """The environment first; a missing, empty or unreadable file says so and shows nothing of it."""
    worker = site_of(tmp_path, WHOLE).worker
    assert worker.token({"WATCHPOST_TOKEN": " abc \n"}).get_secret_value() == "abc"
    with pytest.raises(ConfigError, match=r"worker\.token_file: cannot be read"):
        worker.token({})
    (tmp_path / "token").write_text("\n")
    with pytest.raises(ConfigError, match="is empty"):
        worker.token({})
    (tmp_path / "token").write_text("from-file\n")
    assert worker.token({}).get_secret_value() == "from-file"
    with pytest.raises(ConfigError, match="no token"):
        parse_site(content(), Path(), {}).worker.token({})


def test_the_hash_tells_what_can_change_an_alert(tmp_path: Path) -> None:
    """Same meaning, same hash: not the secrets, the folder or the worker; every rule, zone and detector key does."""
    base = site_of(tmp_path, WHOLE).config_hash

    def changed(old: str, new: str) -> bool:
        assert old in WHOLE
        return site_of(tmp_path, WHOLE.replace(old, new)).config_hash != base

    assert len(base) == 64
    assert not changed('password = "p@ss/word"', 'password = "new"')
    assert not changed('worker_id = "hall-1"', 'worker_id = "hall-2"')
    assert not changed("hold_s = 10\n", "hold_s = 10.0\ngap_s = 2.0\n")
    assert not changed('"clips/lawn.mp4"', '"/else/where/lawn.mp4"')
    assert changed("hold_s = 10", "hold_s = 11")
    assert changed("[0, 1.0]", "[0.1, 1.0]")
    assert changed("side_px = 448", "side_px = 640")
    assert changed("analyse_fps = 7", "analyse_fps = 5")
    assert changed("lawn.mp4", "other.mp4")


def test_masks_belong_to_a_camera_and_its_hash() -> None:
    """Polygons and whom they blind arrive at the camera; both can change an alert, so both change the hash."""
    door = {"name": "door", "polygon": SQUARE}
    site = parse_site(content(masks=[door]), Path("/site"), {})
    masks = site.cameras[0].masks
    assert [zone.name for zone in masks.zones] == ["door"]
    assert (bool(masks), masks.blind_detector) == (True, True)
    seeing = parse_site(content(masks=[door], masks_blind_detector=False), Path("/site"), {})
    assert not seeing.cameras[0].masks.blind_detector
    without = parse_site(content(), Path("/site"), {})
    assert not without.cameras[0].masks
    assert len({one.config_hash for one in (site, seeing, without)}) == 3


def test_terms_and_places_of_a_rule() -> None:
    """Schedule and severity are chosen for any rule; one rule may look at one zone at two different times."""
    site = parse_site(
        content(
            timezone="Europe/Berlin",
            lines=[DOOR],
            rules=[
                {"rule": "crossing", "line": "door"},
                {"rule": "gathering", "active": ["Mon-Fri 18:00-06:00", "Sat-Sun"], "severity": "high"},
                {"rule": "gathering", "active": ["Mon-Fri 06:00-18:00"], "min_people": 8},
            ],
        ),
        Path(),
        {},
    )
    assert site.rejected == ()
    (camera,) = site.cameras
    assert [line.name for line in camera.lines] == ["door"]
    door, night, day = camera.build_rules()
    assert (door.name, door.zone) == ("crossing", "door")
    assert (night.params["active"], night.params["severity"]) == ("Mon-Fri 18:00-06:00, Sat-Sun", "high")
    assert (day.name, day.params["min_people"], "severity" in day.params) == ("gathering", 8, False)


def test_a_schedule_is_part_of_the_configurations_hash() -> None:
    """Another time, another severity or another time zone of a scheduled rule is another configuration."""
    rules = [
        {"rule": "gathering"},
        {"rule": "gathering", "active": ["Sat"]},
        {"rule": "gathering", "active": ["Sun"]},
        {"rule": "gathering", "severity": "low"},
    ]
    hashes = {parse_site(content(rules=[rule]), Path(), {}).config_hash for rule in rules}
    assert len(hashes) == 4


@pytest.mark.parametrize("name", list(RULES))
def test_every_rule_can_be_chosen_by_its_name(name: str) -> None:
    """Each rule of the book is made from a table, under its own name, with the defaults of its Params told."""
    entry = RULES[name]
    rule = (
        {"rule": name}
        | ({"zone": "grass"} if entry.in_zone else {})
        | ({"line": "door"} if entry.at_line else {})
    )
    site = parse_site(content(rules=[rule], lines=[DOOR]), Path(), {})
    assert site.rejected == ()
    (built,) = site.cameras[0].build_rules()
    assert (built.name, built.zone) == (name, "grass" if entry.in_zone else "door")
    assert set(built.params) - {"line"} == {field.name for field in fields(entry.params)}
    assert all(isinstance(value, str | int | float) for value in built.params.values())


def test_counters_are_zones_by_name():
    """`counters` names zones of the camera; the rule is told of them, and so is whoever edits it."""
    rule = {"rule": "handoff", "counters": " grass"}
    site = parse_site(content(rules=[rule]), Path(), {})
    assert site.rejected == ()
    (choice,) = site.cameras[0].rules
    assert [zone.name for zone in choice.counters] == ["grass"]
    assert choice.build().params["counters"] == " grass"
