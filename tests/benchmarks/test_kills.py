"""Laws of the drill of kills: the judge sees every kind of loss and of doubling, and a small drill finds none."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from support.alerts import alert_in
from typer.testing import CliRunner

import benchmarks.kills
import watchpost
from api.db.alerts import MediaRow
from api.db.store import open_store
from api.schemas import MediaKind
from api.settings import Settings
from benchmarks.children import Child, DrillError, House
from benchmarks.drills import DrillReport
from benchmarks.kills import kills
from benchmarks.ledger import Arrived, Owed, Verdict, arrivals, judge, owed_by, prepare, told_in
from benchmarks.report import Report
from detector.types import Phase
from streams.outbox import Outbox

READY = {"snapshot": "ready", "clip": "missing", "overlay": "ready"}
BOTH = (("opened", 0), ("closed", 1))


def arrived(alert_id, *, phases=BOTH, media=READY, **more):
    return Arrived(alert_id, (alert_id,), tuple(phases), media, **more)


def owed(*ids, told=()):
    return Owed(frozenset((alert_id, *phase) for alert_id in ids for phase in BOTH), frozenset(told))


def test_all_that_is_owed_and_nothing_else_is_right():
    """Two alerts, each begun and ended once, with evidence that is there or said to be missing."""
    verdict = judge(owed("a", "b", told=["a"]), [arrived("a"), arrived("b")])
    assert verdict.right
    assert verdict == Verdict()


def test_a_broken_delivery_is_seen():
    """An outbox that dropped one alert and sent another as two is called lost 2, duplicated 1 (each phase counts)."""
    doubled = [Arrived(alert_id, ("same incident",), BOTH, READY) for alert_id in ("b", "b2")]
    verdict = judge(owed("a", "b", "b2"), doubled)
    assert verdict.lost == ["closed 1 of alert a did not arrive", "opened 0 of alert a did not arrive"]
    assert verdict.duplicated == ["one incident, 2 alerts: b, b2"]
    assert not verdict.right


@pytest.mark.parametrize(
    ("ledger", "there", "lost"),
    [
        (owed("a", told=["z"]), [arrived("a")], "alert z was told in the log, never committed"),
        (Owed(frozenset({("a", "opened", 0)}), frozenset()), [arrived("a", phases=BOTH[:1])], "the end of alert a"),
        (owed("a"), [arrived("a", media=READY | {"clip": "pending"})], "clip of alert a: pending"),
        (owed("a"), [arrived("a", media=READY | {"clip": "missing without a reason"})],
         "clip of alert a: missing without a reason"),
    ],
    ids=["told", "open for ever", "pending", "no reason"],
)  # fmt: skip
def test_each_kind_of_loss_is_named(ledger, there, lost):
    """What the log told, an end, evidence, a reason: each is missed by name."""
    assert judge(ledger, there) == Verdict(lost=[lost])


@pytest.mark.parametrize(
    "there",
    [
        [arrived("a"), arrived("a")],
        [arrived("a", phases=(*BOTH, ("closed", 1)))],
        [arrived("a", phases=(("opened", 0), ("closed", 1), ("closed", 2)))],
    ],
    ids=["alert twice", "row twice", "two ends"],
)
def test_each_kind_of_doubling_is_named(there):
    """A whole alert, one row, or a second end: each is called duplicated."""
    ledger = Owed(frozenset({("a", phase, n) for phase, n in (*BOTH, ("closed", 2))}), frozenset())
    assert judge(ledger, there).duplicated


def test_what_nobody_committed_is_strange():
    """A phase in the service without an origin in the outbox is neither lost nor doubled, and not right."""
    verdict = judge(owed("a"), [arrived("a"), arrived("b")])
    assert verdict.strange == [
        "closed 1 of alert b was never committed",
        "opened 0 of alert b was never committed",
    ]
    assert not verdict.right


def test_a_link_leads_to_an_interrupted_alert_and_once():
    """An alert that follows one which ended by itself, or which is followed already, is strange (API-01)."""
    there = [arrived("a", end="interrupted"), arrived("b", follows="a", end="dispersed")]
    assert judge(owed("a", "b"), there).right
    twice = judge(owed("a", "b", "c"), [*there, arrived("c", follows="a")])
    assert twice.strange == ["alert a is followed 2 times, interrupted 1 times"]
    other = judge(owed("a", "b", "c"), [*there, arrived("c", follows="b")])
    assert other.strange == ["alert b is followed 1 times, interrupted 0 times"]


def test_the_ledger_outlives_the_rows_and_only_what_is_committed_is_in_it(tmp_path):
    """A delivered row is gone from the outbox and still owed; a rolled-back one was never owed."""
    path = tmp_path / "outbox.db"
    prepare(path)
    outbox = Outbox(path)
    outbox.put_alert(alert_in(1))
    outbox.put_alert(alert_in(1))
    outbox.put_media(alert_in(1).alert_id, MediaKind.CLIP, tmp_path / "clip.mp4")
    while (item := outbox.next()) is not None:
        outbox.done(item.seq)
    outbox.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN")
        db.execute("INSERT INTO rows (what, alert_id, part, body) VALUES ('alert', 'x', 'opened 0', '')")
        db.execute("ROLLBACK")
    assert owed_by(path, []) == Owed(frozenset({(str(alert_in(1).alert_id), "opened", 0)}), frozenset())


def test_the_log_is_believed_but_for_the_last_word():
    """What a life told before its last alert line was committed; of the last one nobody knows."""
    ids = [f"{n:08}-0000-0000-0000-000000000000" for n in range(3)]
    line = "INFO streams.analysis alert camera_id=a zone=z phase={} severity=low t=1.0 alert_id={}"
    life = [
        line.format("opened", ids[0]),
        "INFO other",
        line.format("opened", ids[1]),
        line.format("closed", ids[0]),
    ]
    assert told_in(life) == ids[:2]
    assert told_in(life[:3]) == ids[:1]
    assert told_in([]) == []


def test_evidence_is_compared_with_the_file(tmp_path):
    """Evidence of which the service says that it is ready counts only when the file is what was sent."""
    settings = Settings(data_dir=tmp_path)

    async def fill() -> list[Arrived]:
        async with open_store(settings) as store:
            for phase, revision in ((Phase.OPENED, 0), (Phase.CLOSED, 1)):
                await store.alerts.ingest(alert_in(1, phase, revision))
            row = MediaRow(MediaKind.CLIP, "0" * 64, 4, None, None)
            await store.alerts.put_media(alert_in(1).alert_id, row)
            await store.alerts.put_missing(alert_in(1).alert_id, MediaKind.OVERLAY, "no room")
        folder = settings.media_dir / str(alert_in(1).alert_id)
        folder.mkdir(parents=True)
        (folder / "clip.mp4").write_bytes(b"half")
        return await arrivals(settings)

    (alert,) = asyncio.run(fill())
    assert alert.phases == BOTH
    assert alert.media == {
        "clip": "the file is not what was sent",
        "overlay": "missing",
        "snapshot": "pending",
    }


def test_a_child_that_ended_by_itself_is_said(tmp_path):
    """A process that is not there cannot be killed: the drill stops with its last words."""
    child = Child("worker", [sys.executable, "-c", "print('no such camera')"], tmp_path, {})
    child.start()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(DrillError, match=r"ended by itself.*no such camera"):
        child.kill()


def test_a_drill_touches_nothing_of_a_users_service(tmp_path, monkeypatch):
    """A database, a data folder, a token in the environment are a real service's: no child sees them."""
    monkeypatch.setenv("WATCHPOST_DATABASE_URL", "postgresql://real/service")
    monkeypatch.setenv("WATCHPOST_DATA_DIR", "/nowhere/real")
    house = House(tmp_path / "house", threading.Event(), {"WATCHPOST_NETWORKS": "here"})
    assert house.settings.database.drivername == "sqlite+aiosqlite"
    child = Child("env", ["env"], tmp_path, {"WATCHPOST_TOKEN": "ours"})
    child.start()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert [line for line in child.lines() if line.startswith("WATCHPOST_")] == ["WATCHPOST_TOKEN=ours"]
    assert not child.running


