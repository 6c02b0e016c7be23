"""What is looked at in a camera's picture: made by administrators as versions, given to the worker, judged there."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from support.api import Api

pytestmark = pytest.mark.anyio

YARD = {"name": "yard", "polygon": [[0.1, 0.2], [0.9, 0.2], [0.9, 0.9]]}
DOOR = {"name": "door", "points": [[0.2, 0.5], [0.8, 0.5]]}
RULE = {"rule": "gathering", "zone": "yard", "params": {"min_people": 3, "hold_s": 5.0}}
WANTED: dict[str, Any] = {"zones": [YARD], "lines": [DOOR], "masks": [YARD], "rules": [RULE]}
URL = "/cameras/lawn/configuration"


def whole(told: dict[str, Any]) -> dict[str, Any]:
    """With every key that the service adds."""
    rule = {
        "zone": "",
        "line": "",
        "params": {},
        "active": [],
        "raised": [],
        "severity": None,
        "shadow": False,
    }
    return {"zones": [], "lines": [], "masks": []} | told | {"rules": [rule | one for one in told["rules"]]}


def in_force(version: int = 0, answered: int = 0, refused: str = "") -> dict[str, Any]:
    book = [{"rule": "gathering", "in_zone": True, "at_line": False, "params": {"min_people": 4}}]
    told = {"version": version, "answered": answered, "refused": refused, "rulebook": book}
    return told | {"base": {"rules": []}, "in_force": {"rules": []}}


async def tell(api: Api, told: dict[str, Any]) -> None:
    assert (await api.worker.put("/cameras/lawn/in-force", json=told)).status_code == 204


async def orders(api: Api, answered: int = 0) -> list[dict[str, Any]]:
    ask = {"worker_id": "w", "answered": {"lawn": answered, "roof": 0}}
    found: list[dict[str, Any]] = (await api.worker.post("/orders", json=ask)).json()["configurations"]
    return found


async def test_a_version_is_made_given_and_answered(api: Api) -> None:
    """What an administrator saves is version 1, is told to the worker until it has answered, and is in the audit."""
    await tell(api, in_force())
    admin = await api.log_in("admin")
    before = (await admin.get(URL)).json()
    assert (before["version"], before["versions"]) == (0, [])
    assert before["worker"]["rulebook"][0]["params"] == {"min_people": 4}
    assert await orders(api) == []
    body = {"based_on": 0, "configuration": WANTED, "note": "the yard"}
    saved = (await admin.put(URL, json=body)).json()
    assert saved["versions"][0] == {
        "version": 1,
        "configuration": whole(WANTED),
        "note": "the yard",
        "by": "admin",
        "at": "2026-03-01T12:30:00Z",
    }
    (order,) = await orders(api)
    assert order == {"camera_id": "lawn", "version": 1, "configuration": whole(WANTED)}
    assert await orders(api, answered=1) == []
    refused = "configuration.rules[0].min_people: out of range"
    await tell(api, in_force(0, 1, refused))
    viewer = await api.log_in("viewer")
    assert (await viewer.get(URL)).json()["worker"]["refused"] == refused
    (line,) = (await admin.get("/audit", params={"about": "lawn"})).json()["items"]
    assert (line["who"], line["what"], line["details"]["version"]) == ("admin", "configuration", 1)


async def test_a_version_before_comes_back_as_a_new_one(api: Api) -> None:
    """Undoing is a version of its own, back to the site file too; nothing that was made is changed."""
    await tell(api, in_force())
    admin = await api.log_in("admin")
    for based_on, configuration in enumerate((WANTED, WANTED | {"masks": []}, WANTED, None)):
        answer = await admin.put(URL, json={"based_on": based_on, "configuration": configuration})
        assert answer.status_code == 200
    versions = (await admin.get(URL)).json()["versions"]
    assert [one["version"] for one in versions] == [4, 3, 2, 1]
    assert versions[1]["configuration"] == versions[3]["configuration"] == whole(WANTED)
    assert versions[0]["configuration"] is None
    (order,) = await orders(api, answered=3)
    assert (order["version"], order["configuration"]) == (4, None)


async def test_two_administrators_do_not_undo_each_other_unknowingly(api: Api) -> None:
    """Of versions made from the same one, one is saved and the others are told so."""
    await tell(api, in_force())
    admin = await api.log_in("admin")
    body = {"based_on": 0, "configuration": WANTED}
    answers = await asyncio.gather(*(admin.put(URL, json=body) for _ in range(4)))
    assert sorted(one.status_code for one in answers) == [200, 409, 409, 409]
    assert "nothing was saved" in next(one for one in answers if one.status_code == 409).text


CROSSED = {"name": "bow", "polygon": [[0, 0], [1, 1], [1, 0], [0, 1]]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"zones": [CROSSED], "rules": []}, "zone 'bow': edges that cross, touch or fold back"),
        ({"zones": [YARD, YARD]}, "zone: this name is taken"),
        ({"masks": [CROSSED]}, "edges that cross"),
        ({"lines": [{"name": "yard", "points": [[0, 0], [1, 1]]}]}, "line: this name is taken"),
        ({"lines": [{"name": "dot", "points": [[0, 0], [0, 0]]}]}, "line 'dot': too short"),
        ({"zones": []}, "rule 1, gathering: no such zone on this camera"),
        ({"rules": [{"rule": "crossing", "line": "gate"}]}, "rule 1, crossing: no such line on this camera"),
    ],
)
async def test_what_is_wrong_is_refused_in_words(api: Api, change: dict[str, Any], said: str) -> None:
    """Bad polygons, names twice, a rule on a place that is not there: 422 with the reason, and no version. (SEC-07)"""
    await tell(api, in_force())
    admin = await api.log_in("admin")
    answer = await admin.put(URL, json={"based_on": 0, "configuration": WANTED | change})
    assert answer.status_code == 422
    assert said in answer.json()["detail"]
    assert (await admin.get(URL)).json()["version"] == 0


async def test_shapes_that_are_none_are_refused_before_anything_looks_at_them(api: Api) -> None:
    """Corners outside the picture, no numbers, unknown keys, an unknown camera."""
    await tell(api, in_force())
    admin = await api.log_in("admin")
    for wrong in (
        {"zones": [{"name": "z", "polygon": [[2, 0], [0, 1], [1, 1]]}]},
        {"zones": [{"name": "z", "polygon": [["a", 0]]}]},
        {"zones": [{"name": "\u202e", "polygon": YARD["polygon"]}]},
        {"rules": [{"rule": "../x"}]},
        {"rules": [{"rule": "gathering", "params": {"min_people": [1]}}]},
        {"source": "rtsp://x"},
    ):
        answer = await admin.put(URL, json={"based_on": 0, "configuration": wrong})
        assert answer.status_code == 422, wrong
    body = {"based_on": 0, "configuration": None}
    assert (await admin.put("/cameras/none/configuration", json=body)).status_code == 404
    assert (await admin.get("/cameras/none/configuration")).status_code == 404
