"""Nobody is known again: what is sent and stored has no place for an appearance, and a track's number ends with its run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import LargeBinary
from support.api import Api
from support.people import detections, row_of, stamp

from api.db import tables as tb
from api.schemas import AlertIn, OverlayDoc
from detector.rules.gathering import Gathering, GatheringParams
from detector.scene import Scene
from detector.types import Alert

pytestmark = pytest.mark.anyio

# Where the wire contract has lists of numbers: measured quantities over time, boxes, corners, joints of those whose
# hands meet, an interval of figures.
NUMBERS = {
    "SeriesIn.t", "SeriesIn.v", "AlertIn.box", "AlertDetail.box", "ZoneOut.polygon", "OverlayFrame.boxes",
    "OverlayFrame.skeletons", "AreaTable.polygon", "LineTable.points", "PrecisionOut.ci95",
}  # fmt: skip
IDS = {"AlertIn.track_ids", "AlertDetail.track_ids"}
RULE = GatheringParams(min_people=3, hold_s=1.0, gap_s=0.5, close_s=2.0)


def _numbers(schema: Any) -> bool:
    """Whether a list of numbers may be in it, however deep."""
    if isinstance(schema, list):
        return any(map(_numbers, schema))
    if not isinstance(schema, dict):
        return False
    if schema.get("type") == "array":
        inner = [schema.get("items"), schema.get("prefixItems")]
        return any(one.get("type") in ("number", "integer") for one in _flat(inner)) or _numbers(inner)
    return any(_numbers(one) for one in schema.values())


def _flat(inner: Any) -> Iterator[dict[str, Any]]:
    for one in inner:
        yield from one if isinstance(one, list) else [one] if isinstance(one, dict) else []


async def test_nothing_stored_or_sent_can_hold_an_appearance(api: Api) -> None:
    """No table has bytes, and no message a list of numbers but series, boxes, corners and track ids."""
    assert not [c for t in tb.metadata.tables.values() for c in t.c if isinstance(c.type, LargeBinary)]
    document = (await (await api.client()).get("/openapi.json")).json()
    shapes = document["components"]["schemas"] | {
        name: shape
        for model in (AlertIn, OverlayDoc)
        for name, shape in (
            model.model_json_schema()["$defs"] | {model.__name__: model.model_json_schema()}
        ).items()
    }
    found = {
        f"{name}.{key}"
        for name, shape in shapes.items()
        for key, value in shape.get("properties", {}).items()
        if _numbers(value)
    }
    assert found == NUMBERS | IDS


def _run(number: int) -> list[Alert]:
    """Three people stand together for 3 s, seen by a scene that begins anew."""
    scene = Scene("cam", UUID(int=number), [Gathering(RULE, None)])
    seen = detections(row_of(3, apart=60.0))
    return [alert for n in range(15) for alert in scene.step(stamp(n / 5), seen).alerts]


def test_a_track_ends_with_its_run() -> None:
    """The same people in a second run get numbers from 1 again, and another alert: nothing tells that they were here before."""
    first, second = _run(1), _run(2)
    assert first[0].track_ids == second[0].track_ids
    assert set(first[0].track_ids) <= set(range(1, 10))
    assert first[0].alert_id != second[0].alert_id
