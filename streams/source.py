"""Opens files and cameras with PyAV, gives their packets and pictures. Only this file knows PyAV's errors.

No text that leaves this file holds a credential: PyAV's own messages contain the whole URL, so they are
neither quoted nor chained. A bad packet is counted and the stream goes on.
"""

from __future__ import annotations

import errno
import struct
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

import av
from av.stream import Stream
from av.video.stream import VideoStream

from detector.errors import (
    SourceEnded,
    SourceError,
    SourceUnreachable,
    SourceUnreadable,
    Trouble,
)
from streams import hardware
from streams.address import Address
from streams.h264 import DisplayOrder, ReferenceCheck
from streams.timeline import DEFAULT_FPS, usable_fps

LIMIT_S = 10.0  # for a connection, and for each silence after it

_TLS = ("rtsps", "https")
_DEVICES = "v4l2"  # the name of Linux's camera devices in FFmpeg
# Containers of video. Others make pictures of anything (text, images) or open further files (concat).
_FORMATS = (
    "mov,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,av1,obu,ivf,flv,asf,ogg,mjpeg,mpjpeg,dhav,mxf,"
    "dv,nut,yuv4mpegpipe,hls"
)
_MAX_BAD_READS = 50  # in a row; more is not a damaged packet but a damaged stream
_MICRO = 1_000_000
_PRFT = struct.Struct("=qi")  # FFmpeg's AVProducerReferenceTime: wall clock in microseconds, flags

VideoPacket: TypeAlias = "av.Packet[VideoStream]"


class Source:
    """One open file or connection. `read` belongs to one thread, `decode` and `flush` to one other."""

    def __init__(self, address: Address, container: av.container.InputContainer, stream: VideoStream) -> None:
        self.address = address
        self.template = stream  # valid until `close`
        self.fps = usable_fps(*(float(r) if r else None for r in (stream.guessed_rate, stream.average_rate)))
        self.codec_name = stream.codec_context.name
        self.others = tuple(
            f"{other.type} {other.codec_context.name if other.codec_context else 'unknown'}"
            for other in container.streams
            if other.index != stream.index
        )
        # A stream of JPEGs has no times; its demuxer counts them at 25 a second, whatever the camera sends.
        self.timed = container.format.name != "mpjpeg"
        self._began = False  # whether a packet has come
        self.n_bad_reads = 0
        self.n_bad_packets = 0
        self._container = container
        self._codec = stream.codec_context
        self._codec.thread_count = 1  # more threads cost more for each picture and only lower its latency
        self._references = ReferenceCheck(self._codec.extradata) if self._codec.name == "h264" else None
        self._packets: Iterator[VideoPacket] = container.demux(stream)
        # A raw stream has no times: they are counted, in the order in which its pictures are shown.
        self.counted = not address.live and container.format.name == "h264"
        self._order = DisplayOrder(self._codec.extradata) if self.counted else None
        self._n_read = 0

    @property
    def decoder(self) -> str:
        """Where pictures are decoded: a device's kind, or "software"."""
        if self._codec.is_hwaccel:
            return hardware.choose(self.address.decoder).device or hardware.SOFTWARE
        return hardware.SOFTWARE

    @property
    def not_on_a_device(self) -> str:
        """Why a device that was wished for does not decode this stream; "" where it does or none was."""
        if self.address.decoder == hardware.SOFTWARE or self._codec.is_hwaccel:
            return ""
        return hardware.choose(self.address.decoder).why or f"it does not take this {self.codec_name}"

    def read(self) -> VideoPacket:
        """The next packet. Raises SourceEnded, SourceUnreachable, or SourceUnreadable (a file)."""
        began_s = time.monotonic()
        for _ in range(_MAX_BAD_READS):
            try:
                packet = next(self._packets, None)
            except av.InvalidDataError:  # the generator is spent, the container is not
                self.n_bad_reads += 1
                self._packets = self._container.demux(self.template)
                if self.address.live and time.monotonic() - began_s > LIMIT_S / 2:
                    raise _no_data(self.address) from None
                continue
            except av.FFmpegError as error:
                raise self._broken(_map(error, self.address, began_s)) from None
            if packet is not None and not _is_flush(packet):
                self._began = True
                self._count(packet)
                return packet
            if not self.address.live:
                raise SourceEnded("the file has ended", where=self.address.shown)
            if time.monotonic() - began_s > LIMIT_S / 2:
                raise _no_data(self.address)
            raise SourceUnreachable(
                "the stream was ended by the camera", trouble=Trouble.LOST, where=self.address.shown
            )
        raise SourceUnreachable("nothing but damaged data", where=self.address.shown)

    def _count(self, packet: VideoPacket) -> None:
        """Give a packet of a raw stream its time, where the stream tells its place."""
        number = self._order.number(bytes(packet)) if self._order else None
        if number is not None and packet.time_base:
            ticks = round(1 / (packet.time_base * Fraction(self.fps or DEFAULT_FPS)))
            packet.pts = number * ticks
            packet.dts = min(packet.pts, (self._n_read - self._codec.reorder_depth) * ticks)
        self._n_read += 1

    def _broken(self, error: SourceError) -> SourceError:
        """A camera that was running and now fails for no reason that is known has broken off."""
        if self.address.live and self._began and error.trouble is Trouble.UNREADABLE:
            error.trouble = Trouble.LOST
        return error

    def is_damaged(self, packet: VideoPacket) -> bool:
        """Whether a packet is known to be broken, or to refer to one that never came. Call it for each."""
        lost = self._references is not None and self._references.misses_reference(bytes(packet))
        return packet.is_corrupt or lost

    def camera_clock_s(self, packet: VideoPacket) -> float | None:
        """When the camera says it took a packet's picture, Unix seconds; None: it does not say.

        Over RTSP it says so in its sender reports, some seconds after the start. It is never used as a time:
        a camera without a battery begins in 1970.
        """
        if not packet.has_sidedata("prft"):
            return None
        micros: int = _PRFT.unpack_from(bytes(packet.get_sidedata("prft")))[0]
        return micros / _MICRO

    def decode(self, packet: VideoPacket, *, wanted: bool = True) -> list[av.VideoFrame]:
        """The pictures that come out when `packet` goes in, mostly one. A bad packet is counted.

        One whose picture is not `wanted` is not decoded where no other picture needs it: never, in a codec
        whose pictures stand alone; not as a B-frame that nothing refers to.
        """
        if not wanted and self._codec.codec.intra_only:
            return []
        self._codec.skip_frame = "DEFAULT" if wanted else "NONREF"
        try:
            return self._codec.decode(packet)
        except av.FFmpegError:
            self.n_bad_packets += 1
            return []

    def flush(self) -> list[av.VideoFrame]:
        """The pictures still inside the decoder, which can then be used again."""
        self._codec.skip_frame = "DEFAULT"
        try:
            frames = self._codec.decode(None)
        except av.FFmpegError:
            self.n_bad_packets += 1
            frames = []
        self._codec.flush_buffers()
        for frame in frames:
            frame.time_base = self.template.time_base  # it has no packet to take it from
        return frames

    def close(self) -> None:
        """Give everything back."""
        self._container.close()


