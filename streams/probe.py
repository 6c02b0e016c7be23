"""What works and what does not about one camera, in plain words: `watchpost cameras test`.

The steps are those of the worker, with its own source and timeline: reach, login, video, pictures. Each finding
says what was seen and, where it is not well, what to do.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from statistics import median

from detector.errors import SourceEnded, SourceError
from streams.address import Address
from streams.clips import plays_as_it_is
from streams.feed import Clock
from streams.frame import upright_size
from streams.source import Source, VideoPacket, open_source, seconds_of
from streams.timeline import DEFAULT_FPS, Timeline, usable_fps

_REACH_S = 5.0
_LONG_KEYS_S = 4.0  # between keyframes: a clip begins at one, and damage lasts until one
_WRONG_CLOCK_S = 60.0
_HOLE_PERIODS = 2.5


class Mark(StrEnum):
    """How a finding is meant."""

    GOOD = "good"
    NOTE = "note"  # works, and is worth knowing
    BAD = "bad"  # does not work


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the test."""

    what: str
    mark: Mark
    said: str


@dataclass(slots=True)
class Survey:
    """What the packets and pictures of some seconds tell. Times are stream seconds."""

    n_packets: int = 0
    n_bytes: int = 0
    n_pictures: int = 0
    n_untimed: int = 0  # packets without a time of their own
    n_backward: int = 0  # decoding times that did not rise
    n_corrupt: int = 0
    jumps: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)  # of the packets
    key_times: list[float] = field(default_factory=list)
    reordered: bool = False
    sizes: set[tuple[int, int]] = field(default_factory=set)
    decode_s: float = 0.0
    clock_offset_s: float | None = None
    first_picture_s: float | None = None  # after the opening, by our clock

    @property
    def fps(self) -> float | None:
        """Packets a second as they really come; None: fewer than three."""
        span_s = self.times[-1] - self.times[0] if len(self.times) > 2 else 0.0
        return (len(self.times) - 1) / span_s if span_s > 0 else None

    @property
    def n_holes(self) -> int:
        """Steps in time that are much longer than the usual one."""
        steps = [b - a for a, b in pairwise(sorted(self.times))]
        return sum(step > _HOLE_PERIODS * median(steps) for step in steps) if len(steps) > 10 else 0


def probe(address: Address, seconds: float, clock: Clock = Clock()) -> Iterator[Finding]:
    """Test one camera or file, finding by finding as they come; ends at the first thing that is fatal."""
    if address.live and not address.device:
        reached = _reach(address, clock)
        yield reached
        if reached.mark is Mark.BAD:
            return
    began_s = clock.monotonic()
    try:
        source = open_source(address, sound=True)
    except SourceError as error:
        yield Finding("open", Mark.BAD, error.text())
        return
    try:
        yield Finding("open", Mark.GOOD, f"login and stream accepted in {clock.monotonic() - began_s:.1f} s")
        yield from _stream(source)
        survey = Survey()
        trouble = _watch(source, survey, seconds, clock)
        yield from _pictures(source, survey, trouble)
    finally:
        source.close()


def _reach(address: Address, clock: Clock) -> Finding:
    """Whether something listens there."""
    host, port = address.endpoint
    began_s = clock.monotonic()
    try:
        socket.create_connection((host, port), _REACH_S).close()
    except socket.gaierror:
        return Finding("reach", Mark.BAD, f"the name {host} is not known here. Check it, and the DNS server")
    except TimeoutError:
        return Finding(
            "reach", Mark.BAD, f"no answer at port {port} within {_REACH_S:.0f} s. Check address, firewall"
        )
    except ConnectionRefusedError:
        return Finding(
            "reach", Mark.BAD, f"nothing listens at port {port}. Check the port; is the stream switched on?"
        )
    except OSError as error:
        way = (
            "no route to it"
            if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH)
            else str(error.strerror)
        )
        return Finding("reach", Mark.BAD, f"{way}. Check address and network")
    return Finding(
        "reach", Mark.GOOD, f"port {port} answers in {1000 * (clock.monotonic() - began_s):.0f} ms"
    )


def _stream(source: Source) -> Iterator[Finding]:
    """What the stream says of itself."""
    codec = source.codec_name
    if plays_as_it_is(source.template):
        yield Finding("codec", Mark.GOOD, f"{codec}; clips are copied as they come")
    else:
        yield Finding(
            "codec",
            Mark.NOTE,
            f"{codec}; clips must be encoded anew, which costs a core for about half their length",
        )
    others = ", ".join(source.others) or "none"
    yield Finding("sound and data", Mark.GOOD, f"{others}; left out of clips" if source.others else "none")


def _watch(source: Source, survey: Survey, seconds: float, clock: Clock) -> str:
    """Read for so many seconds; returns what ended it before that, "" if nothing did."""
    timeline = Timeline()
    began_s = clock.monotonic()
    timeline.connect(live=source.address.live, fps=source.fps, arrival_s=began_s, timed=source.timed)
    newest_dts: int | None = None
    while clock.monotonic() - began_s < seconds:
        try:
            packet = source.read()
        except SourceEnded:
            return ""
        except SourceError as error:
            return error.text()
        arrival_s = clock.monotonic()
        if why := timeline.check(seconds_of(packet.dts, packet), arrival_s):
            survey.jumps.append(why)
            timeline.begin(arrival_s)
        t = timeline.packet_t(seconds_of(packet.pts, packet), arrival_s)
        survey.n_untimed += packet.pts is None or source.counted
        survey.n_backward += newest_dts is not None and packet.dts is not None and packet.dts <= newest_dts
        newest_dts = packet.dts if packet.dts is not None else newest_dts
        survey.reordered |= None not in (packet.pts, packet.dts) and packet.pts != packet.dts
        _count(source, survey, packet, t, clock)
        if survey.n_pictures and survey.first_picture_s is None:
            survey.first_picture_s = clock.monotonic() - began_s
        if (told_s := source.camera_clock_s(packet)) is not None:
            survey.clock_offset_s = told_s - clock.now().timestamp()
    return ""


