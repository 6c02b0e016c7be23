"""One task for each target, so that a slow one holds up no other, nor what is stored and shown here.

A target that cannot be reached rests at growing intervals with all that waits for it; what a target refuses is
tried again later by itself, and what follows goes on. After a day a message is given up. What waits is in the
database; a target's task holds nothing that would be missed after a kill.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

from api.db.outbound import Result, Target, Waiting
from api.db.session import AlertNews, News
from api.db.store import Clock, Store
from api.outbound.message import Note, note_of, test_note
from api.outbound.sender import Sender
from api.schemas_outbound import Outcome, TestOut
from detector.errors import DeliveryError, StorageError, TargetRefused, TargetUnreachable

log = logging.getLogger(__name__)

GIVEN_UP_AFTER = timedelta(days=1)
MOST_WAITING = 10_000  # for one target; beyond it the oldest are left out, and counted
LONGEST_REST_S = 300.0
IDLE_S = 20.0  # how often a quiet target is looked after
_AT_ONCE = 20  # read from the queue in one go
_STORAGE_REST_S = 5.0

MakeSender = Callable[[Target], Sender]


def rest_s(n_failed: int) -> float:
    """How long to wait after so many failures in a row."""
    return min(LONGEST_REST_S, 2.0 ** min(n_failed - 1, 20))


@dataclass(slots=True)
class Line:
    """The way to one target; owned by its task."""

    target: Target
    sender: Sender
    store: Store
    clock: Clock
    note: Callable[[Waiting], Note]
    bell: asyncio.Event = field(default_factory=asyncio.Event)
    n_failed: int = 0  # in a row

    async def run(self) -> None:
        """Deliver for ever."""
        try:
            while True:
                self.bell.clear()
                rest = await self.turn()
                if self.n_failed:  # alerts that come meanwhile do not shorten a rest
                    await asyncio.sleep(rest)
                else:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(rest):
                            await self.bell.wait()
        finally:
            await self.sender.close()

    async def turn(self) -> float:
        """Deliver what is due; returns how many seconds there is nothing to do."""
        outbound = self.store.outbound
        try:
            await outbound.trim(self.target.target_id, MOST_WAITING)
            items = await outbound.due(self.target.target_id, _AT_ONCE)
            for item in items:
                if not await self._try(item):
                    return rest_s(self.n_failed)
            if not items:
                return await self._look_after()
            return 0.0
        except StorageError as error:
            log.error("outbound waits for the database target=%d error=%s", self.target.target_id, error.got)
            return _STORAGE_REST_S

    async def _look_after(self) -> float:
        try:
            await self.sender.idle()
        except TargetUnreachable as error:
            self.n_failed += 1
            await self.store.outbound.tested(self.target.target_id, Result(Outcome.FAILED, error.text(), 0))
            return rest_s(self.n_failed)
        self.n_failed = 0
        due_at = await self.store.outbound.next_due(self.target.target_id)
        if due_at is None:
            return IDLE_S
        return min(IDLE_S, max(0.5, (due_at - self.clock()).total_seconds()))

    async def _try(self, item: Waiting) -> bool:
        """Try one; false when the target has to rest."""
        outbound, now = self.store.outbound, self.clock()
        if now - item.created_at > GIVEN_UP_AFTER:
            await outbound.settle(item, Result(Outcome.EXPIRED, "given up after a day", 0))
            return True
        began = time.monotonic()
        try:
            words = await self.sender.send(self.note(item))
        except TargetRefused as error:
            again = self.clock() + timedelta(seconds=10 * rest_s(item.attempts + 1))
            await outbound.settle(item, Result(Outcome.REFUSED, error.text(), _ms(began), again))
        except TargetUnreachable as error:
            self.n_failed += 1
            await outbound.settle(item, Result(Outcome.FAILED, error.text(), _ms(began), self.clock()))
            return False
        else:
            await outbound.settle(item, Result(Outcome.DELIVERED, words, _ms(began)))
        self.n_failed = 0
        return True


class Outbound:
    """The lines of one service; its state belongs to the event loop."""

    def __init__(
        self, store: Store, make: MakeSender, clock: Clock, snapshot: Callable[[UUID], Path], public_url: str
    ) -> None:
        self._store, self._make, self._clock = store, make, clock
        self._note = lambda item: note_of(item, public_url, snapshot(item.alert.alert_id))
        self._lines: dict[int, tuple[Line, asyncio.Task[None]]] = {}
        self._changed = asyncio.Event()

    def ring(self, news: Sequence[News]) -> None:
        """Something was stored; never waits."""
        if any(isinstance(item, AlertNews) for item in news):
            for line, _ in self._lines.values():
                line.bell.set()

    def changed(self) -> None:
        """Targets were added, changed or removed."""
        self._changed.set()

    async def run(self) -> None:
        """Keep one task for each enabled target, until cancelled."""
        try:
            while True:
                self._changed.clear()
                try:
                    await self._match()
                except StorageError:
                    await asyncio.sleep(_STORAGE_REST_S)
                    continue
                await self._changed.wait()
        finally:
            await self._stop(list(self._lines))

    async def _match(self) -> None:
        wanted = {one.target_id: one for one in await self._store.outbound.targets() if one.enabled}
        await self._stop([key for key, (line, _) in self._lines.items() if wanted.get(key) != line.target])
        for key in wanted.keys() - self._lines.keys():
            line = self.line(wanted[key])
            task = asyncio.create_task(line.run(), name=f"outbound-{key}")
            task.add_done_callback(_tell_fault)
            self._lines[key] = (line, task)

    def line(self, target: Target) -> Line:
        """The way to a target, not yet running."""
        return Line(target, self._make(target), self._store, self._clock, self._note)

    async def _stop(self, keys: Sequence[int]) -> None:
        tasks = {self._lines.pop(key)[1] for key in keys}
        while (
            tasks
        ):  # more than once: on Python 3.11 `wait_for`, in the libraries below, may lose a cancellation
            for task in tasks:
                task.cancel()
            _, tasks = await asyncio.wait(tasks, timeout=0.5)

    async def test(self, target_id: int) -> TestOut:
        """Send a test message now, over a connection of its own. Raises UnknownTarget, StorageError."""
        target = await self._store.outbound.get(target_id)
        sender, began = self._make(target), time.monotonic()
        try:
            words, outcome = await sender.send(test_note(f"test.{uuid4()}")), Outcome.DELIVERED
        except DeliveryError as error:
            words, outcome = error.text(), Outcome.FAILED
        finally:
            await sender.close()
        await self._store.outbound.tested(target_id, Result(outcome, words, _ms(began)))
        return TestOut(delivered=outcome is Outcome.DELIVERED, words=words)


def _tell_fault(task: asyncio.Task[None]) -> None:
    """A line ends only when it is told to: anything else is a fault of ours, and must not be silent."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("outbound line broke task=%s", task.get_name(), exc_info=error)


def _ms(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
