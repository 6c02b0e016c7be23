"""Trying a configuration on the past: questions that wait for the worker that has the tracks, and what becomes of past alerts.

Nothing of it is stored: a question lives as long as the request that asks it, so a restart loses no more than that.
Owned by the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from api.schemas_what_if import Fate, Past, WhatIfAnswer, WhatIfLine, WhatIfOrder, Would

TAKEN_WITHIN_S = 15.0  # a worker asks every two seconds, or every ten when it had no answer
HEARD_WITHIN_S = 30.0  # of a worker that is there
ANSWERED_WITHIN_S = 90.0
_MOST = 8  # at a time
_MOST_HEARD = 10_000  # cameras
_NEAR = timedelta(seconds=5)  # how far apart the same incident may be in two judgements
_OTHER_ZONE = timedelta(hours=1)  # what another zone counts when the nearest is looked for


class Busy(Exception):
    """It cannot be asked now; says why."""


class NoAnswer(Exception):
    """No worker took or answered it; says which."""


@dataclass(slots=True)
class _Asked:
    order: WhatIfOrder
    answer: asyncio.Future[WhatIfAnswer]
    taken: asyncio.Event = field(default_factory=asyncio.Event)


class WhatIfs:
    """The questions that are open now."""

    def __init__(self) -> None:
        self._asked: dict[UUID, _Asked] = {}
        self._heard: dict[str, float] = {}  # camera -> when its worker last asked, seconds of the loop

    async def ask(self, order: WhatIfOrder) -> WhatIfAnswer:
        """Wait for what the worker finds. Raises Busy, NoAnswer."""
        with self._open(order) as asked:
            try:
                async with asyncio.timeout(TAKEN_WITHIN_S):
                    await asked.taken.wait()
                async with asyncio.timeout(ANSWERED_WITHIN_S):
                    return await asked.answer
            except TimeoutError:
                what = "answer" if asked.taken.is_set() else "ask for work"
                raise NoAnswer(f"the worker of this camera did not {what} in time") from None

    @contextmanager
    def _open(self, order: WhatIfOrder) -> Iterator[_Asked]:
        heard_s = self._heard.get(order.camera_id)
        if heard_s is None or _loop_s() - heard_s > HEARD_WITHIN_S:
            raise NoAnswer("no worker that keeps tracks of this camera asks for work")
        if order.camera_id in self.waiting:
            raise Busy("somebody tries a configuration on this camera now")
        if len(self._asked) >= _MOST:
            raise Busy("too many configurations are being tried now")
        asked = _Asked(order, asyncio.get_running_loop().create_future())
        self._asked[order.what_if_id] = asked
        try:
            yield asked
        finally:
            del self._asked[order.what_if_id]

    def end(self) -> None:
        """The service stops: whoever waits is told."""
        for asked in self._asked.values():
            if not asked.answer.done():
                asked.answer.set_exception(NoAnswer("the service stops"))
            asked.taken.set()

    def for_worker(self, cameras: Collection[str]) -> list[WhatIfOrder]:
        """What the worker of these cameras is asked; each is given once."""
        self._heard |= dict.fromkeys(cameras, _loop_s())
        if len(self._heard) > _MOST_HEARD:
            self._heard = dict.fromkeys(cameras, _loop_s())
        due = [
            one for one in self._asked.values() if one.order.camera_id in cameras and not one.taken.is_set()
        ]
        for one in due:
            one.taken.set()
        return [one.order for one in due]

    @property
    def waiting(self) -> list[str]:
        """The cameras that somebody asks about now."""
        return [one.order.camera_id for one in self._asked.values()]

    def answer(self, what_if_id: UUID, found: WhatIfAnswer) -> bool:
        """Take an answer; false when nobody waits for it."""
        asked = self._asked.get(what_if_id)
        if asked is None or asked.answer.done():
            return False
        asked.answer.set_result(found)
        return True


def _loop_s() -> float:
    return asyncio.get_running_loop().time()


def covers(spans: Sequence[tuple[datetime, datetime]], at: datetime) -> bool:
    """Whether tracks are kept of a moment, or of just beside it."""
    return any(start - _NEAR <= at <= end + _NEAR for start, end in spans)


def fates(past: Sequence[tuple[Past, datetime | None]], would: Sequence[Would]) -> list[WhatIfLine]:
    """What becomes of each alert, oldest first. `past`: each with its end, None while it goes on.

    Two are the same incident when they are of one rule and overlap in time; each is used once, the nearest first.
    """
    pairs = [
        (_apart(one, other), i, j)
        for i, (one, end) in enumerate(past)
        for j, other in enumerate(would)
        if (one.rule, one.shadow) == (other.rule, other.shadow) and _overlap(one, end, other)
    ]
    matched: dict[int, int] = {}
    taken: set[int] = set()
    for _, i, j in sorted(pairs):
        if i not in matched and j not in taken:
            matched[i] = j
            taken.add(j)
    lines = [
        WhatIfLine(fate=Fate.STAYS, past=one, would=would[matched[i]])
        if i in matched
        else WhatIfLine(fate=Fate.VANISHES, past=one, would=None)
        for i, (one, _) in enumerate(past)
    ]
    lines += [
        WhatIfLine(fate=Fate.APPEARS, past=None, would=one) for j, one in enumerate(would) if j not in taken
    ]
    return sorted(lines, key=_opened)


def _opened(line: WhatIfLine) -> datetime:
    told = line.past or line.would
    assert told is not None
    return told.opened_at


def _apart(past: Past, would: Would) -> timedelta:
    return abs(past.opened_at - would.opened_at) + (timedelta(0) if past.zone == would.zone else _OTHER_ZONE)


def _overlap(past: Past, end: datetime | None, would: Would) -> bool:
    before = end is not None and end + _NEAR < would.started_at
    after = would.ended_at is not None and would.ended_at + _NEAR < past.started_at
    return not (before or after)
