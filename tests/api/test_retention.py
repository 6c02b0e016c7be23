"""What is kept: by age, verdict and severity; what goes first when room is short; files and rows that fit again."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.alerts import alert_in
from support.api import Api, Clock
from support.disks import read_only

from api.app import create_app
from api.db.retention import Standing
from api.retention import Rules
from api.schemas import MediaKind
from api.settings import Settings
from api.storage import MARKER
from detector.errors import StorageError
from detector.types import Severity

pytestmark = pytest.mark.anyio

DAY_S = 86_400.0
KB10 = 10_240
FALSE = {"verdict": "false", "reason": "animal"}
TRUE = {"verdict": "true"}
UNCLEAR = {"verdict": "unclear", "reason": "poor_view"}


async def put(api: Api, number: int, kind: str = "clip", n_bytes: int = KB10) -> httpx.Response:
    body = bytes([number % 256]) * n_bytes
    headers = {"X-Content-SHA256": hashlib.sha256(body).hexdigest()}
    return await api.worker.put(f"/alerts/{id_of(number)}/media/{kind}", content=body, headers=headers)


def id_of(number: int) -> UUID:
    return alert_in(number).alert_id


async def make(api: Api, number: int, verdict: dict[str, str] | None = None, **changes: Any) -> None:
    """An alert with a clip, and a verdict on it."""
    assert (await api.send(number, **changes)).status_code == 201
    assert (await put(api, number)).status_code == 204
    if verdict:
        person = await api.log_in()
        answer = await person.post(f"/alerts/{id_of(number)}/verdict", json=verdict)
        assert answer.status_code == 200, answer.text


def clip_of(api: Api, number: int) -> Path:
    return api.service.settings.media_dir / str(id_of(number)) / "clip.mp4"


def there(api: Api, n: int) -> set[int]:
    return {number for number in range(n) if clip_of(api, number).exists()}


def back_date(api: Api) -> None:
    """Files get the time of the test's clock, as if they had been written then."""
    for path in api.service.settings.media_dir.rglob("*"):
        os.utime(path, times=(api.clock().timestamp(),) * 2)


@pytest.mark.parametrize(
    ("verdict", "severity", "days"),
    [
        (FALSE, Severity.MEDIUM, 7),
        (FALSE, Severity.HIGH, 7),
        (None, Severity.LOW, 30),
        (UNCLEAR, Severity.MEDIUM, 30),
        (None, Severity.HIGH, 90),
        (TRUE, Severity.LOW, 90),
        (TRUE, Severity.HIGH, 270),
    ],
)
async def test_each_verdict_and_severity_has_its_time(
    api: Api, verdict: dict[str, str] | None, severity: Severity, days: int
) -> None:
    """Evidence is there to the last second of its days and gone after, with the reason; the alert stays."""
    await make(api, 0, verdict, severity=severity)
    api.clock.pass_s(days * DAY_S)
    await api.service.retention.step()
    assert there(api, 1) == {0}
    api.clock.pass_s(1)
    await api.service.retention.step()
    assert there(api, 1) == set()
    reader = await api.log_in("viewer")
    detail = (await reader.get(f"/alerts/{id_of(0)}")).json()
    clip = detail["media"]["clip"]
    assert clip["state"] == "missing"
    assert clip["reason"].startswith(f"removed by retention after {days} days, as evidence of ")
    assert clip["reason"].endswith(f" ({api.clock():%Y-%m-%d %H:%M} UTC)")
    assert detail["facts"] == alert_in(0).facts
    answer = await reader.get(f"/alerts/{id_of(0)}/clip")
    assert (answer.status_code, answer.json()["detail"]) == (404, f"there is no clip: {clip['reason']}")
    assert not clip_of(api, 0).parent.exists(), "an empty folder stayed"


