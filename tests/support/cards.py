"""Cards for networks that a test makes itself."""

from __future__ import annotations

import textwrap
from pathlib import Path

from benchmarks.pixelcode import CARD_TOML as PIXELCODE_TOML
from detector.types import Kind
from models.catalog import Card, CardClass, Download


def pixelcode_card(weights: Download | None = None, name: str = "pixelcode") -> Card:
    """The card of the network that `pixelcode.write_model` writes."""
    return Card(
        name=name,
        title="Block reader",
        task="detect",
        licence="Apache-2.0",
        licence_url="",
        reference="",
        weights=weights,
        stride=32,
        side_px=640,
        min_score=0.1,
        max_iou=0.7,
        classes=(CardClass("person", Kind.PERSON, 0), CardClass("backpack", Kind.BACKPACK, 1)),
    )


def write_card(folder: Path, name: str = "pixelcode", text: str = PIXELCODE_TOML) -> Path:
    """Write a card as a person would, next to the network; `text` may be changed or broken."""
    path = folder / f"{name}.toml"
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path
