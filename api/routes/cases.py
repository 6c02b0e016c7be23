"""Cases of alerts. Whoever may judge alerts may keep cases; a case with an alert that one may not see is 404."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException, Path
from fastapi.responses import StreamingResponse

from api.bundle import case_contents
from api.db.alerts import UnknownAlert
from api.db.audit import Entry
from api.db.cases import CaseFull, NameTaken, UnknownCase
from api.deps import AlertDep, ReviewerDep, ServiceDep, require_reviewer
from api.routes.bundle import evidence_of, sealed
from api.schemas_audit import What
from api.schemas_cases import CaseDetail, CaseIn, CaseOut

router = APIRouter(prefix="/cases", tags=["cases"], dependencies=[Depends(require_reviewer)])

CaseId = Annotated[int, Path(ge=1, lt=2**31)]


@contextmanager
def _answered() -> Iterator[None]:
    try:
        yield
    except UnknownCase:
        raise HTTPException(404, "no such case") from None
    except UnknownAlert:
        raise HTTPException(404, "no such alert") from None
    except NameTaken:
        raise HTTPException(409, "another case has this name") from None
    except CaseFull as error:
        raise HTTPException(409, str(error)) from None


@router.get("", operation_id="listCases")
async def list_cases(service: ServiceDep, session: ReviewerDep) -> list[CaseOut]:
    """The newest cases, newest first."""
    return await service.store.cases.all(session.user)


@router.post("", status_code=201, operation_id="openCase")
async def open_case(wish: CaseIn, service: ServiceDep, session: ReviewerDep) -> CaseDetail:
    """A new case without alerts."""
    with _answered():
        case_id = await service.store.cases.open(session.user, wish)
        return await service.store.cases.get(session.user, case_id)


@router.get("/{case_id}", operation_id="getCase")
async def get_case(case_id: CaseId, service: ServiceDep, session: ReviewerDep) -> CaseDetail:
    """A case with its alerts."""
    with _answered():
        return await service.store.cases.get(session.user, case_id)


@router.put("/{case_id}", operation_id="changeCase")
async def change_case(case_id: CaseId, wish: CaseIn, service: ServiceDep, session: ReviewerDep) -> CaseDetail:
    """Another name or note."""
    with _answered():
        await service.store.cases.change(session.user, case_id, wish)
        return await service.store.cases.get(session.user, case_id)


@router.put("/{case_id}/alerts/{alert_id}", operation_id="putIntoCase")
async def put_into_case(
    case_id: CaseId, alert_id: AlertDep, service: ServiceDep, session: ReviewerDep
) -> CaseDetail:
    """Put an alert into a case; its evidence is held as long as it is in one."""
    with _answered():
        await service.store.cases.put(session.user, case_id, alert_id)
        return await service.store.cases.get(session.user, case_id)


@router.delete("/{case_id}/alerts/{alert_id}", operation_id="takeOutOfCase")
async def take_out_of_case(
    case_id: CaseId, alert_id: AlertDep, service: ServiceDep, session: ReviewerDep
) -> CaseDetail:
    """Take an alert out of a case; it stays held until somebody releases it."""
    with _answered():
        await service.store.cases.take_out(session.user, case_id, alert_id)
        return await service.store.cases.get(session.user, case_id)


@router.get(
    "/{case_id}/bundle",
    operation_id="getCaseBundle",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"application/zip": {}}, "description": "A zip that `watchpost verify` checks"}
    },
)
async def get_case_bundle(case_id: CaseId, service: ServiceDep, session: ReviewerDep) -> StreamingResponse:
    """All alerts of a case with their evidence, in one file with a manifest signed by this service."""
    with _answered():
        case = await service.store.cases.get(session.user, case_id)
        ids = [alert.alert_id for alert in case.alerts]
        await _must_be_clear(service, session, ids)
        found = [await evidence_of(service, alert_id) for alert_id in ids]
    answer = await sealed(service, case_contents(case, found), session.user.name, f"case-{case_id}")
    service.store.audit.look(Entry(session.user.name, What.DOWNLOAD, f"case {case_id}", {"kind": "bundle"}))
    return answer


async def _must_be_clear(service: ServiceDep, session: ReviewerDep, ids: list[UUID]) -> None:
    for alert_id in ids:
        if await service.store.privacy.is_blurred(session, alert_id):
            raise HTTPException(403, f"people are blurred for you here: reveal alert {alert_id} first")
