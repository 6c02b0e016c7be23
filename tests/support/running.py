"""A worker in a thread of its own, and the site file that it follows."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from detector.errors import WatchError
from streams.config import Site
from streams.worker import Done, run_worker

LATEST_S = 60.0


class Running:
    """`run_worker` until `stop` is set; `end` gives what it returned, or raises what it raised."""

    def __init__(self, site: Site, **more: Any) -> None:
        self.stop = threading.Event()
        self.done: Done | None = None
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(site, more))
        self._thread.start()

    def _run(self, site: Site, more: dict[str, Any]) -> None:
        try:
            self.done = run_worker(site, self.stop, **more)
        except (WatchError, RuntimeError) as error:
            self.error = error

    def end(self, timeout_s: float = LATEST_S) -> Done:
        self._thread.join(timeout_s)
        assert not self._thread.is_alive(), "the worker did not end"
        if self.error is not None:
            raise self.error
        assert self.done is not None
        return self.done


class File:
    """A site file that a test writes again and again; its worker keeps its state beside it."""

    def __init__(self, folder: Path, api_url: str, **worker: Any) -> None:
        self.path = folder / "watchpost.toml"
        self._worker = {"state_dir": "state", "api_url": api_url, **worker}

    def write(self, *cameras: dict[str, Any], worker: dict[str, Any] | None = None) -> Path:
        """As an editor does: a new file takes the place of the old one."""
        network = {"network": "pixelcode", "provider": "cpu", "threads": 1}
        text = _table("[worker]", self._worker | (worker or {})) + _table("[detector]", network)
        for one in cameras:
            text += _table("[[cameras]]", one)
        return self.write_text(text)

    def write_text(self, text: str) -> Path:
        new = self.path.with_suffix(".new")
        new.write_text(text, encoding="utf-8")
        return new.replace(self.path)


def _table(head: str, values: dict[str, Any]) -> str:
    return f"{head}\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in values.items()) + "\n"


def _toml(value: Any) -> str:
    """A value as TOML: plain ones are spelled as in JSON."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)
