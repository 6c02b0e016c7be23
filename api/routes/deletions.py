"""What people see of evidence that has gone: the log of deletions."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException, Query

from api.db.cursor import BadCursor
from api.deps import PersonDep, ServiceDep, require_person
from api.schemas_storage import DeletionPage

router = APIRouter(prefix="/deletions", tags=["deletions"], dependencies=[Depends(require_person)])


@router.get("", operation_id="listDeletions")
async def list_deletions(
    service: ServiceDep,
    session: PersonDep,
    alert_id: UUID | None = None,
    limit: Annotated[int, Query(ge=1, description="More than 200 is taken as 200")] = 50,
    cursor: Annotated[str | None, Query(max_length=100)] = None,
) -> DeletionPage:
    """What was removed, why and when, newest first; `next` of a page is the `cursor` of the following one."""
    try:
        return await service.store.retention.log_page(alert_id, session.user.cameras, limit, cursor)
    except BadCursor as error:
        raise HTTPException(422, f"cursor: {error}") from error
