"""A real service on an ephemeral loopback port, for tests that need sockets: uvicorn in a thread, SQLite.

`start_api(tmp_path)` gives a running service with an administrator, an operator, a viewer and a worker's
token; call `stop()` when done. Started again on the same folder it is the same service with the same data.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from dataclasses import dataclass
from pathlib import Path

import httpx
from support.api import PASSWORDS, QUICK

from api.app import create_app
from api.auth import create_worker_token
from api.db.store import open_store
from api.schemas_people import Rights
from api.server import Server, make_server
from api.settings import Settings

_DEADLINE_S = 20.0


@dataclass(slots=True)
class LiveApi:
    """A running service; `token` is a worker's, names and passwords are in support.api.PASSWORDS."""

    base_url: str
    token: str
    server: Server
    thread: threading.Thread

    @property
    def worker_headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def log_in(self, name: str = "admin") -> httpx.Client:
        """A client with the cookies and the CSRF header of this person; use it as a context manager."""
        who = {"name": name, "password": PASSWORDS[name]}
        answer = httpx.post(f"{self.base_url}/api/v1/session", json=who).raise_for_status()
        csrf = {"X-Watchpost-CSRF": answer.cookies["watchpost_csrf"]}
        return httpx.Client(base_url=self.base_url, timeout=10, cookies=answer.cookies, headers=csrf)

    def stop(self) -> None:
        """Stop as SIGTERM does, and wait for the end."""
        self.server.should_exit = True
        self.thread.join(_DEADLINE_S)
        assert not self.thread.is_alive(), "the service did not stop"


def start_api(
    folder: Path, *, token: str | None = None, port: int = 0, send_buffer: int | None = None
) -> LiveApi:
    """Start the service on `folder`; give the `token` of an earlier start to keep its people and token.

    `send_buffer`: bytes that the kernel holds of what a client has not read yet; None: as it likes.
    """
    settings = Settings(data_dir=folder / "api")
    if token is None:
        token = asyncio.run(make_people(settings))
    server = make_server(create_app(settings), "127.0.0.1", port)
    started = threading.Event()
    listening = socket.create_server(("127.0.0.1", port))
    if send_buffer is not None:  # connections have it from the socket that took them
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
    thread = threading.Thread(target=_run, args=(server, listening, started), name="live-api", daemon=True)
    thread.start()
    assert started.wait(_DEADLINE_S), "the service did not start"
    return LiveApi(f"http://127.0.0.1:{listening.getsockname()[1]}", token, server, thread)


def _run(server: Server, listening: socket.socket, started: threading.Event) -> None:
    async def serve() -> None:
        running = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started and not running.done():
            await asyncio.sleep(0.005)
        started.set()
        await running

    asyncio.run(serve())


async def make_people(settings: Settings) -> str:
    async with open_store(settings) as store:
        for name, password in PASSWORDS.items():
            await store.people.add(
                name, Rights.model_validate({"role": name}), QUICK.hash(password), False, "test"
            )
        return await create_worker_token(store, "test-worker")
