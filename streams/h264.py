"""Reads of an H.264 packet only what tells that a reference picture before it was lost, and in which order to show it.

The decoder fills such a hole with an older picture and hands out what comes of it without a mark. Each
reference picture carries a number that goes up by one (`frame_num`, ITU-T H.264, 7.4.3); a number that is left
out is a picture that never came. A lost picture that nothing refers to leaves no hole and does no harm.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_SLICE, _IDR, _SPS, _PPS = 1, 5, 7, 8
_HEAD_BYTES = 64  # of a slice: its header begins with what is read here
_HIGH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})


@dataclass(frozen=True, slots=True)
class _Sps:
    number_bits: int  # of frame_num
    gaps_allowed: bool  # numbers may be left out on purpose (temporal layers)
    colour_planes: bool
    order_bits: int  # of pic_order_cnt_lsb; 0: the order is told in another way
    frames_only: bool


class _Bits:
    """Big-endian bits of a unit's payload, without its emulation prevention bytes."""

    def __init__(self, payload: bytes) -> None:
        plain = payload.replace(b"\x00\x00\x03", b"\x00\x00")
        self._value, self._left = int.from_bytes(plain, "big"), len(plain) * 8

    def take(self, n: int) -> int:
        """The next `n` bits; raises ValueError past the end."""
        if n > self._left:
            raise ValueError("the unit is too short")
        self._left -= n
        return (self._value >> self._left) & ((1 << n) - 1)

    def ue(self) -> int:
        """An Exp-Golomb number (9.1)."""
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)

    def se(self) -> int:
        """A signed one (9.1.1)."""
        code = self.ue()
        return (code + 1) // 2 if code % 2 else -(code // 2)


@dataclass(frozen=True, slots=True)
class _Slice:
    """The first slice of a picture."""

    sps: _Sps
    is_idr: bool
    is_reference: bool
    number: int  # frame_num
    order: int | None  # pic_order_cnt_lsb; None: the stream tells its order in another way


class _Heads:
    """The parameter sets of one connection, and the slices that they explain."""

    def __init__(self, extradata: bytes | None) -> None:
        """`extradata`: the codec's own, avcC or Annex B; parameter sets in the packets are followed too."""
        self._length_bytes = 0  # 0: start codes
        self._sps: dict[int, _Sps] = {}
        self._sps_of_pps: dict[int, int] = {}
        data = extradata or b""
        if data[:1] == b"\x01" and len(data) > 6:
            self._length_bytes = (data[4] & 3) + 1
            for unit in _units_of_avcc(data):
                self._read(unit)
        else:
            for unit in _units(data, 0):
                self._read(unit)

    def slice_of(self, packet: bytes) -> _Slice | None:
        """The first slice of a packet, which holds one picture. None: it is damaged, or its parameters never came."""
        for unit in _units(packet, self._length_bytes):
            if unit and unit[0] & 31 in (_SLICE, _IDR):
                try:
                    return self._slice(unit)
                except ValueError:
                    return None
            self._read(unit)
        return None

    def _read(self, unit: bytes) -> None:
        """Remember a parameter set; one that is damaged is left out."""
        kind = unit[0] & 31 if unit else 0
        try:
            if kind == _SPS:
                number, sps = _sps_of(_Bits(unit[1:]))
                self._sps[number] = sps
            elif kind == _PPS:
                bits = _Bits(unit[1 : 1 + _HEAD_BYTES])
                number = bits.ue()
                self._sps_of_pps[number] = bits.ue()
        except ValueError:
            return

    def _slice(self, unit: bytes) -> _Slice | None:
        """The beginning of a slice header (7.3.3)."""
        bits = _Bits(unit[1 : 1 + _HEAD_BYTES])
        bits.ue()  # first macroblock
        bits.ue()  # kind of slice
        sps = self._sps.get(self._sps_of_pps.get(bits.ue(), -1))
        if sps is None:  # without its parameters the decoder shows nothing either
            return None
        if sps.colour_planes:
            bits.take(2)
        number, is_idr = bits.take(sps.number_bits), unit[0] & 31 == _IDR
        order = None
        if sps.order_bits:
            if not sps.frames_only and bits.take(1):
                bits.take(1)  # which field
            if is_idr:
                bits.ue()  # which IDR picture
            order = bits.take(sps.order_bits)
        return _Slice(sps, is_idr, bool(unit[0] >> 5 & 3), number, order)


