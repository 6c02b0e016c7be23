"""What would have alerted: a configuration tried on the tracks that a camera's worker has kept."""

from __future__ import annotations

import logging
from datetime import datetime
from uuid import uuid4

from fastapi import APIRouter, Depends, HTTPException

from api.configuration import check
from api.db.alerts import Span
from api.db.cameras import UnknownCamera
from api.deps import AdminDep, CameraDep, ServiceDep, require_person
from api.schemas import AlertOut, Suppression
from api.schemas_what_if import Past, WhatIfIn, WhatIfOrder, WhatIfOut
from api.what_if import Busy, NoAnswer, covers, fates
from detector.errors import ConfigError
from detector.types import Phase

log = logging.getLogger(__name__)

router = APIRouter(prefix="/cameras", tags=["cameras"], dependencies=[Depends(require_person)])

_NOT_OF_RULES = frozenset({"blind"})  # the camera itself, never tried


@router.post("/{camera_id}/what-if", operation_id="tryConfiguration")
async def try_configuration(
    camera_id: CameraDep, wanted: WhatIfIn, service: ServiceDep, session: AdminDep
) -> WhatIfOut:
    """Judge the kept tracks of a span by this configuration; past alerts stay, vanish or appear. Changes nothing."""
    try:
        await service.store.cameras.get(camera_id)
        check(wanted.configuration)
        order = WhatIfOrder(**dict(wanted), what_if_id=uuid4(), camera_id=camera_id)
        found = await service.what_ifs.ask(order)
    except UnknownCamera:
        raise HTTPException(404, "no such camera") from None
    except ConfigError as error:
        raise HTTPException(422, error.text()) from error
    except (Busy, NoAnswer) as error:
        raise HTTPException(409, str(error)) from error
    if found.problem:
        raise HTTPException(422, found.problem)
    until = found.judged_until or wanted.since
    there_were = await service.store.alerts.opened_in(Span(camera_id, wanted.since, until))
    left_out = {*found.left_out, *_NOT_OF_RULES}
    tried = [one for one in there_were if one.rule not in left_out]
    past = [(_past(one), _end(one)) for one in tried if covers(found.covered, one.opened_at)]
    log.info("configuration tried camera=%s by=%s took_s=%.1f", camera_id, session.user.name, found.took_s)
    return WhatIfOut(
        camera_id=camera_id,
        since=wanted.since,
        judged_until=found.judged_until,
        n_pictures=found.n_pictures,
        covered_s=sum((end - start).total_seconds() for start, end in found.covered),
        n_not_covered=len(tried) - len(past),
        took_s=found.took_s,
        left_out=found.left_out,
        lines=fates(past, found.alerts),
    )


def _past(alert: AlertOut) -> Past:
    return Past(
        alert_id=alert.alert_id,
        rule=alert.rule,
        zone=alert.zone,
        severity=alert.severity,
        started_at=alert.started_at,
        opened_at=alert.opened_at,
        verdict=None if alert.verdict is None else alert.verdict.verdict,
        reason=alert.reason,
        shadow=alert.suppressed is not None and alert.suppressed.why is Suppression.SHADOW,
    )


def _end(alert: AlertOut) -> datetime | None:
    return alert.at if alert.phase is Phase.CLOSED else None
