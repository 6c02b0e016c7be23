"""The live feed. What is sent and when is decided in api/feed.py."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Header, HTTPException

from api.deps import PersonDep, ServiceDep, require_person
from api.feed import FeedResponse, Source

router = APIRouter(prefix="/feed", tags=["feed"], dependencies=[Depends(require_person)])


@router.get(
    "",
    operation_id="listen",
    status_code=200,
    response_class=FeedResponse,
    responses={200: {"content": {"text/event-stream": {}}, "description": "Server-sent events without end"}},
)
async def listen(
    service: ServiceDep,
    session: PersonDep,
    last_event_id: Annotated[str | None, Header()] = None,
) -> FeedResponse:
    """Every change as it is stored, and with Last-Event-ID what was missed.

    `alert` carries AlertOut and the change's number as id; `camera` carries CameraOut; `ready` says that
    what was missed has been sent; `reload` says that too much was missed: read the lists again.
    """
    if last_event_id is not None and not (last_event_id.isdecimal() and len(last_event_id) < 16):
        raise HTTPException(422, "Last-Event-ID: wanted the number of a change")
    source = Source(
        head=service.store.alerts.head,
        changes_after=partial(service.store.alerts.changes_after, cameras=session.user.cameras),
        may_go_on=partial(service.guard.alive, session),
        sees=session.user.sees,
    )
    return FeedResponse(service.feed, source, None if last_event_id is None else int(last_event_id))
