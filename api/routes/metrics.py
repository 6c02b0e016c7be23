"""The service's counts for Prometheus. Asked with a worker's token: behind a proxy, everyone is loopback."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Depends, Response
from prometheus_client import CONTENT_TYPE_LATEST

from api.deps import ServiceDep, require_worker
from api.routes.health import problems_of

router = APIRouter(dependencies=[Depends(require_worker)], include_in_schema=False)


@router.get("/metrics", response_class=Response)
async def metrics(service: ServiceDep) -> Response:
    """Everything that is counted, in Prometheus' text format."""
    usage = await asyncio.to_thread(service.retention.usage)
    page = service.metrics.page(degraded=bool(await problems_of(service)), usage=usage)
    return Response(page, headers={"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"})
