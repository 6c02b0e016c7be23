"""Which sender serves which kind of target: the one list of kinds."""

from __future__ import annotations

from api.db.outbound import Target
from api.db.store import Clock
from api.outbound.mail import Mail
from api.outbound.mqtt import Mqtt
from api.outbound.reach import Reach
from api.outbound.sender import Sender
from api.outbound.webhook import Webhook
from api.schemas_outbound import EmailTo, MqttTo


def sender_of(target: Target, reach: Reach, clock: Clock) -> Sender:
    """A sender for this target, not yet connected."""
    told = {**target.options, **target.secrets}
    if target.kind == "mqtt":
        return Mqtt(MqttTo.model_validate(told), reach)
    if target.kind == "email":
        return Mail(EmailTo.model_validate(told), reach, clock)
    return Webhook(target.secrets["url"], target.secrets["key"], reach, clock)
