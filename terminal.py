"""What the command line says and how: consoles, progress bars, log lines, signals, shared options."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

out = Console(width=None if sys.stdout.isatty() else 160)
err = Console(stderr=True)

JsonOut = Annotated[
    Path | None, typer.Option("--json", help="Write one JSON object here ('-': standard output).")
]


class Bars:
    """Progress bars on standard error, one for each word of what is being done."""

    def __init__(self) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[count]}"),
            TimeRemainingColumn(),
        )
        self._progress = Progress(*columns, console=err)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Callable[[str, int, int], None]:
        self._progress.start()
        return self.show

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, what: str, done: int, total: int) -> None:
        """`total` 0: not known, the bar pulses. "what: step" keeps one bar for all steps of `what`."""
        what, _, step = what.partition(": ")
        count = f"{done:,} / {total:,}" if total else (f"{done:,}" if done else step)
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, total=total or None, count=count)
        self._progress.update(self._tasks[what], completed=done, total=total or None, count=count)


def log_handler() -> logging.Handler:
    """On a terminal in colours, above the progress bars; into a file or a journal one plain line each, in UTC."""
    if err.is_terminal:
        return RichHandler(console=err, show_path=False, rich_tracebacks=False)
    plain = logging.StreamHandler()
    line = "%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(message)s"
    told = logging.Formatter(line, "%Y-%m-%dT%H:%M:%S")
    told.converter = time.gmtime
    plain.setFormatter(told)
    return plain


def table_console(json_out: Path | None) -> Console:
    """Tables go to standard error when standard output carries the JSON object."""
    return err if str(json_out) == "-" else out


def stop_on_signals() -> threading.Event:
    """An event set at the first SIGINT or SIGTERM; a second one ends the process at once."""
    stop = threading.Event()

    def handle(number: int, _: object) -> None:
        if stop.is_set():
            raise SystemExit(128 + number)
        err.print("stopping; once more to force")
        stop.set()

    signal.signal(signal.SIGINT, handle)
    signal.signal(signal.SIGTERM, handle)
    return stop
