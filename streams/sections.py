"""The tables of the site file (TOML), key by key, and how one is read.

Errors name the dotted key, what was wanted and what was got, and never repeat an address or a secret.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal, TypeVar, get_type_hints

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, ValidationError

from api.schemas import Name, Slug
from detector.errors import ConfigError
from streams.hardware import Decoder
from streams.source import Transport

Pace = Literal["realtime", "fast"]

_SECRET_KEYS = frozenset({"source", "evidence_source", "host", "path", "user", "password"})


class Section(BaseModel):
    """Unknown keys are refused; a value has its key's type, nothing is converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


_S = TypeVar("_S", bound=Section)
_P = TypeVar("_P")


def _host_port(text: str) -> str:
    host, _, port = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    if text and not (
        bare and port.isascii() and port.isdigit() and int(port) < 65536 and (":" in bare) == (bare != host)
    ):
        raise ValueError("wanted host:port, an IPv6 host in brackets")
    return text


class WorkerSection(Section):
    """`[worker]`: where state lies and where alerts go."""

    state_dir: Path = Field(
        default=Path("state"), strict=False
    )  # outbox and clips; from the site file's folder
    api_url: Annotated[str, Field(pattern=r"^https?://[^\s@]+$")] = "http://127.0.0.1:8000"
    token_file: Path | None = Field(default=None, strict=False)  # holds the worker's token and nothing else
    worker_id: Slug = "worker"
    metrics_listen: Annotated[str, AfterValidator(_host_port)] = ""  # where Prometheus asks; "": nowhere

    def token(self, environ: Mapping[str, str] = os.environ) -> SecretStr:
        """The worker's token: $WATCHPOST_TOKEN, else the content of `token_file`. Raises ConfigError."""
        if text := environ.get("WATCHPOST_TOKEN", "").strip():
            return SecretStr(text)
        where, todo = "worker.token_file", "Make one with `watchpost users token`, or set WATCHPOST_TOKEN"
        if self.token_file is None:
            raise ConfigError("no token for the alert service", where=where, todo=todo)
        try:
            text = self.token_file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                "cannot be read", where=where, got=f"{type(error).__name__} at {self.token_file}", todo=todo
            ) from None
        if not text:
            raise ConfigError("is empty", where=where, got=str(self.token_file), todo=todo)
        return SecretStr(text)


class DetectorSection(Section):
    """`[detector]`: the network and how it runs."""

    network: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] = "yolov8n"
    side_px: Annotated[int, Field(ge=64, le=4096, multiple_of=32)] = 640  # longer side of the network's input
    provider: Literal["auto", "tensorrt", "cuda", "openvino", "cpu"] = "auto"
    threads: Annotated[int, Field(ge=0, le=256)] = 0  # 0: as many as there are cores
    min_score: Annotated[float, Field(gt=0, lt=1)] = 0.1  # the tracker uses weak detections too
    max_batch: Annotated[int, Field(ge=1, le=64)] = 8  # pictures in one call of the network


class ZoneSection(Section):
    """`[[cameras.zones]]`, `[[cameras.masks]]`; detector.zones.Zone checks the corners."""

    name: Name
    polygon: list[Annotated[list[float], Field(min_length=2, max_length=2)]]


class LineSection(Section):
    """`[[cameras.lines]]`; detector.lines.Line checks the points."""

    name: Name
    points: Annotated[
        list[Annotated[list[float], Field(min_length=2, max_length=2)]], Field(min_length=2, max_length=2)
    ]


_Point = Annotated[list[float], Field(min_length=2, max_length=2)]
_Four = Annotated[list[_Point], Field(min_length=4, max_length=4)]


class GroundSection(Section):
    """`[cameras.ground]`: a rectangle's sides, or where each point is; see detector.calibration."""

    corners: _Four
    width_m: float | None = None
    depth_m: float | None = None
    metres: _Four | None = None


