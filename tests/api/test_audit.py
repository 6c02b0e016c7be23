"""The audit: what is told, that it only grows, that a changed line is found, that nobody waits for it."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy.exc import DBAPIError
from support.alerts import alert_in
from support.api import PASSWORDS, Api

from api.db import audit as audit_module
from api.db.audit import AuditLog, Entry
from api.db.store import open_store
from api.schemas_audit import What
from api.settings import Settings
from detector.errors import StorageError

pytestmark = pytest.mark.anyio

ALERT = f"/alerts/{alert_in().alert_id}"


async def lines(admin: httpx.AsyncClient, **wanted: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await admin.get("/audit", params=wanted)).json()["items"]
    return found[::-1]


async def _evidence(api: Api) -> None:
    await api.send()
    for kind in ("clip", "snapshot"):
        digest = hashlib.sha256(b"film").hexdigest()
        url = f"{ALERT}/media/{kind}"
        await api.worker.put(url, content=b"film", headers={"X-Content-SHA256": digest})


async def test_what_people_do_is_told(api: Api) -> None:
    """Logins good and refused, views, downloads, verdicts, claims, holds, notes, people: each has its line; reads have none."""
    await _evidence(api)
    admin, operator = await api.log_in("admin"), await api.log_in()
    stranger = await api.client()
    await stranger.post("/session", json={"name": "operator", "password": "wrong"})
    await stranger.post("/session", json={"name": "hunter2-secret", "password": "x"})
    for _ in range(3):
        await operator.get(f"{ALERT}/clip", headers={"Range": "bytes=0-1"})
    saved = await operator.get(f"{ALERT}/clip", params={"download": True})
    assert saved.headers["content-disposition"].startswith("attachment")
    await operator.get("/alerts")
    await operator.post(f"{ALERT}/claim", json={})
    await operator.put(f"{ALERT}/hold")
    await operator.post(f"{ALERT}/notes", json={"note": "a note"})
    await operator.post(f"{ALERT}/verdict", json={"verdict": "false", "reason": "animal"})
    await operator.post(f"{ALERT}/reopen", json={})
    await operator.delete(f"{ALERT}/hold")
    await admin.post("/users", json={"name": "eve", "role": "viewer", "cameras": ["lawn"]})
    await operator.delete("/session")
    told = await lines(admin)
    queued = {"login_refused", "view", "download"}
    assert [(one["who"], one["what"]) for one in told if one["what"] not in queued] == [
        ("command line", "configuration"),
        ("test", "configuration"),
        ("admin", "login"),
        ("test", "configuration"),
        ("operator", "login"),
        ("operator", "claim"),
        ("operator", "hold"),
        ("operator", "note"),
        ("operator", "verdict"),
        ("operator", "reopen"),
        ("operator", "hold_ended"),
        ("admin", "configuration"),
        ("operator", "logout"),
    ]
    assert [(one["who"], one["what"]) for one in told if one["what"] in queued] == [
        ("operator", "login_refused"),
        ("?", "login_refused"),
        ("operator", "view"),
        ("operator", "download"),
    ]
    assert "hunter2" not in str(told)
    assert await lines(admin, what="verdict", about=str(alert_in().alert_id)) == [
        one for one in told if one["what"] == "verdict"
    ]
    assert (await api.service.store.audit.check()).n == len(told)


async def test_pages_and_filters(api: Api) -> None:
    """Pages follow each other by number while lines are added; who, what, about and time narrow them."""
    admin, audit = await api.log_in("admin"), api.service.store.audit
    for number in range(30):
        api.clock.pass_s(1)
        audit.queue(Entry("eve" if number % 3 else "bob", What.VIEW, f"a{number}"))
    seen: list[int] = []
    cursor = None
    while True:
        page = {"limit": 7, "who": "eve"} | ({"cursor": cursor} if cursor else {})
        answer = (await admin.get("/audit", params=page)).json()
        seen += [one["id"] for one in answer["items"]]
        audit.queue(Entry("eve", What.VIEW, "late"))
        cursor = answer["next"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 20
    assert seen == sorted(seen, reverse=True)
    some = {"since": "2026-03-01T12:30:05Z", "until": "2026-03-01T14:30:08+02:00", "what": "view"}
    assert [one["about"] for one in await lines(admin, **some)] == ["a4", "a5", "a6"]
    for wrong in ({"cursor": "x"}, {"what": "nothing"}, {"since": "2026-03-01T12:30:05"}, {"limit": 0}):
        assert (await admin.get("/audit", params=wrong)).status_code == 422
    for role in ("operator", "viewer"):
        assert (await (await api.log_in(role)).get("/audit")).status_code == 403


async def test_the_database_refuses_to_change_a_line(api: Api) -> None:
    """Neither an update nor a delete of the audit goes through."""
    await api.log_in("admin")
    for statement in ("UPDATE audit SET who = 'x'", "DELETE FROM audit"):
        with pytest.raises((DBAPIError, StorageError)):
            async with api.service.store.database.writing() as write:
                await write.connection.exec_driver_sql(statement)


async def _tamper(api: Api, statement: str) -> str:
    """What the check says after somebody with the database in hand did this."""
    database = api.service.store.database
    triggers = ("audit_no_update", "audit_no_delete") if database.kind == "sqlite" else ("audit_no_change",)
    on = "" if database.kind == "sqlite" else " ON audit"
    async with database.writing() as write:
        for trigger in triggers:
            await write.connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {trigger}{on}")
        await write.connection.exec_driver_sql(statement)
    return (await api.service.store.audit.check()).broken


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE audit SET who = 'nobody' WHERE id = 4", "line 4: it is not what was written"),
        (
            "UPDATE audit SET at = '2020-01-01 00:00:00.000000' WHERE id = 3",
            "line 3: it is not what was written",
        ),
        ("DELETE FROM audit WHERE id = 5", "line 5: it is missing, the next one is 6"),
        ("DELETE FROM audit WHERE id > 7", "line 8: the end is missing, there was a line 9"),
        ("UPDATE audit SET id = 99 WHERE id = 2", "line 2: it is missing, the next one is 3"),
        ("UPDATE audit_head SET n = 8", "line 9: the head of the chain does not name it"),
    ],
)
async def test_a_changed_line_is_found(api: Api, statement: str, told: str) -> None:
    """The check names the first line that was changed, removed or moved, and an end that was cut off."""
    audit = api.service.store.audit
    for number in range(8):
        audit.queue(Entry("eve", What.VIEW, f"a{number}"))
    await audit.settle()
    assert (await audit.check()).broken == ""
    assert await _tamper(api, statement) == told


async def test_a_hash_kept_elsewhere_finds_a_rewritten_chain(api: Api) -> None:
    """Who rewrites the whole chain is found by a number and a hash that were told before."""
    audit = api.service.store.audit
    audit.queue(Entry("eve", What.VIEW, "a"))
    await audit.settle()
    before = await audit.check()
    assert (await audit.check((before.n, before.hash))).broken == ""
    assert (await audit.check((before.n, "f" * 64))).broken.startswith(
        f"line {before.n}: it has another hash"
    )
    assert (await audit.check((before.n + 1, "f" * 64))).broken.startswith(f"line {before.n + 1}: the end")


async def test_nobody_waits_for_a_look_and_many_share_a_write(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand looks are queued without a write; then they take two, so a worker's alert waits for one of them at most."""
    audit, database = api.service.store.audit, api.service.store.database
    writes, real = 0, AuditLog._append

    async def counted(self: AuditLog, *given: Any) -> None:
        nonlocal writes
        writes += 1
        await real(self, *given)

    monkeypatch.setattr(AuditLog, "_append", counted)
    for number in range(1000):
        audit.look(Entry("eve", What.VIEW, f"a{number % 1000}"))
        audit.look(Entry("eve", What.VIEW, f"a{number % 1000}"))
    assert (writes, database.problems()) == (0, [])
    sent, _ = await asyncio.gather(api.send(), audit.settle())
    assert (sent.status_code, writes) == (201, 2)
    assert (await audit.check()).broken == ""