async def test_the_log_says_what_went_why_and_when(api: Api) -> None:
    """Each removed file is one line, newest first, paged by a cursor, and found by its alert."""
    for number in range(3):
        await make(api, number, FALSE, camera_id=f"cam{number}")
        await put(api, number, "snapshot", 100)
        api.clock.pass_s(60)
    api.clock.pass_s(7 * DAY_S)
    await api.service.retention.step()
    reader, url = await api.log_in("viewer"), "/deletions"
    lines, cursor = [], None
    while True:
        params = {"limit": 4} | ({"cursor": cursor} if cursor else {})
        page = (await reader.get(url, params=params)).json()
        lines += page["items"]
        if not (cursor := page["next"]):
            break
    assert len(lines) == 6
    assert {line["camera_id"] for line in lines} == {"cam0", "cam1", "cam2"}
    assert sum(line["bytes"] for line in lines) == 3 * (KB10 + 100)
    assert {(line["kind"], line["why"]) for line in lines} == {("clip", "age"), ("snapshot", "age")}
    assert {line["at"] for line in lines} == {api.clock().isoformat().replace("+00:00", "Z")}
    own = (await reader.get(url, params={"alert_id": str(id_of(1))})).json()["items"]
    assert {line["kind"] for line in own} == {"clip", "snapshot"}
    assert (await reader.get(url, params={"cursor": "x"})).status_code == 422


async def test_a_held_alert_keeps_its_evidence(api: Api) -> None:
    """An operator holds and releases, a viewer cannot; held evidence outlives its time, released it goes."""
    await make(api, 0, FALSE)
    viewer, operator = await api.log_in("viewer"), await api.log_in()
    url = f"/alerts/{id_of(0)}/hold"
    assert (await viewer.put(url)).status_code == 403
    told_at = api.clock().isoformat().replace("+00:00", "Z")
    assert (await operator.put(url)).json()["hold"] == {"by": "operator", "at": told_at}
    api.clock.pass_s(1000 * DAY_S)
    admin, viewer = await api.log_in("admin"), await api.log_in("viewer")
    assert (await admin.put(url)).json()["hold"]["by"] == "operator", "who began to hold it is kept"
    await api.service.retention.step()
    assert there(api, 1) == {0}
    assert (await viewer.get(f"/alerts/{id_of(0)}")).json()["hold"]["by"] == "operator"
    assert (await viewer.delete(url)).status_code == 403
    assert (await admin.delete(url)).json()["hold"] is None
    await api.service.retention.step()
    assert there(api, 1) == set()
    assert (await admin.put(f"/alerts/{uuid4()}/hold")).status_code == 404
    assert (await admin.delete(f"/alerts/{uuid4()}/hold")).status_code == 404


async def evidence_figures(api: Api, name: str, **labels: str) -> float:
    """One of the service's numbers of evidence, as Prometheus is told."""
    answer = await api.worker.get("http://test/metrics")
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            if sample.name == f"watchpost_api_evidence_{name}" and sample.labels == labels:
                return float(sample.value)
    raise AssertionError(f"no {name} {labels}")


async def test_a_hold_is_news(api: Api) -> None:
    """Holding is told to every listener; holding again is not."""
    await make(api, 0)
    operator, head = await api.log_in(), await api.service.store.alerts.head()
    await operator.put(f"/alerts/{id_of(0)}/hold")
    assert await api.service.store.alerts.head() == head + 1
    await operator.put(f"/alerts/{id_of(0)}/hold")
    assert await api.service.store.alerts.head() == head + 1


