"""The disk of evidence on real small disks: full, taken away, not there at the start, another database's."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.alerts import alert_in
from support.api import Api
from support.disks import bind, fill, small_disk, unmount

from api.app import create_app
from api.settings import Settings
from api.storage import MARKER
from detector.errors import StorageError

pytestmark = pytest.mark.anyio

MB = 1_000_000


async def put(
    api: Api, number: int, body: Any, kind: str = "clip", sha256: str | None = None
) -> httpx.Response:
    digest = sha256 or hashlib.sha256(body).hexdigest()
    url = f"/alerts/{alert_in(number).alert_id}/media/{kind}"
    return await api.worker.put(url, content=body, headers={"X-Content-SHA256": digest})


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


class TestFull:
    """A disk of 8 MB that holds evidence only; then one that holds the database too."""

    @pytest.fixture(params=["evidence", "all"])
    def disk(self, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
        with small_disk(tmp_path / "disk") as disk:
            yield disk

    @pytest.fixture
    def more_settings(self, disk: Path, request: pytest.FixtureRequest) -> dict[str, Any]:
        both = "all" in request.node.callspec.id
        return {"media_dir": disk / "media"} | ({"data_dir": disk} if both else {})

    async def test_the_oldest_goes_before_the_disk_is_full(self, api: Api, disk: Path) -> None:
        """Thirty clips on a disk for seven: all are taken, room stays, alerts go on, the database is whole. (CLP-01)"""
        for number in range(30):
            assert (await api.send(number)).status_code == 201
            assert (await put(api, number, bytes([number]) * MB)).status_code == 204, number
            assert shutil.disk_usage(disk).free > 0.3 * MB
        operator = await api.log_in()
        shown = [(await operator.get(f"/alerts/{alert_in(n).alert_id}/clip")).status_code for n in range(30)]
        n_left = shown.count(200)
        assert shown == [404] * (30 - n_left) + [200] * n_left, "not the oldest went"
        assert n_left >= 4
        assert len((await operator.get("/alerts")).json()["items"]) == 30
        assert len(files(disk / "media")) == n_left + 1

    async def test_full_is_told_and_passes(self, api: Api, disk: Path) -> None:
        """With the disk filled by others: 507 in plain words, no half file, alerts go on; with room again all is well.
        (CLP-01, API-07)"""
        for number in range(3):
            await api.send(number)
        await put(api, 0, b"a" * MB)
        operator = await api.log_in()
        await operator.put(f"/alerts/{alert_in(0).alert_id}/hold")
        filler = fill(disk, leave=400_000)
        before = files(disk / "media")
        answer = await put(api, 1, b"b" * MB)
        assert answer.status_code == 507
        assert "full" in answer.json()["detail"]
        assert "nothing was stored" in answer.json()["detail"]
        assert files(disk / "media") == before
        assert (await api.send(5)).status_code == 201
        health = (await operator.get("/health")).json()
        assert health["status"] == "degraded"
        assert "the disk of the service is full" in " ".join(health["problems"])
        filler.unlink()
        assert (await put(api, 1, b"b" * MB)).status_code == 204
        assert (await operator.get("/health")).json()["status"] == "ok"

    async def test_filled_to_the_last_byte(self, api: Api, disk: Path) -> None:
        """Others leave not one byte: alerts are stored, a pass removes evidence to make room, the database is whole. (CLP-01)"""
        for number in range(4):
            await api.send(number)
            await put(api, number, bytes([number]) * MB)
        fill(disk)
        for number in range(4, 30):
            assert (await api.send(number)).status_code == 201, number
        answer = await put(api, 20, b"b" * 100_000)
        assert answer.status_code == 204, "the oldest evidence gives room for the newest"
        reader = await api.log_in("viewer")
        assert (await reader.get(f"/alerts/{alert_in(0).alert_id}/clip")).status_code == 404
        assert "disk nearly full" in " ".join((await reader.get("/health")).json()["problems"])
        assert shutil.disk_usage(disk).free > 0.3 * MB
        await api.service.retention.step()
        log = (await reader.get("/deletions")).json()["items"]
        assert [line["why"] for line in log] == ["disk"] * len(log)
        if api.service.store.database.kind == "sqlite":
            async with api.service.store.database.reading() as connection:
                assert (await connection.exec_driver_sql("PRAGMA integrity_check")).scalar_one() == "ok"

    async def test_a_body_of_untold_length_ends_before_the_disk_does(self, api: Api, disk: Path) -> None:
        """Chunks without a length on a disk too small for them: 507, the part removed, room left for alerts. (API-07)"""
        await api.send(0)

        async def endless() -> Any:
            for _ in range(100):
                yield bytes(MB)

        answer = await put(api, 0, endless(), sha256="0" * 64)
        assert answer.status_code == 507
        assert files(disk / "media") == [MARKER]
        assert (await api.send(1)).status_code == 201


class TestTakenAway:
    """The folder of evidence is a disk of its own, the database lies elsewhere. (CLP-10)"""

    @pytest.fixture
    def disk(self, tmp_path: Path) -> Iterator[tuple[Path, Path]]:
        """What is on the disk, and where it is mounted."""
        with small_disk(tmp_path / "backing") as backing:
            place = tmp_path / "evidence"
            bind(backing, place)
            yield backing, place
            if place.is_mount():
                unmount(place)

    @pytest.fixture
    def more_settings(self, disk: tuple[Path, Path]) -> dict[str, Any]:
        return {"media_dir": disk[1]}

    async def test_while_running(self, api: Api, disk: tuple[Path, Path]) -> None:
        """Taken away: evidence is 503, nothing is written below or taken for missing, alerts go on; back, all is as before."""
        backing, place = disk
        for number in range(2):
            await api.send(number)
        await put(api, 0, b"a" * 1000)
        reader = await api.log_in("viewer")
        clip = f"/alerts/{alert_in(0).alert_id}/clip"
        unmount(place)
        assert list(place.iterdir()) == []
        answer = await put(api, 1, b"b" * 1000)
        assert answer.status_code == 503
        assert "storage unavailable" in answer.json()["detail"]
        assert (await api.send(2)).status_code == 201
        api.clock.pass_s(7200)
        await api.service.retention.step()
        reader = await api.log_in("viewer")
        gone = await reader.get(clip)
        assert (gone.status_code, "storage unavailable" in gone.json()["detail"]) == (503, True)
        health = (await reader.get("/health")).json()
        assert "not mounted" in " ".join(health["problems"])
        assert list(place.iterdir()) == [], "something was written to the folder below"
        bind(backing, place)
        assert (await put(api, 1, b"b" * 1000)).status_code == 204
        assert (await reader.get(clip)).status_code == 200
        assert (await reader.get("/health")).json()["status"] == "ok"

    async def test_at_the_start(self, disk: tuple[Path, Path], tmp_path: Path) -> None:
        """Started without its disk the service runs, stores alerts and writes nothing below; it resumes by itself."""
        backing, place = disk
        settings = Settings(data_dir=tmp_path / "data", media_dir=place)
        app = create_app(settings)
        async with app.router.lifespan_context(app):
            assert await app.state.service.retention.problems() == []
        unmount(place)
        app = create_app(settings)
        async with app.router.lifespan_context(app):
            service = app.state.service
            assert await service.store.alerts.ingest(alert_in(0))
            (problem,) = await service.retention.problems()
            assert "not mounted" in problem
            await service.retention.step()
            assert list(place.iterdir()) == []
            bind(backing, place)
            assert await service.retention.problems() == []


async def test_the_folder_of_another_database_is_left_alone(tmp_path: Path) -> None:
    """Two services with one folder of evidence: the second writes and removes nothing there, and says why."""
    media = tmp_path / "media"
    first = create_app(Settings(data_dir=tmp_path / "a", media_dir=media))
    async with first.router.lifespan_context(first):
        pass
    stray = media / str(alert_in(0).alert_id) / "clip.mp4"
    stray.parent.mkdir()
    stray.write_bytes(b"x")
    marker = (media / MARKER).read_text()
    second = create_app(Settings(data_dir=tmp_path / "b", media_dir=media))
    async with second.router.lifespan_context(second):
        (problem,) = await second.state.service.retention.problems()
        assert "belongs to another database" in problem
        await second.state.service.retention.step()
    assert stray.exists()
    assert (media / MARKER).read_text() == marker


async def test_a_first_start_that_was_cut_off_is_finished(tmp_path: Path) -> None:
    """Killed between the row and the marker file: the next start writes it."""
    settings = Settings(data_dir=tmp_path / "a")
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        store = app.state.service.store
        marker, placed = await store.retention.marker()
        assert placed
        async with store.database.writing() as write:
            await write.connection.exec_driver_sql("UPDATE storage SET placed = 0")
    (settings.media_dir / MARKER).unlink()
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        assert await app.state.service.retention.problems() == []
    assert (settings.media_dir / MARKER).read_text().strip() == str(marker)


async def test_a_folder_that_cannot_be_made_stops_the_first_start(tmp_path: Path) -> None:
    """An impossible place is a StorageError that names it and the setting."""
    (tmp_path / "file").write_text("")
    app = create_app(Settings(data_dir=tmp_path / "a", media_dir=tmp_path / "file" / "x"))
    with pytest.raises(StorageError, match="WATCHPOST_MEDIA_DIR"):
        async with app.router.lifespan_context(app):
            pass
