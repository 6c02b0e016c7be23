"""The service in a test's own loop: no socket, a clock that the test moves, and the people that tests use."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from argon2 import PasswordHasher
from fastapi import FastAPI
from support.alerts import alert_in

from api.deps import Service
from api.schemas_people import Rights
from detector.types import Phase

PASSWORDS = {
    "admin": "correct horse battery",
    "operator": "staple of nine chairs",
    "viewer": "green tea at noon",
}

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)  # the cost is told by the hash itself


@dataclass(slots=True)
class Clock:
    """Says the time that the test wants, and how much has passed: more or less than that when it jumps."""

    elapsed_s: float = 0.0
    now: datetime = field(default_factory=lambda: datetime(2026, 3, 1, 12, 30, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.now

    def pass_s(self, seconds: float) -> None:
        self.elapsed_s += seconds
        self.now += timedelta(seconds=seconds)

    def elapsed(self) -> float:
        return self.elapsed_s


def client_of(app: FastAPI, **options: Any) -> httpx.AsyncClient:
    """A client that calls the service without a socket."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test/api/v1", **options)


@dataclass(slots=True)
class Api:
    """A started service, and clients that speak to it."""

    app: FastAPI
    clock: Clock
    token: str
    worker: httpx.AsyncClient
    stack: AsyncExitStack
    people: set[str] = field(default_factory=set)

    @property
    def service(self) -> Service:
        service: Service = self.app.state.service
        return service

    async def client(self, **options: Any) -> httpx.AsyncClient:
        return await self.stack.enter_async_context(client_of(self.app, **options))

    async def log_in(self, role: str = "operator") -> httpx.AsyncClient:
        """A client logged in as a person of this role."""
        if role not in self.people:
            await self.service.store.people.add(
                role, Rights.model_validate({"role": role}), QUICK.hash(PASSWORDS[role]), False, "test"
            )
            self.people.add(role)
        client = await self.client()
        answer = await client.post("/session", json={"name": role, "password": PASSWORDS[role]})
        assert answer.status_code == 200, answer.text
        client.headers["X-Watchpost-CSRF"] = client.cookies["watchpost_csrf"]
        return client

    async def send(
        self, number: int = 0, phase: Phase = Phase.OPENED, revision: int = 0, **changes: Any
    ) -> httpx.Response:
        """Post an alert as a worker does."""
        body = alert_in(number, phase, revision, **changes).model_dump_json()
        return await self.worker.post("/alerts", content=body, headers={"Content-Type": "application/json"})