def test_leaving_the_house_ends_what_it_started(tmp_path):
    """However the drill is left, Ctrl-C too, no process of it remains."""
    pids = []

    def drill() -> None:
        with House(tmp_path / "house", stop) as house:
            house.service.start()
            pids.append(house.service.pid)
            house.wait("end", lambda: False, 60)

    stop = threading.Event()
    stop.set()
    with pytest.raises(KeyboardInterrupt):
        drill()
    assert not Path(f"/proc/{pids[0]}").exists()


def test_the_command_fails_when_something_is_lost(monkeypatch, tmp_path):
    """Exit code 1, the lines printed and where the evidence of it lies, all of them in the JSON."""
    report = DrillReport(Verdict(lost=["the end of alert a"]), Report([], {}, "unknown"), tmp_path / "kept")
    monkeypatch.setattr(benchmarks.kills, "kills", lambda *_: report)
    monkeypatch.setattr("benchmarks.commands.stop_on_signals", threading.Event)
    out = tmp_path / "out.json"
    done = CliRunner().invoke(watchpost.app, ["drill", "kills", "--n", "2", "--json", str(out)])
    assert done.exit_code == 1
    assert "lost: the end of alert a" in done.output
    assert str(tmp_path / "kept") in done.output
    assert "lost 1, duplicated 0" in done.output
    assert json.loads(out.read_text())["lost"] == ["the end of alert a"]


def test_four_kills_lose_and_double_nothing(tmp_path):
    """kill -9 of worker and service in turn, twice each, with the real processes, of which none is left."""
    told = []
    done = kills(4, 3, threading.Event(), lambda *one: told.append(one), tmp_path)
    assert done.verdict == Verdict()
    figures = {figure.name.removeprefix("drill.kills."): figure.value for figure in done.report.figures}
    assert (figures["lost"], figures["duplicated"]) == (0, 0)
    assert (figures["of_worker"], figures["of_service"]) == (2, 2)
    assert figures["alerts"] >= 4
    assert figures["interrupted"] >= 1
    assert figures["media_complete"] + figures["media_missing"] == 3 * figures["alerts"]
    assert ("kills", 4, 4) in told
    assert not done.folder.exists()
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(tmp_path) not in listed
