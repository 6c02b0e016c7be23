"""Figures over alerts, and how the service does, for people who are logged in."""

from __future__ import annotations

import asyncio
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from api.deps import PersonDep, ServiceDep, require_person
from api.schemas_stats import CoverageOut, DetailsOut, InsightsOut, OutboundHealthOut
from api.signing import fingerprint

router = APIRouter(prefix="/stats", tags=["stats"], dependencies=[Depends(require_person)])


@router.get("/insights", operation_id="insights")
async def insights(
    service: ServiceDep, session: PersonDep, days: Annotated[int, Query(ge=1, le=31)] = 7
) -> InsightsOut:
    """Alerts an hour, precision with its interval, seconds to verdict, coverage; of the cameras one may see."""
    found = await service.store.stats.figures(days, session.user.cameras)
    cameras = [one for one in await service.store.cameras.all() if session.user.sees(one.camera_id)]
    now = service.clock()
    return InsightsOut(
        since=now - timedelta(days=days),
        until=now,
        n_alerts=sum(hour.n for hour in found.per_hour),
        per_hour=found.per_hour,
        precision=found.precision,
        to_verdict=found.to_verdict,
        coverage=[
            CoverageOut(
                camera_id=one.camera_id, camera_name=one.name, state=one.state.value, coverage=one.coverage
            )
            for one in cameras
        ],
    )


@router.get("/service", operation_id="serviceDetails")
async def service_details(service: ServiceDep) -> DetailsOut:
    """Workers, targets, disks, and the fingerprint of the key that signs bundles."""
    targets = await service.store.outbound.shown()
    evidence = await asyncio.to_thread(_disk, service.settings.media_dir)
    data = await asyncio.to_thread(_disk, service.settings.data_dir)
    return DetailsOut(
        workers=service.workers.all(service.clock()),
        outbound=OutboundHealthOut(
            n_targets=len(targets),
            n_failing=sum(one.failing_since is not None and one.enabled for one in targets),
            n_waiting=sum(one.n_waiting for one in targets),
        ),
        evidence_state=service.retention.disk.value,
        evidence_free_bytes=evidence[0],
        evidence_total_bytes=evidence[1],
        data_free_bytes=data[0],
        data_total_bytes=data[1],
        signing_key=fingerprint(service.signing.public),
    )


def _disk(folder: Path) -> tuple[int | None, int | None]:
    """Free and total bytes; None when the disk does not answer."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return None, None
    return usage.free, usage.total
