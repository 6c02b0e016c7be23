"""Asks the service what was configured in the console, and tells it what is in force. Best effort, like the pulse.

Nothing is decided here: versions go to the thread that runs the worker, and what that made of them is read from
`Console.told`.
"""

from __future__ import annotations

import logging
import threading

import httpx
from pydantic import ValidationError

from api.schemas_configuration import AskIn, InForceIn, OrderOut, OrdersOut
from detector.errors import ApiUnreachable, DeliveryError
from streams.console import Console
from streams.courier import send
from streams.flow import Pipe

log = logging.getLogger(__name__)

ASK_S = 2.0
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

    def run(self, stop: threading.Event) -> None:
        """Ask until `stop`."""
        while not stop.is_set():
            stop.wait(ASK_S if self.step() else ASK_S * _SKIP_ASKS)

    def step(self) -> bool:
        """Tell what is new, ask once. False: the service gave no answer."""
        try:
            self._tell()
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

    def _send(self, method: str, url: str, body: str) -> httpx.Response:
        headers = {"Content-Type": "application/json"}
        return send(
            self._client, self._client.build_request(method, url, content=body.encode(), headers=headers)
        )
