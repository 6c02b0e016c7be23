"""How a person is shown evidence: as it came, or, where their role may not see people clear, only as a blurred copy."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from uuid import UUID

from pydantic import ValidationError

from api.blur import blur_clip, blur_picture, boxes_at
from api.blurred import Make
from api.db.alerts import Evidence
from api.deps import Service
from api.schemas import MediaKind, MediaState, OverlayDoc
from api.schemas_privacy import ClipView


async def blurred_copy(service: Service, alert_id: UUID, kind: MediaKind, found: Evidence) -> Path | str:
    """The blurred copy of a snapshot or a clip; words: why there is none, or that the clip is being made.

    Raises UnknownAlert, StorageError.
    """
    name, make = await _recipe(service, alert_id, kind, found)
    asking = service.blurrer.wait if kind is MediaKind.SNAPSHOT else service.blurrer.look
    path = await asking(name, make)
    if path is not None:
        return path
    return service.blurrer.failed(name) or BEING_MADE


BEING_MADE = "the blurred clip is being made"


async def clip_view(service: Service, alert_id: UUID, blurred: bool) -> ClipView:
    """What this person is served as the clip; asking begins the making. Raises UnknownAlert, StorageError."""
    found = await service.store.alerts.media(alert_id, MediaKind.CLIP)
    if found.media.state is not MediaState.READY:
        return ClipView.NONE
    if not blurred:
        return ClipView.CLEAR
    copy = await blurred_copy(service, alert_id, MediaKind.CLIP, found)
    if isinstance(copy, Path):
        return ClipView.BLURRED
    return ClipView.BEING_MADE if copy == BEING_MADE else ClipView.NONE


async def _recipe(service: Service, alert_id: UUID, kind: MediaKind, found: Evidence) -> tuple[str, Make]:
    """A copy's name, another one for another original or overlay, and how it is made."""
    overlay = await service.store.alerts.media(alert_id, MediaKind.OVERLAY)
    boxes = service.media.path(alert_id, MediaKind.OVERLAY) if overlay.sha256 else None
    original = service.media.path(alert_id, kind)
    name = f"{alert_id}-{found.sha256[:16]}-{overlay.sha256[:16]}{original.suffix}"
    if kind is MediaKind.CLIP:
        return name, partial(_make_clip, original, boxes, found.media.start_t)
    opened_t = (await service.store.alerts.detail(alert_id)).opened_t
    return name, partial(_make_snapshot, original, boxes, opened_t)


def _make_clip(original: Path, boxes: Path | None, start_t: float | None, out: Path) -> None:
    blur_clip(original, out, _overlay(boxes), start_t)


def _make_snapshot(original: Path, boxes: Path | None, t: float, out: Path) -> None:
    out.write_bytes(blur_picture(original.read_bytes(), boxes_at(_overlay(boxes), t)))


def _overlay(path: Path | None) -> OverlayDoc | None:
    """Where people were found; None, and all is blurred, when that cannot be read."""
    if path is None:
        return None
    try:
        found = OverlayDoc.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
    return found if found.width > 0 and found.height > 0 else None
