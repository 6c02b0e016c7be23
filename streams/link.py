"""One connection as the reader sees it: packets, or the reason why there are none any more.

A live camera that gives nothing for too long is given up here, whatever the library thinks of the connection.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from detector.errors import SourceError, SourceUnreachable, Trouble
from streams.address import Address
from streams.feed import Arrival, Feed
from streams.source import LIMIT_S, Source

_LOOK_S = 0.2  # a silent source is left this often to look at the stop and the limits


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a camera may give nothing, seconds."""

    silence_s: float = LIMIT_S  # without a packet, from the start of an attempt on
    blind_s: float = 30.0  # with packets but no picture: longer than from keyframe to keyframe


class Link:
    """One attempt's wait for packets: looks at the stop, and gives up on a live source that gives nothing."""

    def __init__(self, feed: Feed, monotonic: Callable[[], float], limits: Limits, address: Address) -> None:
        self.newest: Arrival | None = None
        self._feed = feed
        self._monotonic, self._limits = monotonic, limits
        self._address = address
        self._heard_s = self._seen_s = self._monotonic()

    def open(self, stop: threading.Event) -> Source | None:
        """The open source; None: stopped. An open connection is not yet data, so the limit runs on."""
        item = self._take(stop)
        assert not isinstance(item, Arrival), "a feed gives its source first"
        return item

    def next(self, stop: threading.Event) -> Arrival | None:
        """The next packet; None: stopped."""
        item = self._take(stop)
        assert not isinstance(item, Source), "a feed gives one source"
        if item is not None:
            self._heard_s, self.newest = self._monotonic(), item
            if self._address.live and self._heard_s - self._seen_s > self._limits.blind_s:
                raise SourceUnreachable(
                    "no picture",
                    trouble=Trouble.NO_VIDEO,
                    where=self._address.shown,
                    wanted=f"one within {self._limits.blind_s:g} s",
                    got="packets that cannot be decoded",
                    todo="Check the camera's codec and its interval between keyframes",
                )
        return item

    def seen(self) -> None:
        """A picture came out."""
        self._seen_s = self._monotonic()

    def _take(self, stop: threading.Event) -> Source | Arrival | None:
        while not stop.is_set():
            item = self._feed.take(_LOOK_S)
            if isinstance(item, SourceError):
                raise item
            if item is not None:
                return item
            if self._address.live and self._monotonic() - self._heard_s > self._limits.silence_s:
                raise SourceUnreachable(
                    "no data",
                    trouble=Trouble.NO_DATA,
                    where=self._address.shown,
                    wanted=f"a packet within {self._limits.silence_s:g} s",
                    got="silence",
                    todo="Check that the camera streams",
                )
        return None
