"""The feed: all once and in order, resumed after a cut; nobody who cannot follow holds up the rest."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

import pytest
from support.alerts import alert_in
from support.api import Api
from support.listening import Reader

from api.db.session import AlertNews
from api.feed import MAX_CATCH_UP, Feed, FeedResponse, Source
from api.schemas import AlertOut
from detector.errors import StorageError
from detector.types import Phase

pytestmark = pytest.mark.anyio


async def _yes() -> bool:
    return True


async def _none(_change: int, _limit: int) -> list[AlertNews]:
    return []


def _head(number: int) -> Callable[[], Awaitable[int]]:
    async def head() -> int:
        return number

    return head


def _respond(api: Api, last: int | None = None) -> FeedResponse:
    alerts = api.service.store.alerts
    return FeedResponse(api.service.feed, Source(alerts.head, alerts.changes_after, _yes), last)


async def test_a_new_listener_hears_what_comes_after(api: Api) -> None:
    """Without a last number the stream tells where it stands, then sends each change with its number."""
    await api.send(0)
    reader = Reader(_respond(api))
    await reader.until(lambda r: "event: ready" in r.text)
    await api.send(1)
    await api.send(1, Phase.CLOSED, 1)
    await reader.until(lambda r: len(r.ids) == 3)
    reader.left.set()
    await reader.end()
    assert reader.ids == [1, 2, 3]
    data = [json.loads(line[6:]) for line in reader.text.split("\n") if line.startswith('data: {"')]
    assert [AlertOut.model_validate(one).phase for one in data] == [Phase.OPENED, Phase.CLOSED]
    assert api.service.feed.n_listeners == 0


async def test_a_listener_that_was_cut_gets_what_it_missed(api: Api) -> None:
    """With the last number it saw, a listener gets each missed alert once, in order, then the live ones. (API-10)"""
    for number in range(15):
        await api.send(number)
    reader = Reader(_respond(api, last=5))
    await reader.until(lambda r: "event: ready" in r.text)
    await api.send(99)
    await reader.until(lambda r: 16 in r.ids)
    assert reader.ids == list(range(6, 17))
    reader.left.set()
    await reader.end()


async def test_changes_during_the_catch_up_come_once(api: Api) -> None:
    """What is committed while a listener reads what it missed is neither lost nor sent twice."""
    for number in range(5):
        await api.send(number)
    alerts = api.service.store.alerts

    async def slow(change: int, limit: int) -> list[AlertNews]:
        await api.send(5)
        found = await alerts.changes_after(change, limit)
        await api.send(6)
        return found

    reader = Reader(FeedResponse(api.service.feed, Source(alerts.head, slow, _yes), 0))
    await reader.until(lambda r: 7 in r.ids)
    assert reader.ids == [1, 2, 3, 4, 5, 6, 7]
    reader.left.set()
    await reader.end()


@pytest.mark.parametrize("last", [0, 99_999])
async def test_a_listener_too_far_behind_is_told_to_reload(api: Api, last: int) -> None:
    """More missed than the limit, or a number that was never given: `reload`, not a silent hole. (API-10)"""
    one = AlertNews(1, (await _stored(api)).alert)

    async def many(_change: int, limit: int) -> list[AlertNews]:
        return [one] * limit

    reader = Reader(FeedResponse(api.service.feed, Source(_head(5000), many, _yes), last))
    await reader.until(lambda r: "event:" in r.text)
    assert "event: reload" in reader.text
    assert reader.ids == [5000]
    assert MAX_CATCH_UP == 1000
    reader.left.set()
    await reader.end()


async def _stored(api: Api, number: int = 0) -> AlertNews:
    await api.service.store.alerts.ingest(alert_in(number))
    return (await api.service.store.alerts.changes_after(0, 1))[0]


async def test_a_listener_that_stops_reading_is_cut_and_the_others_get_all(api: Api) -> None:
    """A full queue lets its listener go, even one stuck in a send; publishing never waits for it."""
    alert = (await _stored(api)).alert
    feed = Feed(queue_size=8)
    source = Source(_head(0), _none, _yes)
    stuck, good = (
        Reader(FeedResponse(feed, source, None), reads=False),
        Reader(FeedResponse(feed, source, None)),
    )
    await good.until(lambda r: "ready" in r.text)
    await stuck.until(lambda r: "ready" in r.text)
    for change in range(1, 501):
        feed.publish([AlertNews(change, alert)])
        if change % 4 == 0:
            await good.until(lambda r, change=change: change in r.ids)
    await stuck.end()
    assert good.ids == [0, *range(1, 501)]
    assert feed.n_listeners == 1
    good.left.set()
    await good.end()


async def test_silence_is_filled_with_pings() -> None:
    """A quiet stream still speaks, so that both ends notice a dead line."""
    reader = Reader(FeedResponse(Feed(ping_s=0.01), Source(_head(0), _none, _yes), None))
    await reader.until(lambda r: r.text.count(": ping\n\n") >= 2)
    reader.left.set()
    await reader.end()


@pytest.mark.parametrize("busy", [False, True])
async def test_a_stream_ends_with_its_session(monkeypatch: pytest.MonkeyPatch, busy: bool) -> None:
    """Log-out ends an open stream at the next check; a busy database does not."""
    monkeypatch.setattr("api.feed._CHECK_S", 0.01)
    asked = 0

    async def may_go_on() -> bool:
        nonlocal asked
        asked += 1
        if busy and asked == 1:
            raise StorageError("busy")
        return False

    reader = Reader(FeedResponse(Feed(), Source(_head(0), _none, may_go_on), None))
    await reader.end()
    assert asked == (2 if busy else 1)


async def test_a_stopping_service_ends_its_streams() -> None:
    """Closing the feed ends the open streams in good order, and those opened later at once."""
    feed = Feed()
    source = Source(_head(0), _none, _yes)
    open_one = Reader(FeedResponse(feed, source, None))
    await open_one.until(lambda r: "ready" in r.text)
    feed.close()
    late = Reader(FeedResponse(feed, source, None))
    await open_one.end()
    await late.end()
    assert open_one.chunks[-1] == b""
    assert late.chunks[-1] == b""


async def test_a_made_up_number_is_refused(api: Api) -> None:
    """Last-Event-ID is a change number or 422."""
    client = await api.log_in()
    for value in ("x", "-1", "1.5", "9" * 30):
        assert (await client.get("/feed", headers={"Last-Event-ID": value})).status_code == 422
