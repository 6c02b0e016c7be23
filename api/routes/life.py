"""What people do with alerts: claim, judge, note, reopen, hold, close many, hand over. Who may not see an alert gets 404."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Path

from api.db.alerts import UnknownAlert
from api.db.handovers import UnknownHandover
from api.db.life import ClaimedByOther, WrongStatus
from api.deps import AlertDep, ReviewerDep, ServiceDep, require_reviewer
from api.routes.alerts import detail_of
from api.schemas import AlertDetail, VerdictIn
from api.schemas_desk import ClaimIn, ClosedOut, CloseIn, HandoverOut, LeftOut, NoteIn, ReopenIn

router = APIRouter(prefix="/alerts", tags=["life"], dependencies=[Depends(require_reviewer)])
handovers_router = APIRouter(prefix="/handovers", tags=["life"], dependencies=[Depends(require_reviewer)])

HandoverId = Annotated[int, Path(ge=1, lt=2**31)]


@contextmanager
def _answered() -> Iterator[None]:
    """404 for an alert that is not there, 409 with by whom and since when for one that another works on."""
    try:
        yield
    except UnknownAlert:
        raise HTTPException(404, "no such alert") from None
    except (ClaimedByOther, WrongStatus) as error:
        raise HTTPException(409, str(error)) from error


@router.post("/close", operation_id="closeMany")
async def close_many(close: CloseIn, service: ServiceDep, session: ReviewerDep) -> ClosedOut:
    """Give many alerts one verdict, as for duplicates; those that are closed or another's are named and left."""
    user, ids = session.user, close.alert_ids
    left = await service.store.life.judge_many(ids, close.verdict, user.name, user.cameras)
    told = [LeftOut(alert_id=alert_id, reason=why) for alert_id, why in left.items()]
    return ClosedOut(n_closed=len(set(ids)) - len(left), left=told)


@router.post("/{alert_id}/claim", operation_id="claim")
async def claim(alert_id: AlertDep, wish: ClaimIn, service: ServiceDep, session: ReviewerDep) -> AlertDetail:
    """Make an alert one's own; asked again, say that one still works on it. Another's is 409 unless taken over."""
    with _answered():
        await service.store.life.claim(alert_id, session.user.name, take_over=wish.take_over)
    return await detail_of(service, alert_id)


@router.delete("/{alert_id}/claim", operation_id="endClaim")
async def end_claim(alert_id: AlertDep, service: ServiceDep, session: ReviewerDep) -> AlertDetail:
    """Give up one's claim."""
    with _answered():
        await service.store.life.release(alert_id, session.user.name)
    return await detail_of(service, alert_id)


@router.post("/{alert_id}/verdict", operation_id="giveVerdict")
async def give_verdict(
    alert_id: AlertDep, verdict: VerdictIn, service: ServiceDep, session: ReviewerDep
) -> AlertDetail:
    """Say what an alert was, which closes it; the last verdict counts and all are kept."""
    with _answered():
        await service.store.life.judge(alert_id, verdict, session.user.name)
    return await detail_of(service, alert_id)


@router.post("/{alert_id}/reopen", operation_id="reopen")
async def reopen(
    alert_id: AlertDep, wish: ReopenIn, service: ServiceDep, session: ReviewerDep
) -> AlertDetail:
    """Make a closed alert new again; its verdicts stay in its history."""
    with _answered():
        await service.store.life.reopen(alert_id, session.user.name, wish.note)
    return await detail_of(service, alert_id)


@router.post("/{alert_id}/notes", operation_id="addNote")
async def add_note(
    alert_id: AlertDep, told: NoteIn, service: ServiceDep, session: ReviewerDep
) -> AlertDetail:
    """Add words to an alert."""
    with _answered():
        await service.store.life.note(alert_id, session.user.name, told.note)
    return await detail_of(service, alert_id)


@router.put("/{alert_id}/hold", operation_id="hold")
async def hold(alert_id: AlertDep, service: ServiceDep, session: ReviewerDep) -> AlertDetail:
    """Keep this alert's evidence: no age and no full disk removes it."""
    with _answered():
        await service.store.life.hold(alert_id, session.user.name, True)
    return await detail_of(service, alert_id)


@router.delete("/{alert_id}/hold", operation_id="release")
async def release(alert_id: AlertDep, service: ServiceDep, session: ReviewerDep) -> AlertDetail:
    """Let the rules of retention apply to this alert's evidence again."""
    with _answered():
        await service.store.life.hold(alert_id, session.user.name, False)
    return await detail_of(service, alert_id)


@handovers_router.get("", operation_id="listHandovers")
async def list_handovers(service: ServiceDep, session: ReviewerDep) -> list[HandoverOut]:
    """The newest notes from shift to shift, newest first."""
    return await service.store.handovers.newest(session.user)


@handovers_router.post("", status_code=201, operation_id="handOver")
async def hand_over(told: NoteIn, service: ServiceDep, session: ReviewerDep) -> HandoverOut:
    """Leave a note for the next shift; one's claims end, and the note stands in those alerts' history."""
    return await service.store.handovers.add(session.user, told.note)


@handovers_router.post("/{handover_id}/taken", operation_id="takeHandover")
async def take_handover(handover_id: HandoverId, service: ServiceDep, session: ReviewerDep) -> HandoverOut:
    """Say that one has read a note and goes on from there."""
    try:
        return await service.store.handovers.take(session.user, handover_id)
    except UnknownHandover:
        raise HTTPException(404, "no such note") from None
