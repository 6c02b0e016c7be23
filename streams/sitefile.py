"""Follows the site file of a running worker: says what is to be in force when the file has changed.

A file that cannot be taken as a whole changes nothing. A camera that is wrong in it stays as it was, if it was
watched; the others are taken. [worker] and [detector] are read at the start only. Owned by one thread.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from detector.errors import ConfigError
from streams.config import Site, load_site

log = logging.getLogger(__name__)

LOOK_S = 1.0  # between two looks; a change counts when two see the same, since an editor writes in steps

_Sign = tuple[int, int, int] | None


class SiteFile:
    """The file that a site was loaded from; a site that came from no file is never changed."""

    def __init__(self, site: Site, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._site, self._monotonic = site, monotonic
        self._due_s = 0.0
        self._seen: _Sign = None
        self._taken: _Sign = None  # so it is read once more: it may have changed since it was loaded

    def look(self) -> Site | None:
        """What is to be in force from now on; None: nothing new. Reports what is wrong."""
        path, now_s = self._site.path, self._monotonic()
        if path is None or now_s < self._due_s:
            return None
        self._due_s = now_s + LOOK_S
        before, self._seen = self._seen, _sign(path)
        if self._seen == self._taken or self._seen != before:
            return None
        self._taken = self._seen
        try:
            found = load_site(path)
        except ConfigError as error:
            log.error("site file not taken, all goes on as before error=%s", error)
            return None
        return self._take(found)

    def _take(self, found: Site) -> Site | None:
        if (found.worker, found.detector) != (self._site.worker, self._site.detector):
            log.warning("[worker] or [detector] of the site file changed: it takes effect at the next start")
        after = self._site.taking(found)
        if after == self._site:
            return None
        for wrong in found.rejected:
            log.error("camera not taken from the site file camera_id=%s error=%s", wrong.camera_id, wrong)
        self._site = after
        return after


def _sign(path: Path) -> _Sign:
    """What differs when the file differs; None: it cannot be looked at."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