def seconds_of(stamp: int | None, of: VideoPacket | av.VideoFrame) -> float | None:
    """A packet's or picture's time stamp in the source's own seconds; None: it has none."""
    return None if stamp is None or of.time_base is None else float(stamp * of.time_base)


def open_source(address: Address, *, sound: bool = False) -> Source:
    """Open a file or a camera, within about two times LIMIT_S. `sound`: ask an RTSP camera for all it has.

    Raises SourceUnreachable, or SourceUnreadable: not a video, no video in it, or a codec that is not known.
    """
    began_s = time.monotonic()
    if not address.live:
        _check_file(address)
    try:
        container = av.open(
            address.url,
            format=_DEVICES if address.device else None,
            options=_options(address, sound=sound),
            timeout=(LIMIT_S, LIMIT_S),
            metadata_errors="replace",
            hwaccel=hardware.decoding_on(address.decoder),
        )
    except av.FFmpegError as error:
        raise _map(error, address, began_s) from None
    try:
        return Source(address, container, _video_of(container, address))
    except SourceError:
        container.close()
        raise


def _options(address: Address, *, sound: bool) -> dict[str, str]:
    """What libavformat may do: nothing but the protocols that this kind of address needs."""
    if address.device:
        return {}
    if not address.live:
        return {"protocol_whitelist": "file", "format_whitelist": _FORMATS}
    scheme = address.url.split(":", 1)[0].lower()
    # Not waiting for pictures from which the rate could be guessed makes a camera online a second or more
    # sooner, also after each loss.
    options = {"fpsprobesize": "0"}
    if scheme in _TLS:
        options["tls_verify"] = str(int(address.tls_verify))
        if address.tls_ca_file is not None:
            options["ca_file"] = str(address.tls_ca_file)
    if scheme.startswith("rtsp"):
        return options | {
            "rtsp_transport": address.transport,
            "allowed_media_types": "video+audio+data" if sound else "video",
            "timeout": str(int(LIMIT_S * _MICRO)),
            "protocol_whitelist": "rtsp,rtsps,rtp,srtp,tcp,udp,tls,crypto",
        }
    return options | {
        "protocol_whitelist": "http,https,tcp,tls,crypto",
        "format_whitelist": _FORMATS,
        "rw_timeout": str(int(LIMIT_S * _MICRO)),
    }


