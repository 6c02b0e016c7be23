"""A clock that jumps removes nothing: not forward, not back, not at a start, whatever the year. (ING-13)"""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.alerts import alert_in
from support.api import Api, Clock

from api.app import create_app
from api.settings import Settings
from api.trusted import TrustedClock

HOUR_S, DAY_S = 3600.0, 86_400.0
YEAR = timedelta(days=365)
CLIP = b"clip"


def trusted(clock: Clock) -> TrustedClock:
    found = TrustedClock(clock, clock.elapsed)
    found.begin(clock.now)
    return found


@pytest.mark.parametrize("days", [-50 * 365, -400, 400, 50 * 365])
def test_a_clock_far_away_is_never_believed_by_itself(days: int) -> None:
    """More than a year off, however long and steadily; back within a day it is believed at once."""
    clock = Clock()
    host = trusted(clock)
    clock.now += timedelta(days=days)
    for _ in range(400):
        clock.pass_s(DAY_S)
        assert host.now() is None
    assert ("jumped" in host.doubt) or ("the clock says" in host.doubt)
    clock.now -= timedelta(days=days)
    assert host.now() == clock.now
    assert host.doubt == ""


@pytest.mark.parametrize("days", [-365, -30, 4, 30, 365])
def test_a_clock_that_is_steady_for_six_hours_is_believed(days: int) -> None:
    """Within a year (a service that was off, a clock set right): six hours after its last jump."""
    clock = Clock()
    host = trusted(clock)
    clock.now += timedelta(days=days / 2)
    assert host.now() is None
    clock.pass_s(3 * HOUR_S)
    clock.now += timedelta(days=days / 2)
    assert host.now() is None
    clock.pass_s(6 * HOUR_S - 1)
    assert host.now() is None, "it jumped less than six hours ago"
    clock.pass_s(1)
    assert host.now() == clock.now


def test_a_clock_that_runs_and_is_adjusted_is_believed() -> None:
    """Passes a minute or a month apart, a clock change, a step of some hours: no doubt; also across 2038."""
    clock = Clock(now=datetime(2038, 1, 19, 3, 0, tzinfo=UTC))
    host = trusted(clock)
    for step_s, jump_s in ((60, 0), (60, 3600), (60, -7200), (900, 0), (30 * DAY_S, 0), (60, 80_000)):
        clock.pass_s(step_s)
        clock.now += timedelta(seconds=jump_s)
        assert host.now() == clock.now


@pytest.mark.anyio
class TestService:
    """The whole service on a clock that jumps."""

    async def _make(self, api: Api, number: int) -> None:
        assert (await api.send(number)).status_code == 201
        headers = {"X-Content-SHA256": hashlib.sha256(CLIP).hexdigest()}
        url = f"/alerts/{alert_in(number).alert_id}/media/clip"
        assert (await api.worker.put(url, content=CLIP, headers=headers)).status_code == 204

    def _clip(self, api: Api, number: int) -> Path:
        return api.service.settings.media_dir / str(alert_in(number).alert_id) / "clip.mp4"

    async def test_fifty_years_forward_and_back(self, api: Api) -> None:
        """Nothing goes, no stray either; health says why; what came meanwhile is kept for its days from the return on."""
        await self._make(api, 0)
        stray = self._clip(api, 0).with_name("stray.mp4")
        stray.write_bytes(b"x")
        os.utime(stray, times=(api.clock().timestamp(),) * 2)
        await api.service.retention.step()
        api.clock.now += 50 * YEAR
        for _ in range(3):
            api.clock.pass_s(DAY_S)
            await api.service.retention.step()
        await self._make(api, 1)
        health = (await api.worker.get("/health")).json()
        assert health["status"] == "degraded"
        assert "the clock jumped 18250 days ahead: nothing is removed by age" in " ".join(health["problems"])
        assert stray.exists()
        api.clock.now -= 50 * YEAR
        await api.service.retention.step()
        assert (await api.worker.get("/health")).json()["problems"] == []
        assert not stray.exists(), "it is three days old now"
        for wait_s, left in ((27 * DAY_S, [True, True]), (1, [False, True]), (3 * DAY_S, [False, False])):
            api.clock.pass_s(wait_s)
            await api.service.retention.step()
            assert [self._clip(api, number).exists() for number in range(2)] == left

    @pytest.mark.parametrize("started_at", [datetime(1970, 1, 1, 0, 0, 10, tzinfo=UTC)])
    async def test_a_start_at_1970(self, api: Api) -> None:
        """A host without a battery starts at 1970 and its clock is set later: its first alerts are kept for their days."""
        await self._make(api, 0)
        await api.service.retention.step()
        assert "the clock says 1970-01-01" in (await api.worker.get("/health")).text
        api.clock.pass_s(60)
        api.clock.now += 56 * YEAR
        for wait_s, left in ((0, True), (30 * DAY_S, True), (1, False)):
            api.clock.pass_s(wait_s)
            await api.service.retention.step()
            assert self._clip(api, 0).exists() == left

    @pytest.mark.parametrize("started_at", [datetime(2038, 1, 19, 3, 14, 0, tzinfo=UTC)])
    async def test_across_2038(self, api: Api) -> None:
        """Alerts, evidence and retention go on at 2038-01-19T03:14:08Z and after."""
        await self._make(api, 0)
        api.clock.pass_s(60)
        await self._make(api, 1)
        for wait_s, left in ((30 * DAY_S - 60, [True, True]), (1, [False, True]), (60, [False, False])):
            api.clock.pass_s(wait_s)
            await api.service.retention.step()
            assert [self._clip(api, number).exists() for number in range(2)] == left


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("off_days", "believe", "kept_s"), [(60, False, 6 * HOUR_S), (400, True, 0), (0.9, False, None)]
)
async def test_a_start_after_a_long_time(
    tmp_path: Path, off_days: float, believe: bool, kept_s: float | None
) -> None:
    """After 60 days off nothing goes for six hours; after more than a year only when a person says that the clock is right."""
    clock = Clock()
    settings = Settings(data_dir=tmp_path / "data")
    app = create_app(settings, clock=clock, elapsed_s=clock.elapsed)
    async with app.router.lifespan_context(app):
        await app.state.service.store.alerts.ingest(alert_in(0))
        await app.state.service.retention.step()
    stray = settings.media_dir / str(alert_in(0).alert_id) / "stray.mp4"
    stray.parent.mkdir()
    stray.write_bytes(b"x")
    os.utime(stray, times=(clock().timestamp(),) * 2)
    clock.now += timedelta(days=off_days)
    settings = Settings(data_dir=tmp_path / "data", believe_clock=believe)
    app = create_app(settings, clock=clock, elapsed_s=clock.elapsed)
    async with app.router.lifespan_context(app):
        retention = app.state.service.retention
        await retention.step()
        if kept_s:
            assert stray.exists()
            assert "jumped" in " ".join(await retention.problems())
            clock.pass_s(kept_s)
            await retention.step()
        assert not stray.exists()
        assert await retention.problems() == []
