"""Publishes to an MQTT broker, and says there whether the service is connected.

Below the target's topic: `CAMERA/RULE/alert` each phase as JSON, `CAMERA/RULE/state` retained `ON` while an alert
of this camera and rule goes on and `OFF` otherwise, `status` retained `online`, or `offline` when the service has
left or, as the last will, is gone.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from uuid import uuid4

from aiomqtt import Client, MqttError, Will

from api.outbound.message import Note
from api.outbound.reach import NamedContext, Reach
from api.outbound.sender import LIMIT_S
from api.schemas_outbound import MqttTo
from detector.errors import TargetUnreachable

_KEEPALIVE_S = 30


class Mqtt:
    """One broker."""

    def __init__(self, to: MqttTo, reach: Reach) -> None:
        self._to, self._reach = to, reach
        self._client: Client | None = None
        self._announced = False  # as `online`; a test does not do that

    async def send(self, note: Note) -> str:
        """Publish at least once (QoS 1), then the state that is true now."""
        if note.place is None:
            await self._publish("test", note.json(), retain=False)
            return "published"
        await self.idle()
        place = "/".join(note.place)
        await self._publish(f"{place}/alert", note.json(), retain=False)
        await self._publish(f"{place}/state", b"ON" if note.n_open else b"OFF", retain=True)
        return "published"

    async def idle(self) -> None:
        """Be connected, and known to be."""
        await self._publish("status", b"online", retain=True)
        self._announced = True

    async def close(self) -> None:
        """Say that the service leaves."""
        if self._announced and self._client is not None:
            with suppress(TargetUnreachable):
                await self._publish("status", b"offline", retain=True)
        await self._drop()

    async def _publish(self, topic: str, payload: bytes, *, retain: bool) -> None:
        try:
            if self._client is None:
                self._client = await self._connect()
            await self._client.publish(f"{self._to.topic}/{topic}", payload, qos=1, retain=retain)
        except MqttError as error:
            await self._drop()
            raise TargetUnreachable(f"no connection: {error}") from error

    async def _connect(self) -> Client:
        address = await self._reach.address(self._to.host, self._to.port)
        login: dict[str, Any] = {}
        if self._to.username:
            password = self._to.password
            login = {
                "username": self._to.username,
                "password": password.get_secret_value() if password else None,
            }
        client = Client(
            address,
            self._to.port,
            **login,
            identifier=f"watchpost-{uuid4().hex[:12]}",
            will=Will(f"{self._to.topic}/status", b"offline", qos=1, retain=True),
            tls_context=NamedContext.of(self._to.host) if self._to.tls else None,
            timeout=LIMIT_S,
            keepalive=_KEEPALIVE_S,
        )
        await client.__aenter__()
        return client

    async def _drop(self) -> None:
        client, self._client, self._announced = self._client, None, False
        if client is not None:
            with suppress(MqttError):
                await client.__aexit__(None, None, None)
