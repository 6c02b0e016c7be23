"""The audit, for administrators, who see every camera."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query
from pydantic import AwareDatetime

from api.db.audit import AuditFilter
from api.db.cursor import BadCursor
from api.deps import ServiceDep, require_admin
from api.schemas_audit import AuditPage, What

router = APIRouter(prefix="/audit", tags=["audit"], dependencies=[Depends(require_admin)])

Word = Annotated[str | None, Query(max_length=200)]
Moment = Annotated[AwareDatetime | None, Query()]


async def _filter(
    who: Word = None, what: What | None = None, about: Word = None, since: Moment = None, until: Moment = None
) -> AuditFilter:
    return AuditFilter(who=who, what=what, about=about, since=since, until=until)


@router.get("", operation_id="listAudit")
async def list_audit(
    service: ServiceDep,
    wanted: Annotated[AuditFilter, Depends(_filter)],
    limit: Annotated[int, Query(ge=1, description="More than 200 is taken as 200")] = 50,
    cursor: Annotated[str | None, Query(max_length=100)] = None,
) -> AuditPage:
    """Who did what, newest first; `next` of a page is the `cursor` of the following one."""
    await service.store.audit.settle()
    try:
        return await service.store.audit.page(wanted, limit, cursor)
    except BadCursor as error:
        raise HTTPException(422, f"cursor: {error}") from error
