"""Runs the service on a socket and stops it promptly: open streams end before connections are waited for."""

from __future__ import annotations

import socket

import uvicorn
from fastapi import FastAPI

_DRAIN_S = 5  # for uploads under way; what is left then is cut, and sent again by the worker


class Server(uvicorn.Server):
    """uvicorn, which by itself would wait for ever for a listener to leave the feed."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._feed, self._what_ifs = app.state.feed, app.state.what_ifs
        self._own_ports = app.state.own_ports

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say on which ports: nothing that the service sends may come back to it."""
        await super().startup(sockets)
        for listening in (one for server in self.servers for one in server.sockets):
            if listening.family in (socket.AF_INET, socket.AF_INET6):
                self._own_ports.add(listening.getsockname()[1])

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then stop as uvicorn does."""
        self._feed.close()
        self._what_ifs.end()
        await super().shutdown(sockets)


def make_server(app: FastAPI, host: str, port: int) -> Server:
    """A server for `app`; call `run()` in the main thread, or `await serve()`. Port 0 takes a free one."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_DRAIN_S,
    )
    return Server(config, app)