@pytest.mark.parametrize("more_settings", [{"media_max_gb": 7.5 * KB10 / 1e9, "media_min_free_mb": 0}])
async def test_what_goes_first_when_room_is_short(api: Api) -> None:
    """Dismissed, then over its time, then the oldest nobody confirmed, high severity and true last; held never. (CLP-09)"""
    kinds: list[tuple[dict[str, str] | None, Severity]] = [
        (TRUE, Severity.HIGH), (TRUE, Severity.LOW), (None, Severity.HIGH), (UNCLEAR, Severity.LOW),
        (None, Severity.LOW), (FALSE, Severity.HIGH), (None, Severity.MEDIUM),
    ]  # fmt: skip
    for number, (verdict, severity) in enumerate(kinds):
        await make(api, number, verdict, severity=severity)
        api.clock.pass_s(60)
    operator = await api.log_in()
    await operator.put(f"/alerts/{id_of(6)}/hold")
    assert there(api, 7) == set(range(7))
    wanted = [5, 3, 4, 2, 1, 0]
    for n, first in enumerate(wanted):
        number = 100 + n
        await api.send(number)
        assert (await put(api, number)).status_code == 204
        await operator.put(f"/alerts/{id_of(number)}/hold")
        assert not clip_of(api, first).exists(), f"after {n + 1} new clips {first} should be gone"
        assert there(api, 7) == {6, *wanted[n + 1 :]}
    assert await evidence_figures(api, "removed_total", why="size") == 6
    assert await evidence_figures(api, "removed_bytes_total", why="size") == 6 * KB10
    assert await evidence_figures(api, "state", state="ok") == 1
    detail = (await operator.get(f"/alerts/{id_of(0)}")).json()
    assert "removed by retention: more evidence than there may be" in detail["media"]["clip"]["reason"]
    assert (await operator.get("/health")).json()["problems"] == [], "a limit that is kept is no problem"
    # only held evidence is left: refused, and loudly so; alerts go on
    await api.send(200)
    answer = await put(api, 200)
    assert answer.status_code == 507
    assert "only held evidence is left" in answer.json()["detail"]
    assert not clip_of(api, 200).exists()
    assert await evidence_figures(api, "state", state="full") == 1
    health = (await operator.get("/health")).json()
    assert health["status"] == "degraded"
    assert "only held evidence is left" in " ".join(health["problems"])
    assert (await api.send(201)).status_code == 201
    assert clip_of(api, 6).exists()
    # room again
    await operator.delete(f"/alerts/{id_of(100)}/hold")
    assert (await put(api, 200)).status_code == 204
    assert (await operator.get("/health")).json()["status"] == "ok"


