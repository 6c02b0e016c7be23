"""The site file (TOML) -> a checked Site. Each key is defined once: here, or in a rule's own Params.

Errors name the dotted key, what was wanted and what was got, and never repeat a camera's address or a secret.
A wrong camera is put aside in `Site.rejected` and the others run; anything else wrong stops the start.
"""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, SecretStr, TypeAdapter, ValidationError

from api.schemas import Name, Slug
from detector.calibration import Calibration
from detector.errors import ConfigError
from detector.lines import Line
from detector.rules.base import Rule
from detector.rules.blind import BlindParams
from detector.zones import Zone
from streams.address import Address, Transport, address_of
from streams.checked import Section, named, params_of, refuse_unknown, section_of
from streams.hardware import Decoder
from streams.masks import NO_MASKS, Masks
from streams.places import Pair, Places, PlacesSection, places_of
from streams.rulebook import RuleChoice

Pace = Literal["realtime", "fast"]

_MAX_FILE_BYTES = 4_000_000


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
    tracks_days: Annotated[float, Field(ge=0, le=90)] = 3.0  # kept to try other rules on; 0: none
    tracks_max_mb: Annotated[int, Field(ge=1, le=1_000_000)] = 2000  # of all cameras; the oldest go first
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


_Four = Annotated[list[Pair], Field(min_length=4, max_length=4)]


class _GroundSection(Section):
    """`[cameras.ground]`: a rectangle's sides, or where each point is; see detector.calibration."""

    corners: _Four
    width_m: float | None = None
    depth_m: float | None = None
    metres: _Four | None = None


class _CameraSection(PlacesSection):
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
    masks_blind_detector: bool = True  # false: people never see what is under a mask, the network does
    blind: dict[str, object] = Field(default_factory=dict)
    ground: _GroundSection | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """One camera, checked."""

    id: str
    name: str  # for people
    address: Address  # where to connect, with the login
    evidence: Address | None = None  # a second stream that is kept for clips; None: the judged one is
    timezone: str = "UTC"  # IANA name
    analyse_fps: float = 5.0  # pictures a second that are analysed; more: finer tracks, more computing
    pace: Pace = "realtime"  # of a file: by its own times, or as fast as it is analysed
    loop: bool = False  # a file starts again at its end
    zones: tuple[Zone, ...] = ()
    lines: tuple[Line, ...] = ()
    rules: tuple[RuleChoice, ...] = ()
    masks: Masks = NO_MASKS
    blind: BlindParams = field(default_factory=BlindParams)  # when the camera itself counts as blind
    ground: Calibration | None = None  # where its picture is in metres

    @property
    def places(self) -> Places:
        """What the console can change of it."""
        return Places(self.zones, self.lines, self.masks.zones, self.rules)

    def with_places(self, places: Places) -> Camera:
        """The same camera, looking at other places by other rules."""
        masks = replace(self.masks, zones=places.masks)
        return replace(self, zones=places.zones, lines=places.lines, rules=places.rules, masks=masks)

    def build_rules(self) -> list[Rule]:
        """New rules with no memory: call it once for each scene."""
        return [choice.build() for choice in self.rules]


@dataclass(frozen=True, slots=True)
class Rejected:
    """A camera that is wrong in the site file."""

    camera_id: str  # "": it tells no id of its own
    text: str  # what is wrong, and where

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Site:
    """A whole site file."""

    worker: WorkerSection
    detector: DetectorSection
    cameras: tuple[Camera, ...]  # those that are right
    rejected: tuple[Rejected, ...]  # what is wrong with the others
    config_hash: str  # sha256 of all that can change an alert: detector and cameras, without any login
    path: Path | None = None  # where it was loaded from

    def taking(self, found: Site) -> Site:
        """What a running worker makes of a newer version of its file.

        A camera that is wrong there stays as it is here; so do worker and detector, which need a restart.
        """
        right = {camera.id for camera in found.cameras}
        wrong = {one.camera_id for one in found.rejected} - right
        cameras = (*found.cameras, *(camera for camera in self.cameras if camera.id in wrong))
        return replace(self.with_cameras(cameras), rejected=found.rejected)

    def with_cameras(self, cameras: tuple[Camera, ...]) -> Site:
        """The same site with these cameras."""
        return replace(self, cameras=cameras, config_hash=_hash_of(self.detector, cameras))


def load_site(path: Path, environ: Mapping[str, str] = os.environ) -> Site:
    """Read and check a site file. Raises ConfigError; what is wrong with one camera is in `Site.rejected`."""
    return replace(parse_site(_read(path), path.absolute().parent, environ), path=path.absolute())


def parse_site(content: Mapping[str, Any], folder: Path, environ: Mapping[str, str] = os.environ) -> Site:
    """Check the content of a site file. `folder`: where its relative paths start."""
    refuse_unknown(content, ("worker", "detector", "cameras"))
    worker = section_of(WorkerSection, content.get("worker", {}), "worker")
    worker = worker.model_copy(
        update={
            "state_dir": folder / worker.state_dir,
            "token_file": None if worker.token_file is None else folder / worker.token_file,
        }
    )
    detector = section_of(DetectorSection, content.get("detector", {}), "detector")
    tables = content.get("cameras", [])
    if not isinstance(tables, list) or not tables:
        raise ConfigError("no camera", where="cameras", wanted="at least one [[cameras]] table")
    cameras: list[Camera] = []
    rejected: list[Rejected] = []
    for i, table in enumerate(tables):
        at = f"cameras[{i}]"
        try:
            camera = _camera(table, at, folder, environ)
            if camera.id in {other.id for other in cameras}:
                raise ConfigError(
                    "this id is taken", where=f"{at}.id", wanted="an id of its own", got=camera.id
                )
            cameras.append(camera)
        except ConfigError as error:
            rejected.append(Rejected(_id_of(table, cameras), error.text()))
    return Site(worker, detector, tuple(cameras), tuple(rejected), _hash_of(detector, cameras))


