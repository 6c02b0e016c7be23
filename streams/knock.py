"""Waiting for a camera that is away: a plain connection to its port, which asks for nothing, tells that it is back.

Attempts grow rarer with time, since each costs a camera a login and a stream. Without more, a camera that returns
after an hour would be looked at up to a minute later. A knock costs it next to nothing. Only a port that was
closed and opens ends a wait: a camera that answers and then refuses is left alone for as long as it is due.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable

from detector.errors import Trouble
from streams.address import Address

EVERY_S = 1.5
SPREAD_S = 1.0  # cameras that return together are not asked all at once
_LIMIT_S = 1.0  # for one knock
_AWAY = (Trouble.REFUSED, Trouble.NO_ROUTE)
_PERHAPS_AWAY = (*_AWAY, Trouble.NO_DATA, Trouble.LOST, Trouble.UNREADABLE)

Wait = Callable[[threading.Event, float], bool]


def answers(address: Address) -> bool:
    """Whether something listens at a camera's port."""
    try:
        socket.create_connection(address.endpoint, _LIMIT_S).close()
    except OSError:
        return False
    return True


def _has_port(address: Address) -> bool:
    """Whether it can be knocked at. To look up a name may take longer than a stop may, so it must be a number."""
    if not address.live or address.device:
        return False
    try:
        ipaddress.ip_address(address.endpoint[0])
    except ValueError:
        return False
    return True


class Patience:
    """One camera's waits between attempts; its reader's own."""

    def __init__(
        self, address: Address, wait: Wait, dice: Callable[[], float], knock: Callable[[Address], bool]
    ) -> None:
        self._address, self._wait, self._dice, self._knock = address, wait, dice, knock

    def wait(self, stop: threading.Event, wait_s: float, trouble: Trouble) -> None:
        """Wait so long, or until the camera is back, or stopped."""
        away = trouble in _AWAY
        knocks = trouble in _PERHAPS_AWAY and _has_port(self._address)
        while knocks and wait_s > EVERY_S:
            if self._wait(stop, EVERY_S):
                return
            wait_s -= EVERY_S
            there = self._knock(self._address)
            if there and away:
                wait_s = min(wait_s, SPREAD_S * self._dice())
            away = knocks = not there
        self._wait(stop, wait_s)
