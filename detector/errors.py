"""Every error Watchpost raises on purpose, on one page.

    WatchError
    ├── ConfigError            the site file, a zone, a rule parameter
    ├── ModelError             a card, a weight's hash, a network's input or output, a provider
    ├── SourceError            a camera or a file
    │   ├── SourceUnreachable  no route, refused, login failed, nothing arrives in time (worth a retry)
    │   ├── SourceUnreadable   not a video, no decodable codec, zero pictures (not worth a retry)
    │   └── SourceEnded        the last picture has been read
    ├── StorageError           the disk: full, read-only, gone
    └── DeliveryError          the way to the alert API, or from it to a target outside
        ├── ApiUnreachable     no answer, or 5xx, 408, 429: retried for ever
        ├── AlertRefused       any other 4xx: kept, shown, not retried
        ├── TargetUnreachable  no answer from a target outside, or "later": all that waits for it rests
        └── TargetRefused      a target outside will not have this one: what follows goes on

A message says what happened, where (camera, file, key), what was wanted, what was got, and what to do.
Errors of PyAV, ONNX Runtime, httpx and SQLite are mapped to these at the one file that calls them.
A wrong array shape is a `ValueError` raised by the type itself.
"""

from __future__ import annotations

import math
from enum import StrEnum


class WatchError(Exception):
    """Root of the tree; the command line prints its message and exits with `exit_code`."""

    exit_code = 1

    def __init__(
        self, what: str, *, where: str = "", wanted: str = "", got: str = "", todo: str = ""
    ) -> None:
        self.what, self.where, self.wanted, self.got, self.todo = what, where, wanted, got, todo
        super().__init__(self.text())

    def text(self) -> str:
        """Give one line, `where: what (wanted ..., got ...). To do`."""
        head = f"{self.where}: {self.what}" if self.where else self.what
        pair = ", ".join(
            part
            for part in (
                f"wanted {self.wanted}" if self.wanted else "",
                f"got {self.got}" if self.got else "",
            )
            if part
        )
        body = f"{head} ({pair})" if pair else head
        return f"{body}. {self.todo}" if self.todo else body


class ConfigError(WatchError):
    """The site file, a zone or a rule parameter is wrong."""

    exit_code = 2


class ModelError(WatchError):
    """A network cannot be fetched, verified, exported, loaded or run as its card says."""

    exit_code = 3


class Trouble(StrEnum):
    """What keeps a camera from being seen, as a word that programs and lists can rely on."""

    NONE = ""
    NO_ROUTE = "no_route"  # the network does not lead there
    REFUSED = "refused"  # nobody listens, or the connection was refused
    AUTH_FAILED = "auth_failed"  # the login was refused: asked again rarely, since cameras lock accounts
    NOT_FOUND = "not_found"  # the camera or file is there, this stream is not
    NO_VIDEO = "no_video"  # what comes holds no video that can be decoded
    NO_DATA = "no_data"  # connected, and then silence
    LOST = "lost"  # the camera ended a stream that was running
    FROZEN = "frozen"  # pictures come, and they are the same one
    UNREADABLE = "unreadable"  # anything else that is wrong with what comes
    MISCONFIGURED = "misconfigured"  # what is written of it is wrong, so it is not watched
    NO_WORKER = "no_worker"  # nobody has said for a while how it is


class SourceError(WatchError):
    """A camera or a file does not give pictures."""

    exit_code = 4

    def __init__(
        self,
        what: str,
        *,
        trouble: Trouble = Trouble.UNREADABLE,
        where: str = "",
        wanted: str = "",
        got: str = "",
        todo: str = "",
    ) -> None:
        self.trouble = trouble
        super().__init__(what, where=where, wanted=wanted, got=got, todo=todo)


class SourceUnreachable(SourceError):
    """Nothing answers, or nothing arrives in time; a retry may help."""


class SourceUnreadable(SourceError):
    """What answers is not a video that can be decoded; a retry does not help."""


class SourceEnded(SourceError):
    """The last picture has been read."""


class StorageError(WatchError):
    """The disk refused a write."""

    exit_code = 5


class DeliveryError(WatchError):
    """An alert could not be handed to the API."""

    exit_code = 6


class ApiUnreachable(DeliveryError):
    """No answer, or one that says try again later."""


class AlertRefused(DeliveryError):
    """The API will never accept this; it is kept and shown, not retried."""


class TargetUnreachable(DeliveryError):
    """A target outside did not answer, may not be reached, or says try again later."""


class TargetRefused(DeliveryError):
    """A target outside answered that it will not have this message."""


def check_range(name: str, value: float, low: float, high: float, *, above: bool = False) -> None:
    """Raise ConfigError unless value is a finite number in low..high (`above`: low itself is refused)."""
    if not math.isfinite(value) or not low <= value <= high or (above and value == low):
        wanted = f"more than {low:g}, at most {high:g}" if above else f"{low:g}-{high:g}"
        raise ConfigError("out of range", where=name, wanted=wanted, got=f"{value:g}")
