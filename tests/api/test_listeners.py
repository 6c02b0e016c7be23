"""Many listeners on real sockets: those that die, stop reading or come and go harm nobody and leave nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from support.alerts import alert_in
from support.live_api import LiveApi, start_api
from support.waiting import until

pytestmark = pytest.mark.anyio

SMALL = 16 * 1024  # bytes of a socket's buffer
N_ALERTS, N_AT_ONCE = 500, 20
JSON = {"Content-Type": "application/json"}
_HOLD_OPEN = """
import socket, sys
port, request = int(sys.argv[1]), sys.argv[2].encode()
held = [socket.create_connection(("127.0.0.1", port)) for _ in range(10)]
for one in held:
    one.sendall(request)
    one.recv(1)
print("listening", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveApi]:
    api = start_api(tmp_path, send_buffer=SMALL)
    yield api
    api.stop()


def _request(api: LiveApi) -> str:
    """What a browser asks the feed with."""
    with api.log_in("viewer") as person:
        cookies = "; ".join(f"{name}={value}" for name, value in person.cookies.items())
    return f"GET /api/v1/feed HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookies}\r\n\r\n"


def _port(api: LiveApi) -> int:
    return int(api.base_url.rsplit(":", 1)[1])


async def _connect(api: LiveApi, request: str, buffer: int | None = None) -> socket.socket:
    """A listener that has its place in the feed; with a small `buffer` it is soon full."""
    held = socket.socket()
    if buffer is not None:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    held.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(held, ("127.0.0.1", _port(api)))
    await loop.sock_sendall(held, request.encode())
    await loop.sock_recv(held, 1)
    return held


async def _changes(api: LiveApi, held: socket.socket, last: int) -> list[int]:
    """Read a listener's stream until change number `last`; all numbers, in the order in which they came."""
    loop, rest, found = asyncio.get_running_loop(), b"", list[int]()
    while not found or found[-1] < last:
        piece = await loop.sock_recv(held, 65536)
        assert piece, "the service let a healthy listener go"
        *lines, rest = (rest + piece).split(b"\n")
        found += [int(line[4:]) for line in lines if line.startswith(b"id: ")]
    return found


@asynccontextmanager
async def _worker(api: LiveApi) -> AsyncIterator[httpx.AsyncClient]:
    base_url, headers = f"{api.base_url}/api/v1", api.worker_headers
    async with httpx.AsyncClient(base_url=base_url, headers=headers, timeout=60) as client:
        yield client


async def _n_listeners(worker: httpx.AsyncClient) -> int:
    text = (await worker.get(f"{str(worker.base_url).removesuffix('/api/v1/')}/metrics")).text
    (line,) = (one for one in text.splitlines() if one.startswith("watchpost_api_feed_listeners "))
    return int(float(line.split()[1]))


async def test_the_dead_and_the_slow_harm_no_one(live: LiveApi) -> None:
    """Of 50 listeners 10 are killed and 10 stop reading: 30 get all 500 alerts once, in order, the others are let go. (API-03)"""
    request = _request(live)
    child = [sys.executable, "-c", _HOLD_OPEN, str(_port(live)), request]
    with subprocess.Popen(child, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as killed:
        assert killed.stdout is not None
        assert await asyncio.to_thread(killed.stdout.readline) == b"listening\n"
        stuck = [await _connect(live, request, SMALL) for _ in range(10)]
        healthy = [await _connect(live, request) for _ in range(30)]
        async with _worker(live) as worker:
            await until(lambda: _is(_n_listeners(worker), 50))
            async with asyncio.timeout(120), asyncio.TaskGroup() as group:
                reading = [group.create_task(_changes(live, one, N_ALERTS)) for one in healthy]
                os.kill(killed.pid, signal.SIGKILL)
                turn = asyncio.Semaphore(N_AT_ONCE)
                for number in range(N_ALERTS):
                    group.create_task(_post(worker, number, turn))
            assert all(task.result() == list(range(N_ALERTS + 1)) for task in reading)
            await until(lambda: _is(_n_listeners(worker), 30))
    for one in stuck + healthy:
        one.close()


async def _is(counting: Awaitable[int], wanted: int) -> bool:
    return await counting == wanted


async def _post(worker: httpx.AsyncClient, number: int, turn: asyncio.Semaphore) -> None:
    alert = alert_in(number, facts={"told": "x" * 4000})  # soon too much for who does not read
    async with turn:
        answer = await worker.post("/alerts", content=alert.model_dump_json(), headers=JSON)
    assert answer.status_code == 201


def _held() -> tuple[int, int]:
    """Descriptors and threads of this process, in which the service runs."""
    return len(os.listdir("/proc/self/fd")), threading.active_count()


async def test_who_came_and_left_leaves_nothing(live: LiveApi) -> None:
    """A hundred listeners that open the live view and leave: no stream, descriptor or thread of theirs stays. (API-06)"""
    request = _request(live)
    async with _worker(live) as worker:
        for _ in range(5):  # what is made once is there before it is counted
            (await _connect(live, request)).close()
        await until(lambda: _is(_n_listeners(worker), 0))
        before = _held()
        for _ in range(10):
            some = [await _connect(live, request) for _ in range(10)]
            for one in some:
                one.close()
        await until(lambda: _is(_n_listeners(worker), 0))
        await until(lambda: _held() <= before)
