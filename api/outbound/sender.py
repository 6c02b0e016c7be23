"""What every way out has in common: it sends one message within a limit of time, or says why not."""

from __future__ import annotations

from typing import Protocol

from api.outbound.message import Note

LIMIT_S = 5.0  # for one message, whatever the receiver does


class Sender(Protocol):
    """One target's connection. Owned by one task."""

    async def send(self, note: Note) -> str:
        """Send; returns what the receiver answered. Raises TargetUnreachable, TargetRefused."""
        ...

    async def idle(self) -> None:
        """Called now and then while nothing is to be sent; raises TargetUnreachable."""
        ...

    async def close(self) -> None:
        """Leave in order."""
        ...
