"""Pages follow each other without a gap or a repeat while alerts come and go."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import delete
from support.alerts import START, alert_in
from support.api import Api

from api.db import tables as tb
from api.db.cursor import BadCursor, decode, encode

pytestmark = pytest.mark.anyio


async def test_each_alert_is_seen_once_while_others_come_and_go(api: Api) -> None:
    """200 alerts of one instant, while at each page 5 more come and the cursor's own alert is deleted. (API-05)"""
    store = api.service.store
    await asyncio.gather(*(store.alerts.ingest(alert_in(number, at=START)) for number in range(200)))
    before = {str(alert_in(number).alert_id) for number in range(200)}
    reader, seen, cursor, more = await api.log_in(), [], None, 1000
    while True:
        params = {"limit": 20} | ({"cursor": cursor} if cursor else {})
        page = (await reader.get("/alerts", params=params)).json()
        seen += [item["alert_id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
        await asyncio.gather(*(store.alerts.ingest(alert_in(n, at=START)) for n in range(more, more + 5)))
        more += 5
        async with store.database.writing() as write:
            last = alert_in(_number_of(seen[-1])).alert_id
            await write.connection.execute(delete(tb.alerts).where(tb.alerts.c.alert_id == last))
    assert len(seen) == len(set(seen))
    assert set(seen) == before


def _number_of(alert_id: str) -> int:
    return next(number for number in range(2000) if str(alert_in(number).alert_id) == alert_id)


async def test_the_limit_is_capped(api: Api) -> None:
    """A huge limit gives 200, zero is refused."""
    await asyncio.gather(*(api.service.store.alerts.ingest(alert_in(number)) for number in range(205)))
    reader = await api.log_in()
    page = (await reader.get("/alerts", params={"limit": 100_000})).json()
    assert len(page["items"]) == 200
    assert page["next"]
    assert (await reader.get("/alerts", params={"limit": 0})).status_code == 422


@pytest.mark.parametrize(
    "cursor", ["", "x", "MTow", "Mjo1", "MTotMQ", "MTphYmM", "////", "é", "MTo5OTk5OTk5OTk5OTk5"]
)
async def test_a_made_up_cursor_is_refused(api: Api, cursor: str) -> None:
    """A cursor that no page gave is 422, not a wrong page."""
    reader = await api.log_in()
    assert (await reader.get("/alerts", params={"cursor": cursor})).status_code == 422


def test_a_cursor_comes_back_whole() -> None:
    """Decoding undoes encoding."""
    assert [decode(encode(n)) for n in (1, 12, 123, 2**31 - 1)] == [1, 12, 123, 2**31 - 1]
    with pytest.raises(BadCursor):
        decode(encode(0))
