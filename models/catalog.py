"""Cards: what is known about each network before its file is opened. Reads TOML only.

A card comes from this package (`cards/NAME.toml`) or, for a network of one's own, lies beside the network:
`networks_dir()/NAME.toml` next to `NAME.onnx`. Unknown keys are refused.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from detector.errors import ModelError
from detector.types import Kind

CARDS = Path(__file__).parent / "cards"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class UrlSource:
    """A file at a web address."""

    url: str

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True, slots=True)
class WheelSource:
    """One member of a wheel of the package registry that pip is set up for."""

    package: str
    version: str
    member: str

    def __str__(self) -> str:
        return f"wheel {self.package}=={self.version}, member {self.member}"


@dataclass(frozen=True, slots=True)
class DebSource:
    """One member of a Debian package of the archive that apt is set up for."""

    package: str
    member: str

    def __str__(self) -> str:
        return f"Debian package {self.package}, member {self.member}"


Source = UrlSource | WheelSource | DebSource


@dataclass(frozen=True, slots=True)
class Download:
    """A file, the hash that proves it, and where it can be had."""

    file: str
    sha256: str  # a file with another hash is never opened
    sources: tuple[Source, ...]  # in order; the first that verifies wins


@dataclass(frozen=True, slots=True)
class CardClass:
    """One of the network's classes that Watchpost uses."""

    name: str  # the network's own word, compared without regard to case
    kind: Kind
    index: int | None  # its number in a file that carries no names


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a network must be. `weights` is None for an ONNX file that a person puts in place by hand."""

    name: str
    title: str
    task: str
    licence: str
    licence_url: str
    reference: str
    weights: Download | None
    stride: int  # px; input sides are multiples of it
    side_px: int  # longest input side: more finds smaller people and costs time with the square of it
    min_score: float  # 0-1: less gives more weak detections
    max_iou: float  # 0-1: more keeps more boxes of people who stand before one another
    classes: tuple[CardClass, ...]


def cache_dir() -> Path:
    """$XDG_CACHE_HOME/watchpost, else ~/.cache/watchpost."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "watchpost"


def networks_dir() -> Path:
    """Where weights and ONNX files lie: $WATCHPOST_NETWORKS, else `cache_dir()/networks`."""
    given = os.environ.get("WATCHPOST_NETWORKS")
    return Path(given) if given else cache_dir() / "networks"


def network_path(card: Card) -> Path:
    """Where the ONNX file of a card lies, or is to lie."""
    return networks_dir() / f"{card.name}.onnx"


def cut_path(network: Path, sha256: str) -> Path:
    """Where an ONNX file's form without decoding lies; its name tells what it was cut from."""
    return network.with_name(f"{network.stem}.cut-{sha256[:12]}.onnx")


def list_cards() -> list[Card]:
    """Every card of the package and of `networks_dir()`, by name."""
    return [load_card(name) for name in sorted(_files())]


def load_card(name: str) -> Card:
    """The card called `name`; the package's own come first. Raises ModelError."""
    files = _files()
    if name not in files:
        known = ", ".join(sorted(files))
        raise ModelError(
            "no such network", where=name, wanted=f"one of {known}", todo=f"Put a card into {networks_dir()}"
        )
    path = files[name]
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ModelError(
            "the card cannot be read", where=str(path), wanted="a TOML file", got=str(error)
        ) from error
    return _card(name, _Table(table, str(path)))


def _files() -> dict[str, Path]:
    """The card files by name; the package's own win."""
    return {path.stem: path for folder in (networks_dir(), CARDS) for path in folder.glob("*.toml")}


def read_download(values: Mapping[str, Any], where: str) -> Download:
    """The keys `file`, `sha256` and `sources` of a table. Raises ModelError."""
    return _weights(_Table(values, where))


class _Table:
    """A TOML table read key by key; a missing, wrong or left-over key is named with its dots."""

    def __init__(self, values: Mapping[str, Any], where: str, at: str = "") -> None:
        self._values, self.where, self._at = dict(values), where, at

    def take(self, key: str, kind: type[T]) -> T:
        """The value of a key that must be there and be a `kind`."""
        value = self._values.pop(key, None)
        if kind is float and type(value) is int:
            value = float(value)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise self._wrong(key, kind.__name__, value)
        return value

    def number(self, key: str, kind: type[T], low: float, high: float) -> T:
        """A number within low..high."""
        value = self.take(key, kind)
        if not low <= value <= high:  # type: ignore[operator]
            raise self._wrong(key, f"{low:g} to {high:g}", value)
        return value

    def table(self, key: str) -> _Table:
        return _Table(self.take(key, dict), self.where, f"{self._at}{key}.")

    def tables(self, key: str) -> list[_Table]:
        items = self.take(key, list)
        if not all(isinstance(item, dict) for item in items):
            raise self._wrong(key, "a list of tables", items)
        return [_Table(item, self.where, f"{self._at}{key}[{n}].") for n, item in enumerate(items)]

    def has(self, key: str) -> bool:
        return key in self._values

    def keys(self) -> list[str]:
        return list(self._values)

    def end(self) -> None:
        """Every key must have been taken."""
        for key, value in self._values.items():
            raise self._wrong(key, "no such key", value)

    def _wrong(self, key: str, wanted: str, got: object) -> ModelError:
        shown = "nothing" if got is None else repr(got)
        return ModelError(f"card key {self._at}{key}", where=self.where, wanted=wanted, got=shown)


def _card(name: str, table: _Table) -> Card:
    size, limits = table.table("input"), table.table("thresholds")
    stride = size.number("stride", int, 1, 256)
    card = Card(
        name=name,
        title=table.take("title", str),
        task=table.take("task", str),
        licence=table.take("licence", str),
        licence_url=table.take("licence_url", str),
        reference=table.take("reference", str),
        weights=_weights(table.table("weights")) if table.has("weights") else None,
        stride=stride,
        side_px=size.number("side_px", int, stride, 4096),
        min_score=limits.number("min_score", float, 0.001, 1),
        max_iou=limits.number("max_iou", float, 0, 1),
        classes=_classes(table.table("classes")),
    )
    for part in (table, size, limits):
        part.end()
    return card


def _weights(table: _Table) -> Download:
    weights = Download(
        table.take("file", str),
        table.take("sha256", str),
        tuple(_source(source) for source in table.tables("sources")),
    )
    table.end()
    return weights


def _source(table: _Table) -> Source:
    source: Source
    kind = table.take("kind", str)
    if kind == "url":
        source = UrlSource(table.take("url", str))
    elif kind == "deb":
        source = DebSource(table.take("package", str), table.take("member", str))
    elif kind != "wheel":
        raise ModelError("source kind", where=table.where, wanted="url, wheel or deb", got=kind)
    else:
        source = WheelSource(
            table.take("package", str), table.take("version", str), table.take("member", str)
        )
    table.end()
    return source


def _classes(table: _Table) -> tuple[CardClass, ...]:
    kinds = {kind.name.lower(): kind for kind in Kind}
    classes = []
    for name in table.keys():  # noqa: SIM118  # not a dict
        entry = table.table(name)
        word = entry.take("kind", str)
        if word not in kinds:
            raise ModelError(
                f"class {name!r}", where=table.where, wanted=f"a kind of {', '.join(kinds)}", got=word
            )
        classes.append(
            CardClass(name, kinds[word], entry.number("index", int, 0, 9999) if entry.has("index") else None)
        )
        entry.end()
    return tuple(classes)
