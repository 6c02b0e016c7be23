"""A real receiver of webhooks on loopback: it notes what comes, and answers as the test says, when the test says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from support.waiting import until


@dataclass(slots=True)
class Hook:
    """What came, and how the next one is answered."""

    port: int = 0
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    came: list[tuple[dict[str, str], bytes]] = field(default_factory=list)  # headers, body
    answers: threading.Event = field(default_factory=threading.Event)  # cleared: it takes and never answers

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/in/SECRETPATH"

    async def until(self, n: int) -> None:
        """Wait until so many have come."""
        await until(lambda: len(self.came) >= n)


@contextmanager
def hook() -> Iterator[Hook]:
    """A receiver that answers 200."""
    own = Hook()
    own.answers.set()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            own.came.append(({name.lower(): value for name, value in self.headers.items()}, body))
            own.answers.wait()
            try:
                self.send_response(own.status)
                for name, value in own.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()
            except OSError:  # the service has left meanwhile, as it should
                return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    own.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield own
    finally:
        own.answers.set()
        server.shutdown()
        server.server_close()
        thread.join()
