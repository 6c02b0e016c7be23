"""Other people's trackers behind one function each, fed with the same detections as ours in the same run.

They get what their documentation asks for: the true frame rate where there is such a setting, and every detection of a
person down to the detector's floor with its score. What they return without an id (not yet confirmed) does not count as
tracked. ultralytics runs in the export environment and has no frame rate to set; where it cannot run it is left out,
with the reason.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks import ultralytics_peer
from benchmarks.mot import Labels
from detector.errors import ConfigError
from detector.types import Detections, Kind

log = logging.getLogger(__name__)

Peer = Callable[[Sequence[Detections], float], list[Labels]]


def peers() -> Mapping[str, Peer]:
    """Give the peers by the name that reports show. Raises ConfigError if they are not installed."""
    try:
        from trackers import ByteTrackTracker, OCSORTTracker  # noqa: PLC0415  # of the extra `bench`
    except ModuleNotFoundError as error:
        raise ConfigError(
            "a peer is not installed", got=str(error), todo="Install the extra: pip install '.[bench]'"
        ) from error
    found: dict[str, Peer] = {
        "trackers.bytetrack": lambda pictures, fps: _follow(ByteTrackTracker(frame_rate=fps), pictures),
        "trackers.ocsort": lambda pictures, fps: _follow(OCSORTTracker(frame_rate=fps), pictures),
    }
    if why := ultralytics_peer.why_not():
        log.warning("left out peer=%s reason=%s", ultralytics_peer.NAME, why)
    else:
        found[ultralytics_peer.NAME] = lambda pictures, _: _ultralytics(pictures)
    return found


def _follow(tracker: Any, pictures: Sequence[Detections]) -> list[Labels]:
    import supervision  # noqa: PLC0415  # comes with trackers

    told = []
    for seen in pictures:
        people = seen[seen.kinds == Kind.PERSON]
        given = tracker.update(supervision.Detections(xyxy=people.boxes, confidence=people.scores))
        named = given.tracker_id >= 0
        told.append(Labels(given.tracker_id[named].astype(np.int64), given.xyxy[named].astype(np.float32)))
    return told


def _ultralytics(pictures: Sequence[Detections]) -> list[Labels]:
    people = [seen[seen.kinds == Kind.PERSON] for seen in pictures]
    told = ultralytics_peer.run([np.column_stack([seen.boxes, seen.scores]) for seen in people]).tracks
    return [Labels(rows[:, 0].astype(np.int64), rows[:, 1:]) for rows in told]
