"""The worker's numbers for Prometheus, read from the running parts when asked; nothing is counted here.

Labels are the camera's id and, of its state, the five states: the series are bounded by cameras x metrics, and
those of a camera that is removed are gone with it. No track, alert, address or reason is a label.
"""

from __future__ import annotations

import logging
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.schemas import CameraHealthIn, CameraState
from detector.errors import ConfigError, StorageError
from streams.flow import Pipe
from streams.health import Parts, Watched, disk_of, health_of
from streams.recorder import Cut

log = logging.getLogger(__name__)

_LOOK_S = 0.2
_CLIENT_S = 5.0  # one client is answered at a time, and none may keep the others waiting

_STATES = tuple(state for state in CameraState if state is not CameraState.REMOVED)
_Value = Callable[[Watched, CameraHealthIn], float]
# What is told of each camera: name, meaning, value. A name in _total is a counter: it only grows.
_OF_CAMERA: tuple[tuple[str, str, _Value], ...] = (
    ("frames_decoded_total", "Pictures decoded", lambda _, told: told.n_decoded),
    ("frames_analysed_total", "Pictures analysed", lambda _, told: told.n_analysed),
    ("frames_dropped_total", "Pictures overtaken by a newer one", lambda _, told: told.n_dropped),
    ("frames_corrupt_total", "Pictures decoded but damaged", lambda one, _: one.reader.health.n_corrupt),
    (
        "decode_errors_total",
        "Packets that could not be read or decoded",
        lambda one, _: one.reader.health.n_decode_errors,
    ),
    (
        "reconnects_total",
        "Attempts to open after the first",
        lambda one, _: max(0, one.reader.health.n_connects - 1),
    ),
    ("coverage", "Seconds analysed, of the seconds that passed", lambda _, told: told.coverage),
    ("people", "People in the newest analysed picture", lambda _, told: told.n_people),
    ("pairs", "Close pairs in the newest analysed picture", lambda one, _: one.analysis.counts.n_pairs),
    (
        "pairs_refused_total",
        "Close pairs over the bound, picture by picture",
        lambda one, _: one.analysis.counts.n_pairs_left_out,
    ),
    (
        "pairs_too_small_total",
        "Close pairs too small for wrists, picture by picture: not decided",
        lambda one, _: sum(told.n_too_small for told in one.analysis.counts.handoffs),
    ),
    (
        "pairs_unsure_total",
        "Close pairs of whom it could not be told who is who, picture by picture",
        lambda one, _: sum(told.n_unsure for told in one.analysis.counts.handoffs),
    ),
    (
        "touches_total",
        "Touches of hands that were decided on",
        lambda one, _: sum(told.n_touches for told in one.analysis.counts.handoffs),
    ),
    (
        "touches_possible_total",
        "Of them as in a hand-over, with no thing seen: not told",
        lambda one, _: sum(told.n_possible for told in one.analysis.counts.handoffs),
    ),
    ("clips_waiting", "Clips asked for whose time is not over", lambda one, _: one.recorder.n_waiting),
)


