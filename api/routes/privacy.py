"""For which roles people are blurred, and revealing an alert, with a reason."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from api.deps import AdminDep, AlertDep, PersonDep, ReviewerDep, ServiceDep, require_admin, require_person
from api.routes.alerts import detail_of
from api.schemas_privacy import PrivacyDoc, RevealIn, ViewOut
from api.views import clip_view

router = APIRouter(prefix="/privacy", tags=["privacy"], dependencies=[Depends(require_admin)])
alerts_router = APIRouter(prefix="/alerts", tags=["privacy"], dependencies=[Depends(require_person)])


@router.get("", operation_id="getPrivacy")
async def get_privacy(service: ServiceDep) -> PrivacyDoc:
    """The roles for which people are blurred."""
    return PrivacyDoc.model_validate({"blurred": await service.store.privacy.blurred()})


@router.put("", status_code=204, operation_id="choosePrivacy")
async def choose_privacy(wish: PrivacyDoc, service: ServiceDep, session: AdminDep) -> None:
    """Choose these roles; what was revealed until now is blurred again."""
    await service.store.privacy.choose(wish.blurred, session.user.name)


@alerts_router.get("/{alert_id}/view", operation_id="getView")
async def get_view(alert_id: AlertDep, service: ServiceDep, session: PersonDep) -> ViewOut:
    """Whether this person sees people blurred here, and what there is of the clip; asking begins the making."""
    await detail_of(service, alert_id)
    blurred = await service.store.privacy.is_blurred(session, alert_id)
    return ViewOut(blurred=blurred, clip=await clip_view(service, alert_id, blurred))


@alerts_router.post("/{alert_id}/reveal", status_code=204, operation_id="reveal")
async def reveal(alert_id: AlertDep, wish: RevealIn, service: ServiceDep, session: ReviewerDep) -> None:
    """Show this alert's people clear to this person until their session ends; the reason is in the audit."""
    await detail_of(service, alert_id)
    await service.store.privacy.reveal(session, alert_id, wish.reason)