def _check_file(address: Address) -> None:
    path = Path(address.url)
    if not path.exists():
        raise SourceUnreadable(
            "no such file",
            trouble=Trouble.NOT_FOUND,
            where=address.shown,
            todo="Check the path in the site file",
        )
    if not path.is_file():
        raise SourceUnreadable("not a file", where=address.shown, wanted="a video file")
    if path.stat().st_size == 0:
        raise SourceUnreadable("the file is empty", where=address.shown, wanted="a video file", got="0 bytes")


def _kind(stream: Stream) -> str:
    """A kind of stream in words; a sleeve picture is kept as a video of one picture."""
    return "a cover picture" if av.stream.Disposition.attached_pic in stream.disposition else stream.type


def _video_of(container: av.container.InputContainer, address: Address) -> VideoStream:
    stream = container.streams.best("video")
    kinds = ", ".join(sorted({_kind(s) for s in container.streams})) or "nothing"
    if not isinstance(stream, VideoStream) or av.stream.Disposition.attached_pic in stream.disposition:
        raise SourceUnreadable(
            "no video in it",
            trouble=Trouble.NO_VIDEO,
            where=address.shown,
            wanted="a video stream",
            got=kinds,
        )
    if stream.codec_context is None:
        raise SourceUnreadable(
            "the codec is not known",
            trouble=Trouble.NO_VIDEO,
            where=address.shown,
            wanted="H.264 or H.265",
        )
    return stream


def _is_flush(packet: VideoPacket) -> bool:
    return packet.size == 0 and packet.pts is None and packet.dts is None


def _no_data(address: Address) -> SourceUnreachable:
    return SourceUnreachable(
        "no data",
        trouble=Trouble.NO_DATA,
        where=address.shown,
        wanted=f"a packet within {LIMIT_S:.0f} s",
        got="silence",
        todo="Check that the camera streams",
    )


_Row = tuple[type[av.FFmpegError], Trouble, str, str]
_NETWORK: tuple[_Row, ...] = (
    (av.HTTPUnauthorizedError, Trouble.AUTH_FAILED, "the login was refused", "Check user and password"),
    (
        av.HTTPForbiddenError,
        Trouble.AUTH_FAILED,
        "the login may not see this stream",
        "Check the rights of the camera's user",
    ),
    (av.HTTPNotFoundError, Trouble.NOT_FOUND, "no stream at this path", "Check the path of the address"),
    (
        av.ConnectionRefusedError,
        Trouble.REFUSED,
        "connection refused",
        "Check address and port, and that the camera is on",
    ),
    (av.ConnectionResetError, Trouble.LOST, "the camera closed the connection", "It is tried again"),
    (av.TimeoutError, Trouble.NO_DATA, "no data", "Check that the camera is on and streams"),
    (av.error.ExitError, Trouble.NO_DATA, "no data", "Check that the camera is on and streams"),
    (av.DecoderNotFoundError, Trouble.NO_VIDEO, "the codec is not known", "Set the camera to H.264"),
    (
        av.ProtocolNotFoundError,
        Trouble.UNREADABLE,
        "it leads to a protocol that is not allowed",
        "Check the address",
    ),
)
_NO_ROUTE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN)


def _map(error: av.FFmpegError, address: Address, began_s: float) -> SourceError:
    """A library error as one of ours; only its class, its number and its fixed text are used."""
    where, text = address.shown, _fixed_text(error)
    if not address.live:
        # A format that is not on our list comes back as an argument error.
        strange = isinstance(error, av.InvalidDataError | av.ArgumentError)
        what = "not a video that can be read" if strange else "cannot be read"
        return SourceUnreadable(what, where=where, wanted="a video file", got=text)
    if time.monotonic() - began_s > LIMIT_S * 0.9:
        return _no_data(address)
    if address.device:
        todo = "Check that the device is plugged in and that this user may read it (group video)"
        return SourceUnreachable(
            "the device gives no video", trouble=Trouble.NO_VIDEO, where=where, got=text, todo=todo
        )
    for kind, trouble, what, todo in _NETWORK:
        if isinstance(error, kind):
            return SourceUnreachable(what, trouble=trouble, where=where, got=text, todo=todo)
    if error.errno in _NO_ROUTE:
        return SourceUnreachable(
            "no route", trouble=Trouble.NO_ROUTE, where=where, got=text, todo="Check address and network"
        )
    todo = "Check address and network"
    if address.url.lower().startswith(_TLS) and address.tls_verify:
        todo += "; a camera's own certificate is trusted by tls_ca_file, or by none with tls_verify = false"
    return SourceUnreachable("cannot be read", where=where, got=text, todo=todo)


def _fixed_text(error: av.FFmpegError) -> str:
    return str(error.strerror or type(error).__name__)
