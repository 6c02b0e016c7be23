"""A case collects alerts, keeps their evidence, is there only for who may see all of it, and is exported as one signed file."""

from __future__ import annotations

import hashlib
import json
import random
import zipfile
from pathlib import Path
from typing import Any

import pytest
from support.alerts import alert_in
from support.api import PASSWORDS, QUICK, Api

from api.bundle import verify_bundle
from api.schemas_people import Rights

pytestmark = pytest.mark.anyio

CLIP = random.Random(3).randbytes(20_000)
IDS = [str(alert_in(number).alert_id) for number in range(3)]


async def _alerts(api: Api) -> None:
    """Two alerts of the lawn with a clip, one of the gate without evidence."""
    for number, camera in enumerate(("lawn", "lawn", "gate")):
        await api.send(number, camera_id=camera)
        if camera == "lawn":
            headers = {"X-Content-SHA256": hashlib.sha256(CLIP).hexdigest()}
            await api.worker.put(f"/alerts/{IDS[number]}/media/clip", content=CLIP, headers=headers)


async def _case(client: Any, *alerts: str, name: str = "Gate, 17 March") -> int:
    made = await client.post("/cases", json={"name": name, "note": "as the police asked"})
    assert made.status_code == 201, made.text
    case_id = int(made.json()["case_id"])
    for alert_id in alerts:
        assert (await client.put(f"/cases/{case_id}/alerts/{alert_id}")).status_code == 200
    return case_id


async def test_a_case_holds_its_alerts(api: Api) -> None:
    """Putting an alert in holds it, once; it cannot be released while it is in a case; taken out it stays held."""
    await _alerts(api)
    operator = await api.log_in()
    case_id = await _case(operator, IDS[1], IDS[0], IDS[0])
    case = (await operator.get(f"/cases/{case_id}")).json()
    assert [one["alert_id"] for one in case["alerts"]] == IDS[:2]
    assert (case["n_alerts"], case["by"], case["note"]) == (2, "operator", "as the police asked")
    assert all(one["hold"]["by"] == "operator" for one in case["alerts"])
    refused = await operator.delete(f"/alerts/{IDS[0]}/hold")
    assert (refused.status_code, "Gate, 17 March" in refused.json()["detail"]) == (409, True)
    left = (await operator.delete(f"/cases/{case_id}/alerts/{IDS[0]}")).json()
    assert [one["alert_id"] for one in left["alerts"]] == [IDS[1]]
    assert (await operator.get(f"/alerts/{IDS[0]}")).json()["hold"] is not None
    assert (await operator.delete(f"/alerts/{IDS[0]}/hold")).json()["hold"] is None


