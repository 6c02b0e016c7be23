"""Asks the service what was configured or is to be tried, tells it what is in force and what a trial found.

Best effort, like the pulse. Nothing is decided here: versions go to the thread that runs the worker, and what that
made of them is read from `Console`; trials run in a process of their own (streams/what_if.py).
"""

from __future__ import annotations

import logging
import threading
from uuid import UUID

import httpx
from pydantic import ValidationError

from api.schemas_configuration import AskIn, InForceIn, OrderOut
from api.schemas_what_if import OrdersOut, WhatIfAnswer, WhatIfOrder
from detector.errors import AlertRefused, ApiUnreachable, ConfigError, DeliveryError
from streams.console import Console
from streams.courier import send
from streams.flow import Pipe
from streams.reader import one_line
from streams.what_if import Runner, failed

log = logging.getLogger(__name__)

ASK_S = 2.0
_TRY_S = 0.2  # while a trial runs
_SKIP_ASKS = 5  # after a failure


class Liaison:
    """One thread's work: `run` until stopped."""

    def __init__(
        self,
        worker_id: str,
        client: httpx.Client,
        console: Console,
        orders: Pipe[OrderOut],
        abandon: threading.Event,
    ) -> None:
        self._worker_id, self._client, self._console = worker_id, client, console
        self._orders, self._abandon = orders, abandon
        self._told: dict[str, InForceIn] = {}
        self._down = ""
        self._runner = Runner()
        self._trying: UUID | None = None  # whose answer is due

    def run(self, stop: threading.Event) -> None:
        """Ask until `stop`."""
        while not stop.is_set():
            answered = self.step()
            stop.wait(_TRY_S if self._runner.busy else ASK_S if answered else ASK_S * _SKIP_ASKS)
        self._runner.end()

    def step(self) -> bool:
        """Tell what is new, ask once. False: the service gave no answer."""
        try:
            self._tell()
            self._tell_trial()
            self._ask()
        except DeliveryError as error:
            if not self._down:
                log.warning("the console's configurations cannot be asked for error=%s", error)
            self._down = str(error)
            self._told = {}  # a service that was away is told everything again
            return False
        self._down = ""
        return True

    def _tell(self) -> None:
        now = self._console.told
        for camera_id, told in now.items():
            if self._told.get(camera_id) != told:
                self._send("PUT", f"cameras/{camera_id}/in-force", told.model_dump_json())
                self._told[camera_id] = told

    def _ask(self) -> None:
        answered = {camera_id: told.answered for camera_id, told in self._console.told.items()}
        body = AskIn(worker_id=self._worker_id, answered=answered).model_dump_json()
        answer = self._send("POST", "orders", body)
        if not answer.content:
            return
        try:
            orders = OrdersOut.model_validate_json(answer.content)
        except ValidationError as error:
            raise ApiUnreachable("the service's orders cannot be read", got=type(error).__name__) from error
        for order in orders.configurations:
            self._orders.put(order, self._abandon)
        for what_if in orders.what_ifs:
            self._try(what_if)

    def _try(self, wanted: WhatIfOrder) -> None:
        if self._runner.busy:
            return self._answer(wanted.what_if_id, failed("the worker tries another configuration now"))
        try:
            trial = self._console.trial(wanted)
        except ConfigError as error:
            return self._answer(wanted.what_if_id, failed(one_line(error.text())))
        self._trying = wanted.what_if_id
        return self._runner.start(trial)

    def _tell_trial(self) -> None:
        found = self._runner.poll()
        if found is not None and self._trying is not None:
            self._answer(self._trying, found)

    def _answer(self, what_if_id: UUID, found: WhatIfAnswer) -> None:
        try:
            self._send("PUT", f"what-ifs/{what_if_id}", found.model_dump_json())
        except AlertRefused as error:  # nobody waits for it any more
            log.info("what-if not taken error=%s", error)

    def _send(self, method: str, url: str, body: str) -> httpx.Response:
        headers = {"Content-Type": "application/json"}
        return send(
            self._client, self._client.build_request(method, url, content=body.encode(), headers=headers)
        )
