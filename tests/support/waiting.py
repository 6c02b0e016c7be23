"""Waiting on a condition, with a deadline that only a broken test reaches."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

_DEADLINE_S = 20.0


async def until(holds: Callable[[], bool | Awaitable[bool]]) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(_DEADLINE_S):
        while True:
            found = holds()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.01)