def _id_of(table: object, others: Iterable[Camera]) -> str:
    """Which camera a wrong table is about; "" if it does not say, or says the id of another one."""
    told = table.get("id") if isinstance(table, dict) else None
    try:
        camera_id = str(TypeAdapter(Slug).validate_python(told, strict=True))
    except ValidationError:
        return ""
    return "" if camera_id in {other.id for other in others} else camera_id


def _read(path: Path) -> dict[str, Any]:
    where = str(path)
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            "the site file cannot be read", where=where, got=error.strerror or type(error).__name__
        ) from None
    if len(raw) > _MAX_FILE_BYTES:
        raise ConfigError(
            "the site file is too large", where=where, wanted=f"at most {_MAX_FILE_BYTES} bytes"
        )
    try:
        return tomllib.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError("not UTF-8 text", where=f"{where}, line {line}", wanted="a TOML file") from None
    except tomllib.TOMLDecodeError as error:  # its text names line and column, and at most a key
        raise ConfigError("not TOML", where=where, got=str(error)) from None


def _camera(table: object, at: str, folder: Path, environ: Mapping[str, str]) -> Camera:
    told = section_of(_CameraSection, table, at)
    try:
        ZoneInfo(told.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(
            "no such time zone",
            where=f"{at}.timezone",
            wanted="a name like Europe/Berlin",
            got=repr(told.timezone),
        ) from None
    slot = told.id.upper().replace("-", "_")
    password = environ.get(f"WATCHPOST_CAMERA_{slot}_PASSWORD") or told.password.get_secret_value()
    user = told.user.get_secret_value()
    with named(f"{at}.source"):
        address = _reached(address_of(_source_of(told), user, password, folder), told, folder)
    evidence = None
    if source := told.evidence_source.get_secret_value():
        with named(f"{at}.evidence_source"):
            evidence = _reached(address_of(source, user, password, folder), told, folder)
            if not (evidence.live and address.live):
                raise ConfigError("two streams of a file", wanted="a live camera's second stream")
    places = places_of(told, at, told.timezone, told.analyse_fps)
    with named(f"{at}.blind"):
        blind = params_of(BlindParams, told.blind)
    with named(f"{at}.ground"):
        ground = None if told.ground is None else _calibration(told.ground)
    return Camera(
        id=told.id,
        name=told.name or told.id,
        address=address,
        evidence=evidence,
        timezone=told.timezone,
        analyse_fps=told.analyse_fps,
        pace=told.pace,
        loop=told.loop,
        zones=places.zones,
        lines=places.lines,
        rules=places.rules,
        masks=Masks(places.masks, told.masks_blind_detector),
        blind=blind,
        ground=ground,
    )


def _reached(address: Address, told: _CameraSection, folder: Path) -> Address:
    """An address, and how the camera's streams are reached and decoded."""
    return replace(
        address,
        transport=told.transport,
        tls_verify=told.tls_verify,
        tls_ca_file=None if told.tls_ca_file is None else folder / told.tls_ca_file,
        decoder=told.decoder,
    )


def _calibration(told: _GroundSection) -> Calibration:
    corners = [(x, y) for x, y in told.corners]
    if told.metres is not None and told.width_m is None and told.depth_m is None:
        return Calibration(tuple(corners), tuple((x, y) for x, y in told.metres))
    if told.metres is None and told.width_m is not None and told.depth_m is not None:
        return Calibration.rectangle(corners, told.width_m, told.depth_m)
    got = ", ".join(name for name in ("width_m", "depth_m", "metres") if getattr(told, name) is not None)
    raise ConfigError("no one size", wanted="width_m and depth_m, or metres", got=got or "none of them")


def _source_of(told: _CameraSection) -> str:
    """The address as one text, whichever way it was told. Raises ConfigError."""
    source, path = told.source.get_secret_value(), told.path.get_secret_value()
    if bool(source) == bool(told.host):
        got = "both" if source else "neither"
        raise ConfigError("no one address", wanted="source, or host with scheme, port and path", got=got)
    if source:
        if told.port is not None or path or "scheme" in told.model_fields_set:
            raise ConfigError("scheme, port and path go with host", wanted="them in source")
        return source
    host = f"[{told.host}]" if ":" in told.host else told.host
    port = f":{told.port}" if told.port is not None else ""
    return f"{told.scheme}://{host}{port}/{path.removeprefix('/')}"


def _hash_of(detector: DetectorSection, cameras: Iterable[Camera]) -> str:
    content: dict[str, Any] = {"detector": detector.model_dump(mode="json"), "cameras": []}
    for camera in cameras:
        address = camera.address
        place = address.shown if address.live else Path(address.url).name
        kept = camera.evidence.shown if camera.evidence else None
        content["cameras"].append({**asdict(camera), "address": place, "evidence": kept})
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
