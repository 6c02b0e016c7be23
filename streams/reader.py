"""The thread of one camera: source -> packets to the recorder -> pictures -> sampled pictures to the Board.

One camera's trouble stays here: a SourceError becomes a state with a reason and a retry, never an exception.
"""

from __future__ import annotations

from typing import Protocol

import av


class PacketSink(Protocol):
    """The recorder's side of a camera, called only by the reader's thread.

    The order is begin, (add, tick)*, end, begin, ... Nothing of one stretch can be joined to another.
    """

    def begin(self, template: av.VideoStream, epoch: int) -> None:
        """Packets that belong together start here. `template` is valid until `end` has returned."""

    def add(self, packet: av.Packet, t: float, keyframe: bool) -> None:
        """One packet in decoding order, with its own pts and dts (either may be None) and its stream second `t`.

        `t` is on the clock of the frames' stamps; with B-frames it is not monotone, as pts is not.
        """

    def tick(self) -> None:
        """After every packet: the time to cut what can be cut."""

    def end(self) -> None:
        """The stretch is over: cut what was asked for with what is there; `template` becomes invalid."""
