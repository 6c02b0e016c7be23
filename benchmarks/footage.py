"""Sample footage: `clips.toml` says what it is and where it comes from, and the hash proves it."""

from __future__ import annotations

import tomllib
from pathlib import Path

from detector.errors import ConfigError
from models.catalog import cache_dir, read_download
from models.fetch import Progress, fetch_file, quiet

CLIPS = Path(__file__).with_name("clips.toml")


def samples_dir() -> Path:
    """Where sample footage lies."""
    return cache_dir() / "samples"


def fetch_clip(name: str, progress: Progress = quiet) -> Path:
    """A clip of `clips.toml`, verified; instant when it is in place. Raises ModelError, StorageError."""
    clips = tomllib.loads(CLIPS.read_text(encoding="utf-8"))
    if name not in clips:
        raise ConfigError("no such clip", where=str(CLIPS), wanted=", ".join(clips), got=name)
    entry = {key: clips[name][key] for key in ("file", "sha256", "sources")}
    return fetch_file(name, read_download(entry, f"{CLIPS}: {name}"), samples_dir(), progress)
