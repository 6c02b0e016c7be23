"""What a worker owes, what the service has, and the judgement between the two. `judge` is pure.

An alert is raised at the moment when its OPENED row is committed to the outbox. What is still in the memory of
a worker that is killed was by definition not raised: a gathering that stands on is an alert of the next run.
From that moment the alert is owed, whatever is killed afterwards:

    lost        a committed phase that the service does not have; an alert of which the worker's log told and
                went on, and which the service does not have; an alert without an end; evidence that is neither
                there, whole, nor marked as missing with a reason
    duplicated  the same phase twice, a second beginning or end, or two alerts of one incident in one run
    strange     a phase in the service that no worker ever committed; an alert that follows another which was not
                interrupted, or which is followed already

Two witnesses that do not know of each other say what is owed. A trigger in the outbox's own file notes every
row in the transaction that commits it, so the note outlives the row, which is deleted when it was delivered.
The worker's log tells of an alert before it is committed: when the same life went on to tell of another one,
the first must have been committed.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from uuid import UUID

from api.db.alerts import PAGE_LIMIT, AlertFilter
from api.db.store import Store, open_store
from api.schemas import AlertDetail, MediaKind, MediaState
from api.settings import Settings
from streams.outbox import Outbox

_TRIGGER = """
CREATE TABLE drill_ledger (what TEXT NOT NULL, alert_id TEXT NOT NULL, part TEXT NOT NULL);
CREATE TRIGGER drill_note AFTER INSERT ON rows BEGIN
    INSERT INTO drill_ledger VALUES (new.what, new.alert_id, new.part);
END;
"""
OPENED = re.compile(r" alert .*phase=opened .*alert_id=([0-9a-f-]{36})")
_TOLD = re.compile(r" alert .*phase=\w+ .*alert_id=([0-9a-f-]{36})")

Key = tuple[str, str, int]  # alert id, phase, revision


@dataclass(frozen=True, slots=True)
class Owed:
    """What must have arrived."""

    committed: frozenset[Key]
    told: frozenset[str]  # alert ids, by the workers' logs


@dataclass(frozen=True, slots=True)
class Arrived:
    """One alert as the service has it."""

    alert_id: str
    incident: tuple[str, ...]  # run, camera, rule, zone, start: what two alerts cannot share
    phases: tuple[tuple[str, int], ...]  # in order
    media: Mapping[str, str]  # kind -> "ready", "missing", or what is wrong with it
    end: str = ""  # why it ended
    follows: str = ""  # the interrupted alert that it goes on with


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line for each thing that is not as it must be."""

    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)

    @property
    def right(self) -> bool:
        """Whether everything arrived exactly once."""
        return not (self.lost or self.duplicated or self.strange)

    def as_json(self) -> dict[str, list[str]]:
        """Each kind with its lines."""
        return asdict(self)


def judge(owed: Owed, arrived: Sequence[Arrived]) -> Verdict:
    """Compare what is owed with what is there."""
    verdict = Verdict()
    there = Counter((alert.alert_id, *phase) for alert in arrived for phase in alert.phases)
    ids = Counter(alert.alert_id for alert in arrived)
    verdict.lost.extend(f"{_name(key)} did not arrive" for key in sorted(owed.committed - there.keys()))
    silent = owed.told - ids.keys() - {key[0] for key in owed.committed}
    verdict.lost.extend(f"alert {alert_id} was told in the log, never committed" for alert_id in silent)
    verdict.strange.extend(
        f"{_name(key)} was never committed" for key in sorted(there.keys() - owed.committed)
    )
    verdict.duplicated.extend(f"{_name(key)} is there {n} times" for key, n in there.items() if n > 1)
    verdict.duplicated.extend(f"alert {key} is there {n} times" for key, n in ids.items() if n > 1)
    for alert in arrived:
        _judge_alone(alert, verdict)
    incidents: dict[tuple[str, ...], set[str]] = {}
    for alert in arrived:
        incidents.setdefault(alert.incident, set()).add(alert.alert_id)
    verdict.duplicated.extend(
        f"one incident, {len(same)} alerts: {', '.join(sorted(same))}"
        for same in incidents.values()
        if len(same) > 1
    )
    cut = {alert.alert_id for alert in arrived if alert.end == "interrupted"}
    followed = Counter(alert.follows for alert in arrived if alert.follows)
    verdict.strange.extend(
        f"alert {alert_id} is followed {n} times, interrupted {int(alert_id in cut)} times"
        for alert_id, n in followed.items()
        if n > 1 or alert_id not in cut
    )
    return verdict