def _count(source: Source, survey: Survey, packet: VideoPacket, t: float, clock: Clock) -> None:
    survey.n_packets += 1
    survey.n_bytes += packet.size
    survey.times.append(t)
    if packet.is_keyframe:
        survey.key_times.append(t)
    survey.n_corrupt += source.is_damaged(packet)
    began_s = clock.monotonic()
    frames = source.decode(packet)
    survey.decode_s += clock.monotonic() - began_s
    survey.n_pictures += len(frames)
    survey.n_corrupt += sum(frame.is_corrupt for frame in frames)
    survey.sizes.update(upright_size(frame) for frame in frames)


def _pictures(source: Source, survey: Survey, trouble: str) -> Iterator[Finding]:
    """What the pictures are like."""
    if not survey.n_pictures:
        yield Finding(
            "pictures", Mark.BAD, trouble or f"{survey.n_packets} packets, and none could be decoded"
        )
        return
    waited_s = survey.first_picture_s or 0.0
    yield Finding("pictures", Mark.GOOD, f"{survey.n_pictures} decoded, the first after {waited_s:.1f} s")
    if trouble:
        yield Finding("stream", Mark.BAD, trouble)
    sizes = " and ".join(f"{width}x{height}" for width, height in sorted(survey.sizes))
    one = len(survey.sizes) == 1
    yield Finding(
        "size", Mark.GOOD if one else Mark.NOTE, sizes if one else f"{sizes}: it changes while it runs"
    )
    yield _rate(source, survey)
    yield _keys(survey)
    span_s = max(survey.times) - min(survey.times)
    if span_s > 0:
        yield Finding("bit rate", Mark.GOOD, f"{survey.n_bytes * 8 / span_s / 1e6:.2f} Mbit a second")
    cost_ms = 1000 * survey.decode_s / survey.n_packets
    yield Finding("decoding", Mark.GOOD, f"{cost_ms:.1f} ms a picture on this machine ({source.decoder})")
    yield from _oddities(source, survey)


def _rate(source: Source, survey: Survey) -> Finding:
    real, declared = survey.fps, source.fps
    if real is None:
        return Finding("rate", Mark.NOTE, "too few pictures to tell")
    said = f"{real:.1f} pictures a second"
    if declared is None:
        return Finding("rate", Mark.NOTE, f"{said}; the stream declares none that can be true")
    if usable_fps(real) is None or abs(real - declared) > 0.2 * declared:
        return Finding("rate", Mark.NOTE, f"{said}; the stream declares {declared:.1f}, which is not used")
    return Finding("rate", Mark.GOOD, f"{said}, as declared")


def _keys(survey: Survey) -> Finding:
    keys = sorted(survey.key_times)
    gaps = [b - a for a, b in pairwise(keys)]
    if not gaps:
        return Finding(
            "keyframes",
            Mark.NOTE,
            f"{len(keys)} in the test: clips begin, and damage ends, only at one. Set 1 to 2 s",
        )
    if max(gaps) > _LONG_KEYS_S:
        return Finding(
            "keyframes",
            Mark.NOTE,
            f"every {max(gaps):.1f} s: clips begin too early. Set the camera to 1 to 2 s",
        )
    return Finding("keyframes", Mark.GOOD, f"every {median(gaps):.1f} s")


def _taken(source: Source) -> str:
    """Where the times come from that a stream does not have."""
    if source.address.live:
        return "taken from their arrival"
    return f"counted, at {source.fps or DEFAULT_FPS:g} pictures a second"


def _oddities(source: Source, survey: Survey) -> Iterator[Finding]:
    notes = [
        (survey.n_untimed > 1, f"{survey.n_untimed} packets without a time: it is {_taken(source)}"),
        (survey.n_backward > 0, f"{survey.n_backward} times that do not rise"),
        (bool(survey.jumps), f"{len(survey.jumps)} jumps in time ({'; '.join(survey.jumps[:3])})"),
        (
            survey.n_holes > 0,
            f"{survey.n_holes} holes between pictures: packets are lost, or the rate varies",
        ),
        (survey.reordered, "pictures are reordered (B-frames): they come some pictures late"),
    ]
    odd = [said for there, said in notes if there]
    yield Finding("time", Mark.NOTE if odd else Mark.GOOD, "; ".join(odd) or "rises evenly")
    n_bad = survey.n_corrupt + source.n_bad_packets + source.n_bad_reads
    if n_bad:
        yield Finding(
            "damage", Mark.NOTE, f"{n_bad} damaged packets or pictures. Check the network; TCP loses none"
        )
    offset_s = survey.clock_offset_s
    if offset_s is not None and abs(offset_s) > _WRONG_CLOCK_S:
        yield Finding(
            "clock", Mark.NOTE, f"the camera's clock is {offset_s:+.0f} s off; ours is used. Set up NTP there"
        )
