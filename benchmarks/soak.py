"""The drill `soak`: minutes of bad cameras on a real worker and service, by RTSP, and what they cost the worker.

    steady   a camera as it should be
    lossy    now and then its RTP packets do not arrive
    dying    its server is killed every 30 s and is back 3 s later
    mute     answers to PLAY, then sends nothing

In three of them people gather every 20 s, so that alerts, clips and uploads go on all the time. What the worker
uses is read from /proc once a second. At the end it is stopped by SIGTERM, and what it owed is compared with
what the service has, as in the drill `kills`.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from api.db.store import open_store
from api.schemas import CameraOut, CameraState
from api.settings import Settings
from benchmarks.children import Child, House
from benchmarks.drills import DrillReport, Progress, in_new_folder, media_of, stray
from benchmarks.ledger import arrivals, judge, owed_by, prepare
from benchmarks.report import Figure, Report
from benchmarks.rtsp import GstServer, missing, silent_camera
from benchmarks.scripted import DETECTOR, RULE, ZONE, write_network, write_pictures
from detector.errors import ConfigError

LOSS = 0.02  # of the bunches of packets
EVERY_S, AWAY_S = 30.0, 3.0  # the dying camera: from death to death, and from death to return
READY_S = 60.0
_SAMPLE_S = 1.0
_WARM_SHARE = 0.2  # of the time: what is allocated at first is no leak


@dataclass(frozen=True, slots=True)
class Use:
    """What a process uses at one moment."""

    at_s: float
    memory_mb: float  # resident
    n_descriptors: int
    n_threads: int


def use_of(pid: int, at_s: float) -> Use:
    """Read it from /proc."""
    process = Path(f"/proc/{pid}")
    pages = int((process / "statm").read_text("ascii").split()[1])
    return Use(
        at_s,
        pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
        len(list((process / "fd").iterdir())),
        len(list((process / "task").iterdir())),
    )


def figures_of(uses: Sequence[Use]) -> dict[str, float]:
    """What `uses` show once the process is warm: medians of the first and the last fifth, and slopes."""
    fifth = max(1, round(len(uses) * _WARM_SHARE))
    warm = uses[fifth:] or uses
    first, last = warm[:fifth], warm[-fifth:]
    found = {
        "memory_mb_max": max(use.memory_mb for use in warm),
        "memory_slope_mb_per_h": _slope(warm),
        "memory_slope_2nd_half_mb_per_h": _slope(uses[len(uses) // 2 :]),  # a heap grows in steps at first
    }
    for name, of in (("descriptors", "n_descriptors"), ("threads", "n_threads")):
        found[f"{name}_first"] = _median(getattr(use, of) for use in first)
        found[f"{name}_last"] = _median(getattr(use, of) for use in last)
        found[f"{name}_max"] = max(getattr(use, of) for use in warm)
    return {name: round(value, 1) for name, value in found.items()}


def _slope(uses: Sequence[Use]) -> float:
    """Of the memory, MB an hour."""
    if len(uses) < 2:
        return 0.0
    return float(np.polyfit([use.at_s / 3600 for use in uses], [use.memory_mb for use in uses], 1)[0])


class Dying:
    """The camera that dies and returns, and how long it takes the worker to see it again. `step` it often."""

    def __init__(self, launch: str, now_s: float) -> None:
        self.server = GstServer(launch=launch)
        self.n_deaths = 0
        self.reconnects_s: list[float] = []  # from its return to its next picture
        self._launch, self._port = launch, self.server.port
        self._next_s = now_s + EVERY_S  # of the next death or return
        self._away = False
        self._back: tuple[float, int] | None = None  # when it returned, and how often it had been seen before

    def end(self) -> None:
        """For good."""
        self.server.kill()

    def step(self, now_s: float, n_online: int) -> None:
        """`n_online`: how often the worker has said so far that the camera is online."""
        if self._back is not None and n_online > self._back[1]:
            self.reconnects_s.append(now_s - self._back[0])
            self._back = None
        if now_s < self._next_s:
            return
        if self._away:
            self.server = GstServer(port=self._port, launch=self._launch)
            self._back = (now_s, n_online)
            self._next_s += EVERY_S - AWAY_S
        else:
            self.server.kill()
            self.n_deaths += 1
            self._back = None
            self._next_s += AWAY_S
        self._away = not self._away


def soak(
    minutes: float, stop: threading.Event, progress: Progress, parent: Path | None = None
) -> DrillReport:
    """Run it for `minutes`. Raises ConfigError without a GStreamer server, DrillError when the worker ends."""
    if why := missing():
        todo = "Install Debian's gir1.2-gst-rtsp-server-1.0, gstreamer1.0-plugins-* and python3-gi"
        raise ConfigError("no RTSP server to soak with", got=why, todo=todo)
    return in_new_folder("soak", parent, lambda folder: _soak(minutes * 60, stop, progress, folder))


def _soak(seconds: float, stop: threading.Event, progress: Progress, folder: Path) -> DrillReport:
    networks = write_network(folder / "networks")
    launch = write_pictures(folder / "pictures", 20, 8)
    with ExitStack() as ends:
        dying = Dying(launch, time.monotonic())
        ends.callback(dying.end)
        sources = {
            "steady": ends.enter_context(GstServer(launch=launch)).url,
            "lossy": ends.enter_context(GstServer(launch=launch, loss=LOSS)).url,
            "dying": dying.server.url,
            "mute": ends.enter_context(silent_camera(until_play=True))[0],
        }
        house = House(folder / "house", stop, {"WATCHPOST_NETWORKS": str(networks)})
        with house:
            cameras = [
                {"id": name, "source": url, "analyse_fps": 5.0, "zones": [ZONE], "rules": [RULE]}
                for name, url in sources.items()
            ]
            house.write_site(DETECTOR, cameras)
            prepare(house.outbox)
            uses = _watch(house, dying, seconds, progress)
            told = asyncio.run(_cameras(house.settings))
            house.worker.stop()
    owed = owed_by(house.outbox, [house.worker.lines()])
    arrived = asyncio.run(arrivals(house.settings))
    verdict = judge(owed, arrived)
    verdict.strange.extend([*stray(house), *_wrong_states(told)])
    figures = {
        "lost": len(verdict.lost),
        "duplicated": len(verdict.duplicated),
        "alerts": len(arrived),
        **media_of(arrived),
        **{f"{one.camera_id}.{name}": value for one in told for name, value in _frames(one).items()},
        **figures_of(uses),
        "deaths": dying.n_deaths,
        "reconnects": len(dying.reconnects_s),
        "reconnect_p50_s": _median(dying.reconnects_s),
        "reconnect_max_s": round(max(dying.reconnects_s, default=float("nan")), 1),
    }
    report = Report.of([_figure(name, value, len(uses)) for name, value in figures.items()])
    return DrillReport(verdict, report, folder)


def _watch(house: House, dying: Dying, seconds: float, progress: Progress) -> list[Use]:
    """Let it run; returns a sample for each second."""
    house.service.start()
    house.worker.start()
    house.wait(
        "picture of the steady camera",
        lambda: _n_online(house.worker, "steady") > 0,
        READY_S,
        house.worker,
        house.service,
    )
    began_s = time.monotonic()
    uses: list[Use] = []

    def step() -> bool:
        now_s = time.monotonic()
        past_s = now_s - began_s
        dying.step(now_s, _n_online(house.worker, "dying"))
        if past_s >= len(uses) * _SAMPLE_S:
            uses.append(use_of(house.worker.pid, past_s))
            progress("soak, seconds", round(past_s), round(seconds))
        return past_s >= seconds

    house.wait("end of the soak", step, seconds + READY_S, house.worker, house.service)
    return uses


def _n_online(worker: Child, camera_id: str) -> int:
    return sum(f" camera={camera_id} state=online " in line for line in worker.lines())


async def _cameras(settings: Settings) -> list[CameraOut]:
    async with open_store(settings) as store:
        return await store.cameras.all()


def _wrong_states(cameras: Iterable[CameraOut]) -> list[str]:
    """Of those whose state is sure at the end; of the dying one it is not."""
    wanted = {"steady": True, "lossy": True, "mute": False}
    return [
        f"camera {one.camera_id} is {one.state.value} at the end: {one.reason}"
        for one in cameras
        if wanted.get(one.camera_id, one.state is CameraState.ONLINE) != (one.state is CameraState.ONLINE)
    ]


def _frames(camera: CameraOut) -> dict[str, float]:
    return {
        "decoded": camera.n_decoded,
        "analysed": camera.n_analysed,
        "dropped": camera.n_dropped,
        "coverage": round(camera.coverage, 3),
    }


def _median(values: Iterable[float]) -> float:
    found = list(values)
    return round(float(np.median(found)), 1) if found else float("nan")


def _figure(name: str, value: float, n: int) -> Figure:
    unit = (
        "MB/h"
        if name.endswith("_mb_per_h")
        else "MB"
        if "_mb" in name
        else "s"
        if name.endswith("_s")
        else ""
    )
    return Figure(
        name=f"drill.soak.{name}",
        value=None if np.isnan(value) else value,
        unit=unit,
        data="4 RTSP cameras: steady, lossy, dying, mute",
        split=f"loss {LOSS}, a death every {EVERY_S:.0f} s",
        n=n,
    )
