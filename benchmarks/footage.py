"""Sample footage: `clips.toml` says what it is, `models.fetch` brings it, and the hash proves it."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

CLIPS = Path(__file__).with_name("clips.toml")


def samples_dir() -> Path:
    """Where sample footage lies: $XDG_CACHE_HOME/watchpost/samples, else ~/.cache/watchpost/samples."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "watchpost" / "samples"
