"""The wire contract of targets outside. Imports pydantic, api.schemas and detector.types only.

Secrets go in and never come out: what is shown of a webhook's address is scheme, host and port, since its path may be one.
"""

from __future__ import annotations

import base64
import binascii
from enum import StrEnum
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from api.schemas import Name, Slug, Utc, Wire
from detector.types import Phase, Severity

_KEY_PREFIX = "whsec_"  # as the Standard Webhooks specification writes keys
_KEY_BYTES = (24, 64)


def _no_space(text: str) -> str:
    if any(c.isspace() or not c.isprintable() for c in text):
        raise ValueError("wanted no space and no control character")
    return text


Host = Annotated[
    str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9._:-]+$"), AfterValidator(_no_space)
]
Port = Annotated[int, Field(ge=1, le=65535)]
Mailbox = Annotated[str, Field(max_length=254, pattern=r"^[^\s@<>,;:\"\\]+@[A-Za-z0-9.-]+$")]
Topic = Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$")]
Login = Annotated[str, Field(max_length=200), AfterValidator(_no_space)]
Password = Annotated[SecretStr, Field(max_length=500)]


class WebhookTo(Wire):
    """POSTs signed as Standard Webhooks says; on a change, a secret that is left out stays as it was."""

    kind: Literal["webhook"] = "webhook"
    url: Annotated[SecretStr, Field(max_length=2000)] | None = None
    key: Annotated[SecretStr, Field(max_length=200)] | None = None  # whsec_ and base64 of 24 to 64 bytes

    @field_validator("url")
    @classmethod
    def _is_url(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            _check_url(url.get_secret_value())
        return url

    @field_validator("key")
    @classmethod
    def _is_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None:
            key_bytes(key.get_secret_value())
        return key


class MqttTo(Wire):
    """Publishes to a broker, below `topic`; a password that is left out stays as it was."""

    kind: Literal["mqtt"] = "mqtt"
    host: Host
    port: Port = 1883
    tls: bool = False
    username: Login = ""
    password: Password | None = None
    topic: Topic = "watchpost"


class Security(StrEnum):
    """How a mail server is spoken to."""

    TLS = "tls"  # from the first byte
    STARTTLS = "starttls"
    NONE = "none"


class EmailTo(Wire):
    """A mail for each alert that opens; a password that is left out stays as it was."""

    kind: Literal["email"] = "email"
    host: Host
    port: Port = 587
    security: Security = Security.STARTTLS
    username: Login = ""
    password: Password | None = None
    sender: Mailbox
    to: Annotated[list[Mailbox], Field(min_length=1, max_length=20)]
    snapshot: bool = True  # the picture goes along

    @model_validator(mode="after")
    def _login_is_hidden(self) -> Self:
        if self.username and self.security is Security.NONE:
            raise ValueError("security: a login needs tls or starttls")
        return self


class Filter(Wire):
    """Which alerts go to a target; an empty list is all."""

    camera_ids: list[Slug] = Field(default_factory=list, max_length=1000)
    rules: list[Slug] = Field(default_factory=list, max_length=100)
    min_severity: Severity = Severity.LOW


class TargetIn(Wire):
    """What an administrator says of a target."""

    name: Name
    enabled: bool = True
    wants: Filter = Filter()
    to: Annotated[WebhookTo | MqttTo | EmailTo, Field(discriminator="kind")]


class TargetOut(Wire):
    """A target and how it does; no secret."""

    target_id: int
    name: str
    kind: Literal["webhook", "mqtt", "email"]
    enabled: bool
    wants: Filter
    address: str  # for people: where it goes, without what may be secret
    options: dict[str, str | int | bool | list[str]]  # what is not secret, to be edited
    has_secret: bool
    n_waiting: int
    oldest_at: Utc | None  # of what waits
    n_dropped: int  # left out because too many waited
    failing_since: Utc | None
    problem: str  # the last failure; "" when the last try went well


class Outcome(StrEnum):
    """How a try ended."""

    DELIVERED = "delivered"
    FAILED = "failed"  # tried again
    REFUSED = "refused"  # the target will not have this one; tried again at growing intervals
    EXPIRED = "expired"  # a day has passed
    DROPPED = "dropped"  # too many waited


class DeliveryOut(Wire):
    """One line of the delivery log."""

    at: Utc
    alert_id: UUID | None  # none of a test
    phase: Phase | None
    outcome: Outcome
    words: str
    took_ms: int


class TestOut(Wire):
    """How a test message fared."""

    __test__ = False  # for pytest: not a class of tests

    delivered: bool
    words: str


def key_bytes(key: str) -> bytes:
    """The bytes of a signing key; raises ValueError that does not repeat it."""
    low, high = _KEY_BYTES
    try:
        raw = base64.b64decode(key.removeprefix(_KEY_PREFIX), validate=True)
    except binascii.Error:
        raw = b""
    if not key.startswith(_KEY_PREFIX) or not low <= len(raw) <= high:
        raise ValueError(f"key: wanted {_KEY_PREFIX} and the base64 of {low} to {high} random bytes")
    return raw


def _check_url(url: str) -> None:
    """Raise ValueError that does not repeat the address."""
    _no_space(url)
    if not url.isascii():
        raise ValueError("url: wanted ASCII")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("url: wanted https://host/path") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("url: wanted https://host/path or http://host/path")
    if "@" in parts.netloc or parts.fragment or port == 0:
        raise ValueError("url: wanted no login, no fragment and a real port")