def _judge_alone(alert: Arrived, verdict: Verdict) -> None:
    """Whether it begins and ends once, and has its evidence."""
    kinds = Counter(phase for phase, _ in set(alert.phases))
    verdict.duplicated.extend(
        f"alert {alert.alert_id} is {phase} {kinds[phase]} times"
        for phase in ("opened", "closed")
        if kinds[phase] > 1
    )
    if not kinds["closed"]:
        verdict.lost.append(f"the end of alert {alert.alert_id}")
    verdict.lost.extend(
        f"{kind} of alert {alert.alert_id}: {state}"
        for kind, state in alert.media.items()
        if state not in (MediaState.READY, MediaState.MISSING)
    )


def _name(key: Key) -> str:
    return f"{key[1]} {key[2]} of alert {key[0]}"


# ---------------------------------------------------------------- the witnesses


def prepare(outbox: Path) -> None:
    """Make an empty outbox that notes each row it is ever given."""
    Outbox(outbox).close()
    with closing(sqlite3.connect(outbox)) as db:
        db.executescript(_TRIGGER)


def owed_by(outbox: Path, lives: Iterable[Sequence[str]]) -> Owed:
    """What the outbox's notes say, and the log lines of each of the worker's lives."""
    with closing(sqlite3.connect(outbox)) as db:
        rows = db.execute("SELECT alert_id, part FROM drill_ledger WHERE what = 'alert'").fetchall()
    committed = {(alert_id, part.split()[0], int(part.split()[1])) for alert_id, part in rows}
    return Owed(frozenset(committed), frozenset(alert_id for life in lives for alert_id in told_in(life)))


def told_in(life: Sequence[str]) -> list[str]:
    """The alerts that a life's log says were opened, but for a last word that it may not have lived to commit."""
    told = [line for line in life if _TOLD.search(line)]
    return [found[1] for line in told[:-1] if (found := OPENED.search(line))]


async def arrivals(settings: Settings) -> list[Arrived]:
    """Every alert of a service, its evidence compared with the files on disk."""
    found: list[Arrived] = []
    async with open_store(settings) as store:
        cursor: str | None = None
        while True:
            page = await store.alerts.page(AlertFilter(), PAGE_LIMIT, cursor)
            for item in page.items:
                detail = await store.alerts.detail(item.alert_id)
                media = {kind.value: await _state(store, settings, item.alert_id, kind) for kind in MediaKind}
                found.append(_arrived(detail, media))
            if (cursor := page.next) is None:
                return found


def _arrived(detail: AlertDetail, media: Mapping[str, str]) -> Arrived:
    return Arrived(
        alert_id=str(detail.alert_id),
        incident=(
            str(detail.provenance.run_id),
            detail.camera_id,
            detail.rule,
            detail.zone,
            detail.started_at.isoformat(),
        ),
        phases=tuple((phase.phase.value, phase.revision) for phase in detail.history),
        media=media,
        end=str(detail.facts.get("end_reason", "")),
        follows=str(detail.facts.get("follows", "")),
    )


async def _state(store: Store, settings: Settings, alert_id: UUID, kind: MediaKind) -> str:
    """A piece of evidence as told and as it lies there."""
    evidence = await store.alerts.media(alert_id, kind)
    told, sha256 = evidence.media, evidence.sha256
    if told.state is MediaState.MISSING and not told.reason:
        return "missing without a reason"
    if told.state is not MediaState.READY:
        return told.state.value
    files = list((settings.media_dir / str(alert_id)).glob(f"{kind.value}.*"))
    if [hashlib.sha256(file.read_bytes()).hexdigest() for file in files] != [sha256]:
        return "the file is not what was sent"
    return told.state.value
