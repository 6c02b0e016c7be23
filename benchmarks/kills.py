"""The drill `kills`: SIGKILL of the worker and of the service in turn, at random moments, while alerts stream.

A worker without a real network watches films whose pixels say what the network will see, so that each second
has an alert, each alert a snapshot, a clip and an overlay. The moments are drawn: some while a process starts,
the others a fraction of a second after a drawn number of alerts or of things stored, so that they fall around
commits, uploads and answers. The drill goes on by what has happened, not by the clock. While a process is dead
nobody opens its database: what a kill left is recovered by its successor, as at a user's restart.

At the end the worker is stopped by SIGTERM, started once more on a camera where nothing happens, and given the
time to deliver. Then `ledger.judge` compares what is owed with what the service has.
"""

from __future__ import annotations

import asyncio
import random
import re
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.children import Child, House
from benchmarks.drills import DrillReport, Progress, in_new_folder, media_of, stray
from benchmarks.ledger import OPENED, arrivals, judge, owed_by, prepare
from benchmarks.report import Figure, Report
from benchmarks.scripted import DETECTOR, RULE, ZONE, write_films, write_network
from streams.outbox import Outbox

READY_S = 60.0  # to start, and for the next alert: much more than is needed on a busy machine
DELIVER_S = 180.0
_START_SHARE = 0.2  # of the kills, while the process starts
_START_S = 3.0  # it may be killed as late as this after its start without having done anything
_AFTER_S = 0.4  # a kill at work comes at most so much after what was waited for
_MOST = 3  # alerts, or things stored, that are waited for before a kill at work
_STORED = re.compile(" (alert|media) stored ")  # the service's word for each phase and each piece of evidence

# Seconds of a film, and from when to when three people stand together in it. Played round and round.
_FILMS: Mapping[str, tuple[float, float, float]] = {
    "yard": (1.8, 0.0, 1.8),  # closed by the end of the film
    "gate": (2.6, 0.2, 1.4),  # they disperse
    "dock": (3.4, 0.4, 3.0),
}
_EMPTY = {"empty": (30.0, 0.0, 0.0)}


def kills(
    n: int, seed: int, stop: threading.Event, progress: Progress, parent: Path | None = None
) -> DrillReport:
    """Kill `n` times and judge. Raises DrillError when worker or service do not run at all."""
    return in_new_folder("kills", parent, lambda folder: _kills(n, seed, stop, progress, folder))


def _kills(n: int, seed: int, stop: threading.Event, progress: Progress, folder: Path) -> DrillReport:
    began_s = time.monotonic()
    networks = write_network(folder / "networks")
    write_films(folder, {**_FILMS, **_EMPTY})
    with House(folder / "house", stop, {"WATCHPOST_NETWORKS": str(networks)}) as house:
        house.write_site(DETECTOR, [_camera(name, folder) for name in _FILMS])
        prepare(house.outbox)
        drill = _Drill(house, random.Random(seed))  # noqa: S311  # moments, no secrets
        drill.run(n, progress)
        drill.deliver(_camera("empty", folder, rules=[]), progress)
    owed = owed_by(house.outbox, drill.lives)
    arrived = asyncio.run(arrivals(house.settings))
    verdict = judge(owed, arrived)
    verdict.strange.extend(stray(house))
    figures = {
        "lost": len(verdict.lost),
        "duplicated": len(verdict.duplicated),
        "strange": len(verdict.strange),
        "alerts": len(arrived),
        "phases": len(owed.committed),
        "told": len(owed.told),
        **media_of(arrived),
        "interrupted": sum(alert.end == "interrupted" for alert in arrived),
        "followed": sum(alert.follows != "" for alert in arrived),
        "of_worker": drill.n_killed["worker"],
        "of_service": drill.n_killed["service"],
        "while_starting": drill.n_starting,
        "seconds": round(time.monotonic() - began_s, 1),
    }
    report = Report.of([_figure(name, value, n, seed) for name, value in figures.items()])
    return DrillReport(verdict, report, folder)


class _Drill:
    """The kills, one after another."""

    def __init__(self, house: House, dice: random.Random) -> None:
        self.lives: list[list[str]] = []  # the log of each of the worker's lives that is over
        self.n_killed = {"worker": 0, "service": 0}
        self.n_starting = 0
        self._house, self._dice = house, dice

    def run(self, n: int, progress: Progress) -> None:
        """Kill worker and service in turn, `n` times together; both are at work when this returns."""
        house = self._house
        house.service.start()
        house.worker.start()
        self._work(house.worker)
        for number in range(n):
            child = (house.worker, house.service)[number % 2]
            self._moment(child)
            child.kill()
            self.n_killed[child.name] += 1
            if child is house.worker:
                self.lives.append(child.lines())
            child.start()
            progress("kills", number + 1, n)
        self._work(house.worker)
        self._work(house.service)

    def deliver(self, camera: Mapping[str, Any], progress: Progress) -> None:
        """End the stream of alerts and let all that is owed be delivered, by a worker that watches `camera`."""
        house = self._house
        house.worker.stop()
        self.lives.append(house.worker.lines())
        house.write_site(DETECTOR, [camera])
        house.worker.start()
        outbox = Outbox(house.outbox)
        first = max(1, outbox.n_waiting)

        def done() -> bool:
            left = outbox.n_waiting
            progress("delivery", max(0, first - left), first)
            return left == 0 and any("worker started" in line for line in house.worker.lines())

        try:
            house.wait("end of the delivery", done, DELIVER_S, house.worker, house.service)
        finally:
            outbox.close()

    def _moment(self, child: Child) -> None:
        """Wait for the moment of a kill."""
        dice = self._dice
        if dice.random() < _START_SHARE:
            self.n_starting += 1
            at_s = child.started_s + dice.uniform(0.0, _START_S)
        else:
            self._work(child, dice.randint(1, _MOST))
            at_s = time.monotonic() + dice.uniform(0.0, _AFTER_S)
        self._house.wait("moment", lambda: time.monotonic() >= at_s, READY_S)

    def _work(self, child: Child, n: int = 1) -> None:
        """Wait until this life has raised `n` alerts more, or stored `n` things more."""
        house = self._house
        told = OPENED if child is house.worker else _STORED
        wanted = _count(told, child.lines()) + n
        house.wait(
            f"sign of work of the {child.name}",
            lambda: _count(told, child.lines()) >= wanted,
            READY_S,
            house.worker,
            house.service,
        )


def _count(told: re.Pattern[str], lines: list[str]) -> int:
    return sum(told.search(line) is not None for line in lines)


def _camera(name: str, folder: Path, **more: Any) -> dict[str, Any]:
    table = {
        "id": name, "source": str(folder / f"{name}.mp4"), "analyse_fps": 10.0, "loop": True,
        "zones": [ZONE], "rules": [RULE],
    }  # fmt: skip
    return table | more


def _figure(name: str, value: float, n: int, seed: int) -> Figure:
    return Figure(
        name=f"drill.kills.{name}",
        value=value,
        unit="s" if name == "seconds" else "",
        data=f"scripted films, {len(_FILMS)} cameras",
        split=f"seed {seed}",
        n=n,
    )
