"""The pose network while cameras are watched: fetched, exported and opened in a thread of its own.

A hand-off rule may be added to a worker that runs. Exporting takes minutes and opening a second; meanwhile
pictures are judged without skeletons. What fails (no network, a full disk) is said and tried again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from detector.errors import ModelError, StorageError
from models.catalog import load_card
from models.export import ensure_network
from streams.flow import Pipe, Stage
from streams.pairlook import POSE, Networks, load_networks

log = logging.getLogger(__name__)

RETRY_S = 60.0


def fetch_networks() -> Networks:
    """The networks, put in place first if need be. Raises ModelError, StorageError."""
    ensure_network(load_card(POSE))
    return load_networks()


class PoseFetch:
    """Gives the networks once they are there; asking never waits."""

    def __init__(
        self,
        on_death: Callable[[str, BaseException], None],
        load: Callable[[], Networks] = fetch_networks,
        retry_s: float = RETRY_S,
    ) -> None:
        self._load, self._retry_s = load, retry_s
        self._arrived: Pipe[Networks] = Pipe(1)
        self._begun = False
        self.stage = Stage("pose network", self._run, on_death=on_death)

    def __call__(self) -> Networks | None:
        """None: not yet. The first question begins the work."""
        if not self._begun:
            self._begun = True
            self.stage.start()
        return self._arrived.get(0.0)

    def _run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                self._arrived.put(self._load(), stop)
            except (ModelError, StorageError) as error:
                log.error("no look at hand-offs yet, tried again in %g s error=%s", self._retry_s, error)
                stop.wait(self._retry_s)
            else:
                log.info("hand-offs are looked at")
                return