class CameraSection(Section):
    """`[[cameras]]` as written; see Camera."""

    id: Slug
    name: Name | None = None
    source: SecretStr = SecretStr("")  # a URL, a file, v4l2:///dev/video0; or else the four below
    scheme: Literal["rtsp", "rtsps", "http", "https"] = "rtsp"
    host: Annotated[str, Field(pattern=r"^[^\s/@\[\]]*$")] = ""  # an IPv6 address without brackets
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    path: SecretStr = SecretStr("")  # as in a URL; some cameras log in by it
    evidence_source: SecretStr = SecretStr(
        ""
    )  # a second stream of the same camera, for clips; live ones only
    transport: Transport = "tcp"  # of RTSP; udp: less delay, lost packets
    tls_verify: bool = True
    tls_ca_file: Path | None = Field(default=None, strict=False)
    decoder: Decoder = "software"  # or auto, or a device: see streams.hardware
    user: SecretStr = SecretStr("")
    password: SecretStr = SecretStr("")
    timezone: str = "UTC"
    analyse_fps: Annotated[float, Field(ge=0.1, le=60)] = 5.0
    pace: Pace = "realtime"
    loop: bool = False
    zones: Annotated[list[ZoneSection], Field(max_length=100)] = []
    lines: Annotated[list[LineSection], Field(max_length=100)] = []
    rules: Annotated[list[dict[str, object]], Field(max_length=100)] = []
    masks: Annotated[list[ZoneSection], Field(max_length=100)] = []
    masks_blind_detector: bool = True  # false: people never see what is under a mask, the network does
    blind: dict[str, object] = {}
    ground: GroundSection | None = None


def params_of(params_type: type[_P], raw: Mapping[str, object]) -> _P:
    """The parameters of a rule, each of its own type; keys of errors are relative to its table."""
    hints = get_type_hints(params_type)
    refuse_unknown(raw, hints)
    values = {}
    for key, value in raw.items():
        try:
            values[key] = TypeAdapter(hints[key], config=Section.model_config).validate_python(value)
        except ValidationError as error:
            raise _first_of(error, Section, key) from None
    return params_type(**values)


def section_of(model: type[_S], table: object, at: str) -> _S:
    if not isinstance(table, dict):
        raise ConfigError("not a table", where=at, wanted=f"[{at}]", got=repr(table))
    try:
        return model.model_validate(table)
    except ValidationError as error:
        raise _first_of(error, model, at) from None


def _first_of(error: ValidationError, model: type[BaseModel], at: str) -> ConfigError:
    """The first fault that pydantic found, with its dotted key; how many more there are."""
    faults = error.errors(include_url=False, include_context=False)
    first = faults[0]
    where = at + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
    more = f"{len(faults) - 1} more below {at}" if len(faults) > 1 else ""
    key = str(first["loc"][-1]) if first["loc"] else ""
    if first["type"] == "extra_forbidden":
        places = (*ZoneSection.model_fields, *LineSection.model_fields)
        inner = GroundSection.model_fields if first["loc"][0] == "ground" else places
        known = inner if len(first["loc"]) > 1 else model.model_fields
        return ConfigError(
            "unknown key", where=where, todo=". ".join(filter(None, (meant(key, known), more)))
        )
    if first["type"] == "missing":
        return ConfigError("missing", where=where, todo=more)
    got = "" if _SECRET_KEYS & set(map(str, first["loc"])) else repr(first["input"])[:80]
    return ConfigError(first["msg"].removeprefix("Value error, "), where=where, got=got, todo=more)


@contextmanager
def named(at: str) -> Iterator[None]:
    """Put the place in the file before a fault's own."""
    try:
        yield
    except ConfigError as error:
        inner = f".{error.where}" if error.where.isidentifier() else f": {error.where}" if error.where else ""
        raise ConfigError(
            error.what, where=at + inner, wanted=error.wanted, got=error.got, todo=error.todo
        ) from None


def refuse_unknown(table: Mapping[str, object], known: Iterable[str]) -> None:
    for key in table:
        if key not in known:
            raise ConfigError("unknown key", where=key, wanted=one_of(known), todo=meant(key, known))


def one_of(names: Iterable[str]) -> str:
    return ", ".join(names)


def meant(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"Did you mean {near[0]!r}?" if near else ""