async def test_a_worker_leaves_no_line(api: Api) -> None:
    """Alerts, evidence and pulses of workers are not in the audit."""
    before = (await api.service.store.audit.check()).n
    await _evidence(api)
    assert (await api.service.store.audit.check()).n == before


async def test_lines_wait_while_the_database_refuses(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be written waits and comes later; when too much waits, evidence is not shown any more."""
    await _evidence(api)
    monkeypatch.setattr(audit_module, "MAX_WAITING", 1)
    operator, real = await api.log_in(), AuditLog._append

    async def refuse(*_given: Any) -> None:
        raise StorageError("busy")

    monkeypatch.setattr(AuditLog, "_append", refuse)
    assert (await operator.get(f"{ALERT}/clip")).status_code == 200
    assert (await operator.get(f"{ALERT}/clip")).status_code == 200, "the same look"
    assert (await operator.get(f"{ALERT}/snapshot")).status_code == 503
    monkeypatch.setattr(AuditLog, "_append", real)
    await api.service.store.audit.settle()
    assert (await operator.get(f"{ALERT}/snapshot")).status_code == 200
    told = await lines(await api.log_in("admin"), what="view")
    assert [one["details"] for one in told] == [{"kind": "clip"}, {"kind": "snapshot"}]
    assert PASSWORDS["operator"] not in str(told)


async def test_the_command_names_the_first_broken_link(tmp_path: Path) -> None:
    """`watchpost audit verify` ends with 0 on a whole chain, with 1 and the number of the first broken line on another."""
    folder = tmp_path / "data"

    async def verify(*more: str) -> tuple[int, str]:
        words = [sys.executable, "-m", "watchpost", "audit", "verify", "--data-dir", str(folder), *more]
        done = await asyncio.create_subprocess_exec(*words, stdout=PIPE, stderr=PIPE)
        told, _ = await done.communicate()
        return done.returncode or 0, told.decode()

    async with open_store(Settings(data_dir=folder)) as store:
        for number in range(3):
            store.audit.queue(Entry("eve", What.VIEW, f"a{number}"))
        await store.audit.settle()
    code, told = await verify()
    assert (code, told.split(",")[0]) == (0, "3 lines")
    assert (await verify("--expect", told.split()[-1]))[0] == 0
    with sqlite3.connect(folder / "watchpost.db") as tampered:
        tampered.execute("DROP TRIGGER audit_no_update")
        tampered.execute("UPDATE audit SET about = 'another' WHERE id = 2")
    tampered.close()
    assert await verify() == (1, "broken at line 2: it is not what was written\n")
    assert (await verify("--expect", "nonsense"))[0] == 2