async def test_rows_and_files_fit_again(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """Rows without files say so and are 404; strays go after an hour; what cannot go is counted and retried. (CLP-07)"""
    for number in range(14):
        await make(api, number, FALSE if number == 13 else None)
    root, retention = api.service.settings.media_dir, api.service.retention
    for number in range(10):
        clip_of(api, number).unlink()
    strays = [root / str(id_of(10)) / "stray.mp4", root / str(id_of(11)) / "clip (1).mp4", root / str(uuid4()) / "clip.mp4",
              root / str(id_of(12)) / ".clip.mp4.0.part", root / str(id_of(12)) / "overlay.json"]  # fmt: skip
    foreign = [root / "lost+found" / "kept", root / "holiday.mp4"]
    for path in [*strays, *foreign]:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    back_date(api)
    await retention.step()
    assert all(path.exists() for path in strays), "a young file may be on its way"
    reader = await api.log_in("viewer")
    for number in range(10):
        answer = await reader.get(f"/alerts/{id_of(number)}/clip")
        assert answer.status_code == 404
        assert "file missing on the disk of the service" in answer.json()["detail"]
    api.clock.pass_s(3601)
    with read_only(strays[2].parent):
        await retention.step()
        assert [path.exists() for path in strays] == [False, False, True, False, False]
        assert "1 files cannot be removed" in " ".join((await reader.get("/health")).json()["problems"])
        await retention.step()
    assert caplog.text.count("file cannot be removed") == 1, "told once, not at every pass"
    await retention.step()
    assert not strays[2].exists()
    assert (await reader.get("/health")).json()["problems"] == []
    assert there(api, 14) == {10, 11, 12, 13}
    assert all(path.exists() for path in foreign), "what is not ours is left alone"
    assert caplog.text.count("not evidence, left alone n=2 names=['holiday.mp4', 'lost+found']") == 1
    counts = (retention.counts.n_file_missing, retention.counts.n_strays)
    head = await api.service.store.alerts.head()
    await retention.step()
    assert (retention.counts.n_file_missing, retention.counts.n_strays) == counts == (10, 4)
    assert await api.service.store.alerts.head() == head, "a second pass found something new"


async def test_what_could_not_go_goes_after_a_restart(api: Api) -> None:
    """The file of an alert whose evidence is over cannot be removed and the service ends: the next one removes it. (CLP-07)"""
    await make(api, 0, FALSE)
    back_date(api)
    api.clock.pass_s(7 * DAY_S + 1)
    with read_only(clip_of(api, 0).parent):
        await api.service.retention.step()
        assert there(api, 1) == {0}
    again = create_app(api.service.settings, clock=api.clock, elapsed_s=api.clock.elapsed)
    async with again.router.lifespan_context(again):
        await again.state.service.retention.step()
        assert there(api, 1) == set()
        assert await again.state.service.retention.problems() == []


async def test_a_pass_goes_on_after_a_file_that_cannot_be_removed(api: Api) -> None:
    """Of three that are over their time one cannot be removed: the others go now, it goes when it can. (CLP-07)"""
    for number in range(3):
        await make(api, number, FALSE)
    back_date(api)
    api.clock.pass_s(7 * DAY_S + 1)
    with read_only(clip_of(api, 1).parent):
        await api.service.retention.step()
        assert there(api, 3) == {1}
    await api.service.retention.step()
    assert there(api, 3) == set()


async def test_new_evidence_in_the_place_of_one_that_could_not_go_stays(api: Api) -> None:
    """A retry does not remove what was sent again to the same place meanwhile."""
    await make(api, 0, FALSE)
    api.clock.pass_s(7 * DAY_S + 1)
    with read_only(clip_of(api, 0).parent):
        await api.service.retention.step()
    assert (await put(api, 0, n_bytes=77)).status_code == 204
    await (await api.log_in()).put(f"/alerts/{id_of(0)}/hold")
    await api.service.retention.step()
    assert clip_of(api, 0).stat().st_size == 77


async def test_a_locked_database_puts_a_pass_off(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part of a pass that the database refuses is skipped; the others are done, and it comes next time."""
    await make(api, 0, FALSE)
    await make(api, 1)
    clip_of(api, 1).unlink()
    api.clock.pass_s(7 * DAY_S + 1)

    async def refuse(*_: object) -> None:
        raise StorageError("the database did not do it")

    with monkeypatch.context() as patched:
        patched.setattr(api.service.store.retention.__class__, "expired", refuse)
        await api.service.retention.step()
    assert there(api, 1) == {0}
    assert api.service.retention.counts.n_file_missing == 1
    await api.service.retention.step()
    assert there(api, 1) == set()


async def test_evidence_goes_whatever_became_of_its_camera(api: Api) -> None:
    """Retention follows what is stored: a renamed camera's evidence goes, one's that no worker knows too. (CLP-11)"""
    camera = {"name": "Cam 1", "timezone": "UTC", "width": 0, "height": 0, "zones": [], "rules": []}
    assert (await api.worker.put("/cameras/cam1", json=camera | {"camera_id": "cam1"})).status_code == 204
    await make(api, 0, camera_id="cam1")
    paths = {path for path in api.service.settings.media_dir.rglob("*") if path.is_file()}
    await api.worker.put("/cameras/cam1", json=camera | {"camera_id": "cam1", "name": "Cam 2"})
    assert {path for path in api.service.settings.media_dir.rglob("*") if path.is_file()} == paths
    await make(api, 1, camera_id="never-registered")
    api.clock.pass_s(30 * DAY_S + 1)
    await api.service.retention.step()
    assert [p.name for p in api.service.settings.media_dir.rglob("*")] == [MARKER]


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_berlin")
@pytest.mark.parametrize(
    "started_at",
    [
        datetime(2025, 10, 26, 0, 30, tzinfo=UTC),  # 02:30 in Berlin, and an hour later 02:30 again
        datetime(2025, 10, 19, 0, 30, tzinfo=UTC),  # the clocks go back while it is kept
        datetime(2026, 3, 29, 0, 30, tzinfo=UTC),  # 01:30, and an hour later 03:30
        datetime(2026, 3, 22, 0, 30, tzinfo=UTC),  # they go forward while it is kept
    ],
)
async def test_no_clock_change_makes_retention_early_or_late(api: Api) -> None:
    """Two alerts an hour apart are listed apart, and each goes after its own 7 days, to the second. (CLP-06)"""
    times = []
    for number in range(2):
        times.append(api.clock.now)
        await make(api, number, FALSE, at=api.clock.now)
        await api.service.retention.step()
        api.clock.pass_s(3600)
    reader = await api.log_in("viewer")
    listed = (await reader.get("/alerts")).json()["items"]
    assert [one["at"] for one in listed] == [f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in reversed(times)]
    api.clock.pass_s(7 * DAY_S - 7200)
    await api.service.retention.step()
    assert there(api, 2) == {0, 1}
    for wait_s, left in ((1, {1}), (3599, {1}), (1, set())):
        api.clock.pass_s(wait_s)
        await api.service.retention.step()
        assert there(api, 2) == left


NAMES = [
    "front_door",
    "Front Door",
    "a/b",
    "..",
    "Tor-Überwachung 北",
    "CON",
    "-rf",
    "%2e",
    "lawn",
    "LAWN",
    '"x"\\',
]


async def test_a_cameras_name_is_only_a_label(api: Api) -> None:
    """Evidence of cameras of any name is stored by id, served, and named rightly for saving; renaming moves nothing. (CLP-08)"""
    reader = await api.log_in("viewer")
    for number, name in enumerate(NAMES):
        camera_id = f"c{number}"
        camera = {"camera_id": camera_id, "name": name, "timezone": "UTC", "width": 0, "height": 0}
        told = await api.worker.put(f"/cameras/{camera_id}", json=camera | {"zones": [], "rules": []})
        assert told.status_code == 204, told.text
        await make(api, number, camera_id=camera_id)
        assert clip_of(api, number).is_file()
        answer = await reader.get(f"/alerts/{id_of(number)}/clip")
        assert answer.status_code == 200
        header = answer.headers["content-disposition"]
        assert header.startswith("inline; filename")
        saved_as = httpx.URL("http://x/?" + header.partition("''")[2]).query.decode()
        assert "%2F" not in saved_as
        assert "/" not in header
        assert header.isascii()
        assert f"2026-03-01%2012-00-{number:02}Z%20clip.mp4" in header
    assert len((await reader.get("/alerts")).json()["items"]) == len(NAMES)
    found = {
        path.relative_to(api.service.settings.media_dir).parts[0]
        for path in api.service.settings.media_dir.rglob("*")
    }
    assert found == {MARKER, *(str(id_of(number)) for number in range(len(NAMES)))}
    long = {"camera_id": "long", "name": "x" * 200, "timezone": "UTC", "width": 0, "height": 0}
    refused = await api.worker.put("/cameras/long", json=long | {"zones": [], "rules": []})
    assert refused.status_code == 422
    await make(api, 50, camera_id="long")
    assert clip_of(api, 50).is_file(), "its alerts are stored all the same"


async def test_a_pass_is_bounded_and_ends(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are compared with rows a part at a time, and after some passes all have been looked at."""
    monkeypatch.setattr("api.retention._LOOKED_AT", 2)
    for number in range(7):
        await make(api, number)
    for number in range(7):
        clip_of(api, number).unlink()
    retention = api.service.retention
    seen: list[int] = []
    for _ in range(4):
        await retention.step()
        seen.append(retention.counts.n_file_missing)
    assert seen == [2, 4, 6, 7]


def test_the_rules_are_the_settings(tmp_path: Path) -> None:
    """Each setting of days becomes a cutoff; high severity is longer, but for a false alert."""
    settings = Settings(
        data_dir=tmp_path, keep_true_days=10, keep_open_days=5, keep_false_days=1, keep_high_factor=2
    )
    now = Clock()()
    cutoffs = Rules.of(settings).cutoffs(now)
    days = {standing: (now - before) / timedelta(days=1) for standing, before in cutoffs.items()}
    assert days == {
        Standing.DISMISSED: 1, Standing.ORDINARY: 5, Standing.HIGH: 10,
        Standing.CONFIRMED: 10, Standing.CONFIRMED_HIGH: 20,
    }  # fmt: skip


def test_paths_are_ids(tmp_path: Path) -> None:
    """Each kind of evidence has one place, made of the alert's id and nothing else. (CLP-06, CLP-08)"""
    from api.storage import Storage

    storage = Storage(tmp_path, uuid4(), 0)
    for kind in MediaKind:
        path = storage.path(id_of(0), kind)
        assert path.parent == tmp_path / str(id_of(0))
        assert path.stem == kind.value
