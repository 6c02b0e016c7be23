"""The last minute of each camera as it came, and the clips that are cut from it.

    reader's thread:  packets -> PacketRing -> Recorder cuts what is asked for, when it is there
    writer's thread:  cuts -> clips.write_clip -> outbox

Until a clip is whole it has a draft on disk, so that a kill leaves its beginning (streams/aftermath.py). Only of
what is copied, since that costs some milliseconds: what must be encoded, or masked, has none.

A packet is kept in memory of its own, so nothing here holds on to a connection.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from av.video.stream import VideoStream

from api.schemas import MediaKind
from detector.errors import SourceUnreadable, StorageError
from streams.clips import Codec, Kept, VideoPacket, write_clip
from streams.evidence import Folder, Span
from streams.flow import Pipe
from streams.masks import NO_MASKS, Masks
from streams.outbox import Outbox

log = logging.getLogger(__name__)

MAX_RING_BYTES = 64 * 1024 * 1024
DRAFT_S = 5.0  # from one draft of a clip to the next
_RETRY_S = 5.0
_SHORT_S = 0.5  # missing at an end of a clip, from which on it is said


@dataclass(frozen=True, slots=True)
class ClipRequest:
    """Which stream seconds an alert wants to keep."""

    alert_id: UUID
    camera_id: str
    epoch: int
    from_t: float
    until_t: float
    masks: Masks = NO_MASKS


@dataclass(slots=True)
class _Group:
    """A keyframe and what depends on it."""

    epoch: int
    codec: Codec
    packets: list[Kept]


class PacketRing:
    """The newest packets of one camera, whole groups only: bounded in seconds and in bytes.

    Packets before the first keyframe of an epoch are of no use and not kept.
    """

    def __init__(self, keep_s: float, max_bytes: int = MAX_RING_BYTES) -> None:
        self._keep_s, self._max_bytes = keep_s, max_bytes
        self._groups: deque[_Group] = deque()
        self._begun: tuple[int, Codec | str] | None = None  # the epoch that waits for its first keyframe
        self.n_bytes = 0
        self.newest_t = 0.0  # what is shown before it has all come; with B-frames later pictures come first

    def begin(self, epoch: int, codec: Codec | str) -> None:
        """What comes now cannot be joined to what came before; a text says why none of it can be kept."""
        self._begun = (epoch, codec)

    def add(self, packet: Kept) -> None:
        """Keep one packet, in decoding order; let go of the oldest."""
        self.newest_t = max(self.newest_t, packet.t - packet.lag_s)
        if packet.keyframe and self._begun and isinstance(self._begun[1], Codec):
            self._groups.append(_Group(self._begun[0], self._begun[1], [packet]))
            self._begun = None
        elif self._begun or not self._groups:
            return
        elif packet.keyframe:
            last = self._groups[-1]
            self._groups.append(_Group(last.epoch, last.codec, [packet]))
        else:
            self._groups[-1].packets.append(packet)
        self.n_bytes += len(packet.data)
        while len(self._groups) > 1 and self._groups[1].packets[0].t <= self.newest_t - self._keep_s:
            self._drop()
        while self.n_bytes > self._max_bytes:
            last = self._groups[-1]
            self._drop()
            if not self._groups:  # one group larger than all the room: nothing can be cut until the next
                self._begun = (last.epoch, last.codec)

    def cut(self, epoch: int, from_t: float, until_t: float) -> tuple[Codec, list[Kept]] | str:
        """The packets of an epoch from the keyframe at or before `from_t` to the first at or after `until_t`.

        As many as there are; a text says why there are none.
        """
        groups = [group for group in self._groups if group.epoch == epoch]
        if not groups and self._begun and self._begun[0] == epoch:
            return self._begun[1] if isinstance(self._begun[1], str) else "no keyframe has come"
        if not groups:
            return "the pictures are no longer in memory"
        while len(groups) > 1 and groups[1].packets[0].t <= from_t:
            groups.pop(0)
        start_t = groups[0].packets[0].t
        if start_t > until_t:
            return "the pictures are no longer in memory"
        packets = []
        for packet in (packet for group in groups for packet in group.packets):
            # What is shown before the first keyframe refers to pictures that are not in the clip.
            if packet.t >= start_t:
                packets.append(packet)
            if packet.t - packet.lag_s >= until_t:
                break
        return groups[0].codec, packets

    def _drop(self) -> None:
        self.n_bytes -= sum(len(packet.data) for packet in self._groups.popleft().packets)


@dataclass(frozen=True, slots=True)
class Cut:
    """What the writer is given: packets, or why there are none."""

    request: ClipRequest
    found: tuple[Codec, list[Kept]] | str
    draft: bool = False  # the clip is not whole yet


class Recorder:
    """A camera's `PacketSink`; lives in the reader's thread. Requests come by a pipe, cuts leave by one.

    While the writer is behind, clips wait here as requests: a reader never waits for another camera's clip. The
    ring runs on meanwhile, so one that waits for long may begin late, and says so. The reader of a file that is
    read as fast as it goes does wait (`patient`).
    """

    def __init__(  # noqa: PLR0913  the last two are named
        self,
        ring: PacketRing,
        requests: Pipe[ClipRequest],
        cuts: Pipe[Cut],
        abandon: threading.Event,
        camera_id: str,
        *,
        patient: bool = False,
        drafts: bool = False,
    ) -> None:
        self._ring, self._requests, self._cuts, self._abandon = ring, requests, cuts, abandon
        self._camera_id, self._patient, self._drafts = camera_id, patient, drafts
        self._pending: list[ClipRequest] = []
        self._draft_t: dict[ClipRequest, float] = {}  # stream second of the next draft
        self._epoch: int | None = None  # None: no stretch is running, so nothing more will come

    def begin(self, template: VideoStream, epoch: int) -> None:
        """Packets that belong together start here."""
        try:
            codec: Codec | str = Codec(template)
        except SourceUnreadable as error:  # watching goes on; alerts will say why they have no clip
            codec = error.text()
            log.warning("no clips camera_id=%s epoch=%d error=%s", self._camera_id, epoch, error)
        self._ring.begin(epoch, codec)
        self._epoch = epoch

    def lack(self, epoch: int, why: str) -> None:
        """There are no packets for now, and alerts will say why; what waits is cut from what there was."""
        self._ring.begin(epoch, why)
        self._epoch = None
        self.tick()

    def add(self, packet: VideoPacket, t: float, keyframe: bool) -> None:
        """One packet in decoding order, shown at stream second `t`."""
        lag_s = 0.0
        if packet.pts is not None and packet.dts is not None and packet.time_base is not None:
            lag_s = max(0.0, float((packet.pts - packet.dts) * packet.time_base))
        self._ring.add(Kept(bytes(packet), t, lag_s, keyframe))

    def tick(self) -> None:
        """Cut what is complete (its end has come, or its stretch is over), as far as the writer takes it."""
        while len(self._requests) and (request := self._requests.get(0.0)) is not None:
            self._pending.append(request)
        for request in list(self._pending):
            if self._cuts.full and not self._patient:
                return
            if request.epoch != self._epoch or self._ring.newest_t >= request.until_t:
                self._cut(request, wait=self._patient)
            elif self._drafts and not request.masks:
                self._draft(request)

    def end(self) -> None:
        """The stretch is over: cut all that waits with what is there."""
        self._epoch = None
        self.tick()

    def serve(self) -> None:
        """After the last stretch: cut for alerts that come late, until no more can come. Waits for the writer."""
        while (self._pending or not self._requests.done) and not self._abandon.is_set():
            if not self._pending and (request := self._requests.get(0.2)) is not None:
                self._pending.append(request)
            for request in list(self._pending):
                self._cut(request, wait=True)

    @property
    def n_waiting(self) -> int:
        """Clips asked for and not yet cut; may be read from any thread."""
        return len(self._requests) + len(self._pending)

    def _cut(self, request: ClipRequest, *, wait: bool) -> None:
        cut = Cut(request, self._ring.cut(request.epoch, request.from_t, request.until_t))
        if self._cuts.put(cut, self._abandon) if wait else self._cuts.offer(cut):
            self._pending.remove(request)
            self._draft_t.pop(request, None)

    def _draft(self, request: ClipRequest) -> None:
        """Cut what there is by now, unless the writer has something better to do."""
        if self._ring.newest_t < self._draft_t.get(request, 0.0) or len(self._cuts):
            return
        found = self._ring.cut(request.epoch, request.from_t, request.until_t)
        if not isinstance(found, str) and found[0].playable:
            self._cuts.offer(Cut(request, found, draft=True))
        self._draft_t[request] = self._ring.newest_t + DRAFT_S


class ClipWriter:
    """The one thread that writes clips. A clip that cannot be written is reported missing; alerts go on."""

    def __init__(self, cuts: Pipe[Cut], folder: Folder, outbox: Outbox) -> None:
        self._cuts, self._folder, self._outbox = cuts, folder, outbox

    def run(self, stop: threading.Event) -> None:
        """Write what comes until the pipe is done."""
        while not self._cuts.done and not stop.is_set():
            if (cut := self._cuts.get(0.2)) is None:
                continue
            if cut.draft:
                self._write_draft(cut)
                continue
            told = self._write(cut)
            while not self._told(told) and not stop.wait(_RETRY_S):
                pass
            self._drop_drafts(cut)

    def _write(self, cut: Cut) -> Callable[[], bool]:
        """Write one clip; returns how to tell the outbox."""
        alert_id = cut.request.alert_id
        reason = cut.found if isinstance(cut.found, str) else ""
        if not isinstance(cut.found, str):
            codec, packets = cut.found
            n_bytes = sum(len(packet.data) for packet in packets)
            try:
                with self._folder.place(alert_id, MediaKind.CLIP, n_bytes) as part:
                    span = write_clip(part, codec, packets, cut.request.from_t, cut.request.masks)
            except (StorageError, SourceUnreadable) as error:
                reason = f"{error.what}: {error.got}" if error.got else error.what
            else:
                path = self._folder.path(alert_id, MediaKind.CLIP)
                note = shortfall(cut.request, span)
                return lambda: self._outbox.put_media(
                    alert_id, MediaKind.CLIP, path, span.start_t, span.duration_s, note=note
                )
        log.warning("no clip camera_id=%s alert_id=%s reason=%s", cut.request.camera_id, alert_id, reason)
        return lambda: self._outbox.put_missing(alert_id, MediaKind.CLIP, reason)

    def _write_draft(self, cut: Cut) -> None:
        """Best effort: what is wrong is told when the clip is whole."""
        assert not isinstance(cut.found, str)
        codec, packets = cut.found
        n_bytes = sum(len(packet.data) for packet in packets)
        with (
            contextlib.suppress(StorageError, SourceUnreadable),
            self._folder.place_draft(cut.request.alert_id, n_bytes) as (part, spans),
        ):
            spans.append(write_clip(part, codec, packets, cut.request.from_t))

    def _drop_drafts(self, cut: Cut) -> None:
        with contextlib.suppress(StorageError):  # what no row points to goes at the next start
            self._folder.drop_drafts(cut.request.alert_id)

    @staticmethod
    def _told(told: Callable[[], bool]) -> bool:
        try:
            told()
        except StorageError as error:
            log.error("outbox cannot be written error=%s", error)
            return False
        return True


def shortfall(request: ClipRequest, span: Span) -> str | None:
    """What of the wanted seconds a clip does not show, in words; None: nothing."""
    late_s = span.start_t - request.from_t
    early_s = request.until_t - span.start_t - span.duration_s
    words = []
    if late_s > _SHORT_S:
        words.append(
            f"short pre-roll: it begins {late_s:.1f} s later than wanted, no earlier picture was in memory"
        )
    if early_s > _SHORT_S:
        words.append(f"short post-roll: it ends {early_s:.1f} s earlier than wanted, as the pictures did")
    return "; ".join(words) or None
