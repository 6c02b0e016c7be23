"""A site file made of tables, for benchmarks and tests that start the real worker as a process.

Plain values are spelled in TOML as in JSON; a camera's zones, lines and rules are lists of tables of plain values.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Table = Mapping[str, Any]
_INNER = ("zones", "lines", "rules")


def write_site(path: Path, worker: Table, detector: Table, cameras: Sequence[Table]) -> Path:
    """Write `[worker]`, `[detector]` and a `[[cameras]]` for each; returns `path`."""
    text = _text("[worker]", worker) + _text("[detector]", detector)
    for camera in cameras:
        text += _text("[[cameras]]", {key: value for key, value in camera.items() if key not in _INNER})
        for key in _INNER:
            text += "".join(_text(f"[[cameras.{key}]]", table) for table in camera.get(key, ()))
    path.write_text(text, encoding="utf-8")
    return path


def _text(head: str, values: Table) -> str:
    return f"{head}\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items()) + "\n"