async def test_names_and_numbers(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A taken or empty name, an unknown case or alert, a full case; a new note; newest first."""
    await _alerts(api)
    operator = await api.log_in()
    first, second = await _case(operator), await _case(operator, name="other")
    assert (await operator.post("/cases", json={"name": "other"})).status_code == 409
    assert (await operator.put(f"/cases/{first}", json={"name": "other"})).status_code == 409
    assert (await operator.post("/cases", json={"name": "  "})).status_code == 422
    assert (await operator.post("/cases", json={"name": "a\u202eb"})).status_code == 422
    changed = await operator.put(f"/cases/{first}", json={"name": "first", "note": "closed"})
    assert (changed.json()["name"], changed.json()["note"]) == ("first", "closed")
    assert [one["case_id"] for one in (await operator.get("/cases")).json()] == [second, first]
    for path in (f"/cases/99/alerts/{IDS[0]}", f"/cases/{first}/alerts/{IDS[0][:-1]}0"):
        assert (await operator.put(path)).status_code == 404
    monkeypatch.setattr("api.db.cases.MAX_ALERTS", 1)
    await operator.put(f"/cases/{first}/alerts/{IDS[0]}")
    assert (await operator.put(f"/cases/{first}/alerts/{IDS[1]}")).status_code == 409
    assert (await operator.get(f"/alerts/{IDS[1]}")).json()["hold"] is None


async def test_a_case_is_there_only_for_who_sees_all_of_it(api: Api) -> None:
    """With one alert of another's camera in it, a case does not exist; nor does an empty one of somebody else. (SEC-06)"""
    await _alerts(api)
    admin = await api.log_in("admin")
    rights = Rights.model_validate({"role": "operator", "cameras": ["lawn"]})
    await api.service.store.people.add("scoped", rights, QUICK.hash(PASSWORDS["operator"]), False, "test")
    scoped = await api.client()
    await scoped.post("/session", json={"name": "scoped", "password": PASSWORDS["operator"]})
    scoped.headers["X-Watchpost-CSRF"] = scoped.cookies["watchpost_csrf"]
    mine, theirs, empty = (
        await _case(admin, IDS[0], name="lawn"),
        await _case(admin, *IDS[1:], name="gate"),
        await _case(admin, name="empty"),
    )
    own = await _case(scoped, name="own")
    assert [one["case_id"] for one in (await scoped.get("/cases")).json()] == [own, mine]
    for hidden in (theirs, empty):
        for method, path, body in (
            ("GET", "", None),
            ("PUT", "", {"name": "x"}),
            ("GET", "/bundle", None),
            ("PUT", f"/alerts/{IDS[0]}", None),
            ("DELETE", f"/alerts/{IDS[1]}", None),
        ):
            answer = await scoped.request(method, f"/cases/{hidden}{path}", json=body)
            assert answer.status_code == 404, (method, path)
    assert (await scoped.put(f"/cases/{own}/alerts/{IDS[2]}")).status_code == 404
    assert (await scoped.get(f"/cases/{mine}")).status_code == 200


async def test_a_case_leaves_the_house_as_one_signed_file(api: Api, tmp_path: Path) -> None:
    """All alerts with their evidence, each in a folder; `verify` finds it whole, and what is changed in any folder."""
    await _alerts(api)
    operator, admin = await api.log_in(), await api.log_in("admin")
    case_id = await _case(operator, *IDS)
    answer = await operator.get(f"/cases/{case_id}/bundle")
    assert answer.status_code == 200
    bundle = tmp_path / "case.zip"
    bundle.write_bytes(answer.content)
    found = verify_bundle(bundle)
    assert found.problems == []
    assert found.about == "case 'Gate, 17 March' of 3 alerts"
    with zipfile.ZipFile(bundle) as held:
        names = set(held.namelist())
        assert held.read(f"{IDS[1]}/clip.mp4") == CLIP
        manifest = json.loads(held.read("manifest.json"))
    wanted = {f"{alert_id}/alert.json" for alert_id in IDS} | {f"{one}/clip.mp4" for one in IDS[:2]}
    assert names == wanted | {"case.json", "manifest.json", "signature.json"}
    assert manifest["not_there"][f"{IDS[2]}/clip"] == "pending"
    data = bytearray(answer.content)
    data[data.index(CLIP) + 9] ^= 1
    bundle.write_bytes(data)
    assert verify_bundle(bundle).problems == [f"{min(IDS[:2])}/clip.mp4 was changed"]
    told = (await admin.get("/audit", params={"about": f"case {case_id}"})).json()["items"]
    done = [one["details"].get("done", one["what"]) for one in told]
    assert done == ["download", "alert added", "alert added", "alert added", "opened"]


async def test_a_blurred_alert_keeps_its_case_in_the_house(api: Api) -> None:
    """Who may not see people clear gets the bundle of a case when all its alerts are revealed."""
    await _alerts(api)
    operator, admin = await api.log_in(), await api.log_in("admin")
    case_id = await _case(operator, *IDS[:2])
    await admin.put("/privacy", json={"blurred": ["operator"]})
    for alert_id in IDS[:2]:
        assert (await operator.get(f"/cases/{case_id}/bundle")).status_code == 403
        await operator.post(f"/alerts/{alert_id}/reveal", json={"reason": "police request"})
    assert (await operator.get(f"/cases/{case_id}/bundle")).status_code == 200
