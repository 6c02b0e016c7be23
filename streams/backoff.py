"""How long to wait before the next attempt. Pure: the clock and the dice are the caller's."""

from __future__ import annotations

from collections.abc import Callable

FIRST_S = 1.0
TOP_S = 60.0
SETTLED_S = 10.0  # a camera that dies every half minute must not end up unwatched for most of the time
REFUSED_LOGIN_S = 300.0  # after a refused login: the next may lock the account, and will hardly be taken
_JITTER = 0.25


class Backoff:
    """Waits of 1 s doubling to 60 s, each shortened by up to a quarter so that cameras do not knock in step.

    The row starts again once a connection has held for `settled_s`: one that breaks at once keeps waiting
    longer.
    """

    def __init__(
        self,
        dice: Callable[[], float],
        *,
        first_s: float = FIRST_S,
        top_s: float = TOP_S,
        settled_s: float = SETTLED_S,
    ) -> None:
        """`dice` gives 0 <= x < 1."""
        self._dice = dice
        self._first_s, self._top_s, self._settled_s = first_s, top_s, settled_s
        self._next_s = first_s
        self._online_since: float | None = None

    def online(self, now_s: float) -> None:
        """The connection works, since now or since the first call after a failure."""
        if self._online_since is None:
            self._online_since = now_s

    def failed(self, now_s: float) -> float:
        """The attempt or the connection is over. Seconds to wait before the next one."""
        if self._online_since is not None and now_s - self._online_since >= self._settled_s:
            self._next_s = self._first_s
        self._online_since = None
        wait_s = self._next_s * (1.0 - _JITTER * self._dice())
        self._next_s = min(self._next_s * 2.0, self._top_s)
        return wait_s