class ReferenceCheck:
    """Follows one connection's packets in decoding order."""

    def __init__(self, extradata: bytes | None) -> None:
        self._heads = _Heads(extradata)
        self._newest: int | None = None  # number of the last reference picture

    def misses_reference(self, packet: bytes) -> bool:
        """Whether a picture that this one may refer to has not come. One packet holds one picture."""
        found = self._heads.slice_of(packet)
        if found is None:
            return False
        before, n_numbers = self._newest, 1 << found.sps.number_bits
        if found.is_reference:
            self._newest = found.number
        if found.is_idr or before is None or found.sps.gaps_allowed:
            return False
        return found.number not in (before, (before + 1) % n_numbers)


class DisplayOrder:
    """Numbers pictures as they are shown, given in decoding order: for streams that have no times (8.2.1.1)."""

    def __init__(self, extradata: bytes | None) -> None:
        self._heads = _Heads(extradata)
        self._first, self._most = (
            0,
            -1,
        )  # number of this sequence's first picture; its latest, counted from that
        self._msb = self._lsb = 0  # of the last reference picture's order
        self._step = 2  # orders from one picture to the next; some encoders count by one

    def number(self, packet: bytes) -> int | None:
        """Which picture this is, from 0 on; None: the stream does not tell, or is damaged here."""
        found = self._heads.slice_of(packet)
        if found is None or found.order is None:
            return None
        if found.is_idr:
            self._first, self._most = self._first + self._most + 1, 0
            self._msb = self._lsb = 0
        lsb, span, msb = found.order, 1 << found.sps.order_bits, self._msb
        if lsb < self._lsb and self._lsb - lsb >= span // 2:
            msb += span
        elif lsb > self._lsb and lsb - self._lsb > span // 2:
            msb -= span
        if found.is_reference:
            self._msb, self._lsb = msb, lsb
        if found.sps.frames_only and (msb + lsb) % 2:
            self._step = 1
        place = (msb + lsb) // self._step
        self._most = max(self._most, place)
        return self._first + place


def _sps_of(bits: _Bits) -> tuple[int, _Sps]:
    """The beginning of a sequence parameter set (7.3.2.1.1)."""
    profile = bits.take(8)
    bits.take(16)  # constraints, level
    number = bits.ue()
    colour_planes = False
    if profile in _HIGH_PROFILES:
        chroma = bits.ue()
        if chroma == 3:
            colour_planes = bool(bits.take(1))
        bits.ue()  # luma depth
        bits.ue()  # chroma depth
        bits.take(1)
        if bits.take(1):
            for i in range(8 if chroma != 3 else 12):
                if bits.take(1):
                    _skip_scaling_list(bits, 16 if i < 6 else 64)
    number_bits = bits.ue() + 4
    order, order_bits = bits.ue(), 0
    if order == 0:
        order_bits = bits.ue() + 4
    elif order == 1:
        bits.take(1)
        bits.se()
        bits.se()
        for _ in range(bits.ue()):
            bits.se()
    bits.ue()  # reference pictures kept
    gaps_allowed = bool(bits.take(1))
    bits.ue()  # width
    bits.ue()  # height
    if number_bits > 16 or order_bits > 16:
        raise ValueError("not a sequence parameter set")
    return number, _Sps(number_bits, gaps_allowed, colour_planes, order_bits, bool(bits.take(1)))


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.se()) % 256
        last = following or last


def _units(data: bytes, length_bytes: int) -> Iterator[bytes]:
    """The units of a packet, by their lengths or (0) by start codes."""
    at = 0
    if length_bytes:
        while at + length_bytes < len(data):
            size = int.from_bytes(data[at : at + length_bytes], "big")
            at += length_bytes
            yield data[at : at + size]
            at += size
        return
    at = data.find(b"\x00\x00\x01")
    while at >= 0:
        end = data.find(b"\x00\x00\x01", at + 3)
        yield data[at + 3 : end if end >= 0 else len(data)]
        at = end


def _units_of_avcc(data: bytes) -> Iterator[bytes]:
    """The parameter sets in an MP4's avcC box (ISO/IEC 14496-15, 5.3.3.1.2)."""
    at = 5
    for mask in (31, 255):  # sequence, then picture parameter sets
        if at >= len(data):
            return
        n, at = data[at] & mask, at + 1
        for _ in range(n):
            size = int.from_bytes(data[at : at + 2], "big")
            yield data[at + 2 : at + 2 + size]
            at += 2 + size