class WorkerCollector(Collector):
    """Reads the parts at each scrape."""

    def __init__(self, parts: Parts, cuts: Pipe[Cut]) -> None:
        self._parts, self._cuts = parts, cuts

    def collect(self) -> Iterator[Metric]:
        """Every number there is now."""
        census, dropped = self._parts.census(), self._parts.board.dropped
        told = {
            camera_id: (one, health_of(one, dropped.get(camera_id, 0)))
            for camera_id, one in census.there.items()
        }
        states = GaugeMetricFamily(
            "watchpost_camera_state", "1: the camera is in this state", labels=["camera_id", "state"]
        )
        age = GaugeMetricFamily(
            "watchpost_camera_newest_frame_age_seconds", "Since the newest picture came", labels=["camera_id"]
        )
        offset = GaugeMetricFamily(
            "watchpost_camera_clock_offset_seconds",
            "The camera's clock less the host's, where it tells its time",
            labels=["camera_id"],
        )
        for camera_id, (one, health) in told.items():
            for state in _STATES:
                states.add_metric([camera_id, state.value], float(health.state is state))
            if (arrived_s := one.reader.health.arrived_s) is not None:
                age.add_metric([camera_id], max(0.0, time.monotonic() - arrived_s))
            if (offset_s := one.reader.health.clock_offset_s) is not None:
                offset.add_metric([camera_id], offset_s)
        yield from (states, age, offset)
        for name, meaning, value in _OF_CAMERA:
            kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            family = kind(f"watchpost_camera_{name}", meaning, labels=["camera_id"])
            for camera_id, (one, health) in told.items():
                family.add_metric([camera_id], value(one, health))
            yield family
        yield GaugeMetricFamily(
            "watchpost_cameras_rejected",
            "Cameras that are wrong in the site file",
            value=len(census.rejected),
        )
        yield GaugeMetricFamily(
            "watchpost_clips_to_write", "Clips cut that wait for the writer", value=len(self._cuts)
        )
        yield from self._delivery()
        yield from self._disk()

    def _disk(self) -> Iterator[Metric]:
        disk = disk_of(self._parts.folder)
        if disk is None:
            return
        for name, meaning, value in (
            ("free_bytes", "Free on the disk of alerts and evidence on their way", disk.free_bytes),
            ("total_bytes", "Size of that disk", disk.total_bytes),
            ("full", "1: its last room is kept for alerts, evidence is not stored", int(disk.full)),
        ):
            yield GaugeMetricFamily(f"watchpost_disk_{name}", meaning, value=value)

    def _delivery(self) -> Iterator[Metric]:
        try:
            n_waiting, n_refused = self._parts.outbox.n_waiting, self._parts.outbox.n_refused
        except (
            StorageError
        ) as error:  # the other numbers are worth having, those least of all when the disk fails
            log.warning("outbox not told to Prometheus error=%s", error)
            return
        yield GaugeMetricFamily("watchpost_outbox_waiting", "Rows not yet delivered", value=n_waiting)
        yield GaugeMetricFamily("watchpost_outbox_refused", "Rows the service refused", value=n_refused)


class MetricsPage:
    """Serves a registry over HTTP; `run` is the function of its Stage. One thread, one client at a time."""

    def __init__(self, listen: str) -> None:
        """`listen`: host:port. Raises ConfigError when nothing can listen there."""
        host, _, port = listen.rpartition(":")
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        try:
            self._server = _Server((host.strip("[]"), int(port)), _Handler)
        except OSError as error:
            raise ConfigError(
                "metrics cannot be served here",
                where="worker.metrics_listen",
                wanted="a free address of this machine",
                got=f"{listen}: {error.strerror or error}",
                todo="Choose another port, or leave the key out",
            ) from error
        self._server.set_app(make_wsgi_app(self.registry))

    @property
    def port(self) -> int:
        """Where it listens; of port 0, the one that was free."""
        return self._server.server_port

    def run(self, stop: threading.Event) -> None:
        """Answer until `stop`."""
        while not stop.is_set():
            self._server.handle_request()

    def close(self) -> None:
        """Listen no more."""
        self._server.server_close()


@contextmanager
def open_page(listen: str) -> Iterator[MetricsPage | None]:
    """A page for `worker.metrics_listen`, closed at the end; None where none is wanted."""
    if not listen:
        yield None
        return
    page = MetricsPage(listen)
    try:
        yield page
    finally:
        page.close()


class _Server(WSGIServer):
    timeout = _LOOK_S
    allow_reuse_port = False  # a port in use is an error, not shared

    def __init__(self, address: tuple[str, int], handler: type[WSGIRequestHandler]) -> None:
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, handler)

    def server_bind(self) -> None:
        """Bind without asking the name service who we are, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def handle_error(self, _request: object, _client: object) -> None:
        """A client that went away is no trouble of ours."""
        log.debug("metrics client lost", exc_info=True)


class _Handler(WSGIRequestHandler):
    timeout = _CLIENT_S

    def log_message(self, format: str, *args: object) -> None:
        """A scrape is no news."""
