"""The one place where the service is put together: parts, routes, guards, answers to errors."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.auth import Guard
from api.blurred import Blurrer
from api.db.session import News, Publish
from api.db.store import Clock, Store, open_store, utc_now
from api.deps import Service
from api.feed import Feed
from api.media import MediaFolder
from api.metrics import ApiMetrics, Measured
from api.oidc import oidc_of, provider_of
from api.outbound.dispatch import Outbound
from api.outbound.kinds import sender_of
from api.outbound.reach import Reach
from api.retention import Retention, open_storage
from api.routes import (
    alerts,
    audit,
    bundle,
    cameras,
    cases,
    configurations,
    console,
    deletions,
    feed,
    health,
    life,
    metrics,
    oidc,
    outbound,
    people,
    privacy,
    session,
    stats,
    what_if,
    worker,
)
from api.schemas import MediaKind
from api.settings import Settings
from api.signing import load_key
from api.trusted import TrustedClock
from api.what_if import WhatIfs
from detector.errors import StorageError

log = logging.getLogger(__name__)

PREFIX = "/api/v1"
_WATCH_S = 5.0  # how often silent workers are looked for
_MAX_JSON = 8 * 1024 * 1024  # bytes; evidence has limits of its own
_SECURITY = {
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "media-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; "
        "object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def create_app(
    settings: Settings, *, clock: Clock = utc_now, elapsed_s: Callable[[], float] = time.monotonic
) -> FastAPI:
    """The service on these settings; the database is opened and migrated when it starts.

    `elapsed_s` runs evenly, whatever happens to `clock`.

    Raises ConfigError at once for settings it cannot run with, StorageError at start.
    """
    _ = settings.database, provider_of(settings)  # what is wrong is told now, not at the first request
    live, what_ifs = Feed(), WhatIfs()
    counts = ApiMetrics(live)
    own_ports: set[int] = set()  # told by the server once it listens
    reach = Reach(settings.outbound_private, own_ports)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        listeners: list[Publish] = [live.publish]

        def publish(news: Sequence[News]) -> None:
            for tell in listeners:
                tell(news)

        async with open_store(settings, clock=clock, publish=publish) as store:
            storage = await open_storage(settings, store)
            media = MediaFolder(storage, settings.picture_dir)
            retention = Retention(settings, store, storage, TrustedClock(clock, elapsed_s))
            await retention.begin()
            counts.watch(retention)
            signing = await asyncio.to_thread(load_key, settings.data_dir)
            out = Outbound(
                store,
                partial(sender_of, reach=reach, clock=clock),
                clock,
                lambda alert_id: storage.path(alert_id, MediaKind.SNAPSHOT),
                settings.public_url,
            )
            listeners.append(out.ring)
            blurrer = Blurrer(settings.data_dir / "blurred")
            app.state.service = Service(
                settings,
                store,
                live,
                media,
                Guard(store, clock),
                clock,
                counts,
                retention,
                out,
                reach,
                signing,
                blurrer,
                oidc_of(settings, clock),
                what_ifs=what_ifs,
            )
            beside = [
                asyncio.create_task(out.run()),
                asyncio.create_task(_tell_silent_workers(store, live)),
                asyncio.create_task(retention.run()),
                asyncio.create_task(store.audit.run()),
                asyncio.create_task(blurrer.run()),
            ]
            yield
            await blurrer.end()
            await _settle(store)
            live.close()
            for task in beside:
                task.cancel()
            for task in beside:
                with suppress(asyncio.CancelledError):
                    await task

    app = FastAPI(
        title="Watchpost",
        version="1",
        lifespan=lifespan,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        max_body_size=_MAX_JSON,
        redirect_slashes=False,
    )
    app.state.feed, app.state.what_ifs = live, what_ifs
    app.state.own_ports = own_ports
    app.add_middleware(SecurityHeaders)
    app.add_middleware(Measured, metrics=counts)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(StorageError, _answer_storage)
    for part in (
        oidc.router,
        session.open_router,
        session.router,
        worker.router,
        life.router,
        life.handovers_router,
        alerts.router,
        bundle.router,
        cases.router,
        privacy.alerts_router,
        privacy.router,
        people.router,
        people.tokens_router,
        audit.router,
        cameras.router,
        configurations.router,
        what_if.router,
        feed.router,
        deletions.router,
        outbound.router,
        health.router,
        stats.router,
    ):
        app.include_router(part, prefix=PREFIX)
    app.include_router(metrics.router)
    app.include_router(console.router)
    app.mount("/static", console.static_files)
    return app


async def _settle(store: Store) -> None:
    """Write what the audit still has to tell, before the end."""
    try:
        await store.audit.settle()
    except StorageError as error:
        log.error("the audit's last lines are not written error=%s", error.got)


async def _tell_silent_workers(store: Store, live: Feed) -> None:
    """Tell listeners of cameras whose worker fell silent: nothing else would, since nothing was written."""
    states: dict[str, object] = {}
    while True:
        await asyncio.sleep(_WATCH_S)
        try:
            found = await store.cameras.all()
        except StorageError:
            continue
        live.publish([one for one in found if states.get(one.camera_id, one.state) != one.state])
        states = {one.camera_id: one.state for one in found}


async def _answer_invalid(_request: Request, error: Exception) -> JSONResponse:
    """What is wrong and where, without repeating what was sent: it may be a password."""
    assert isinstance(error, RequestValidationError)
    detail = [{"loc": one["loc"], "msg": one["msg"], "type": one["type"]} for one in error.errors()]
    return JSONResponse({"detail": detail}, 422)


async def _answer_storage(_request: Request, error: Exception) -> JSONResponse:
    """Nothing was stored and it is worth trying again."""
    assert isinstance(error, StorageError)
    return JSONResponse({"detail": "the database is busy or full; try again"}, 503, {"Retry-After": "2"})


class SecurityHeaders:
    """Adds the security headers to every answer; pure ASGI, so streams are not held up."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything through; headers that are already set stay."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _SECURITY.items():
                    headers.setdefault(name, value)
                kept = "no-store" if scope["path"].startswith(PREFIX) else "no-cache"
                headers.setdefault("Cache-Control", kept)
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)
