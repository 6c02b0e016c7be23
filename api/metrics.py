"""What the service counts for Prometheus. Every label has a fixed set of values, so the series are bounded.

A request is told by the template of its route and the class of its status, never by its address; what fits no
route is "unmatched". One process serves, so totals are whole.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from fastapi.routing import iter_route_contexts
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.feed import Feed
from api.retention import Disk, Retention
from api.schemas_storage import Why
from api.storage import Usage
from detector.types import Phase

UNMATCHED = "unmatched"
_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class ApiMetrics:
    """The counts of one service, in a registry of their own."""

    def __init__(self, feed: Feed) -> None:
        self._registry = own = CollectorRegistry()
        ProcessCollector(registry=own)
        self._requests = Counter(
            "watchpost_api_requests", "Requests answered", ["route", "status"], registry=own
        )
        self._seconds = Histogram(
            "watchpost_api_request_seconds",
            "Seconds until the answer began",
            ["route"],
            buckets=_BUCKETS_S,
            registry=own,
        )
        self._alerts = Counter(
            "watchpost_api_alerts_received",
            "Phases of alerts stored, repeats left out",
            ["phase"],
            registry=own,
        )
        for phase in Phase:
            self._alerts.labels(phase.value)  # told as 0 before the first
        listeners = Gauge("watchpost_api_feed_listeners", "Open streams of the live feed", registry=own)
        listeners.set_function(lambda: feed.n_listeners)
        self._degraded = Gauge("watchpost_api_degraded", "1: /health tells a problem", registry=own)

    def watch(self, retention: Retention) -> None:
        """Tell of this service's evidence too."""
        self._evidence = _Evidence(retention)
        self._registry.register(self._evidence)

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._requests.labels(route, f"{status // 100}xx").inc()
        self._seconds.labels(route).observe(seconds)

    def alert_stored(self, phase: Phase) -> None:
        """Count one phase of an alert that was new."""
        self._alerts.labels(phase.value).inc()

    def page(self, *, degraded: bool, usage: Usage | None) -> bytes:
        """All of it in Prometheus' text format. `usage`: of the disk of evidence; None: it does not answer."""
        self._degraded.set(float(degraded))
        self._evidence.usage = usage
        return generate_latest(self._registry)


class _Evidence(Collector):
    """What there is of evidence and what went, read when asked."""

    def __init__(self, retention: Retention) -> None:
        self.usage: Usage | None = None
        self._retention = retention

    def collect(self) -> Iterator[Metric]:
        """Every number there is now."""
        retention, figures = self._retention, self._retention.figures
        gauges = [
            ("stored_bytes", "Evidence that is stored", figures.stored_bytes),
            ("held_bytes", "Evidence of alerts that people hold", figures.held_bytes),
            ("files_left", "Files that could not be removed", figures.n_left),
        ]
        if self.usage is not None:
            gauges += [
                ("free_bytes", "Free on the disk of evidence", self.usage.free),
                ("total_bytes", "Size of the disk of evidence", self.usage.total),
            ]
        for name, meaning, value in gauges:
            yield GaugeMetricFamily(f"watchpost_api_evidence_{name}", meaning, value=value)
        states = GaugeMetricFamily(
            "watchpost_api_evidence_state", "1: the disk of evidence is in this state", labels=["state"]
        )
        for state in Disk:
            states.add_metric([state.value], float(retention.disk is state))
        counts = retention.counts
        removed = CounterMetricFamily(
            "watchpost_api_evidence_removed", "Pieces of evidence removed", labels=["why"]
        )
        removed_bytes = CounterMetricFamily(
            "watchpost_api_evidence_removed_bytes", "Bytes of evidence removed", labels=["why"]
        )
        for why in (Why.AGE, Why.SIZE, Why.DISK):
            removed.add_metric([why.value], counts.n_removed[why])
            removed_bytes.add_metric([why.value], counts.removed_bytes[why])
        yield from (states, removed, removed_bytes)
        for name, meaning, value in (
            ("files_missing", "Evidence whose file was found to be gone", counts.n_file_missing),
            ("strays_removed", "Files removed that no alert points to", counts.n_strays),
        ):
            yield CounterMetricFamily(f"watchpost_api_evidence_{name}", meaning, value=value)


class Measured:
    """Counts every request by its route; pure ASGI, so streams are not held up."""

    def __init__(self, app: ASGIApp, metrics: ApiMetrics) -> None:
        self._app = app
        self._metrics = metrics
        self._templates: dict[object, str] | None = None  # of each endpoint, known once the app is whole

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything through; an answer that never began was an error of ours."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status, took_s = time.monotonic(), 500, 0.0

        async def noting(message: Message) -> None:
            nonlocal status, took_s
            if message["type"] == "http.response.start":
                status, took_s = message["status"], time.monotonic() - began
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            self._metrics.answered(self._route(scope), status, took_s or time.monotonic() - began)

    def _route(self, scope: Scope) -> str:
        if self._templates is None:
            self._templates = _templates(scope["app"].routes)
        return self._templates.get(scope.get("endpoint"), UNMATCHED)


def _templates(routes: Iterable[BaseRoute]) -> dict[object, str]:
    """Which endpoint answers at which template; a mount's is its prefix."""
    found: dict[object, str] = {}
    for route in iter_route_contexts(list(routes)):
        endpoint = getattr(route.original_route, "endpoint", None) or getattr(
            route.original_route, "app", None
        )
        if endpoint is not None and route.path:
            found[endpoint] = route.path
    return found
