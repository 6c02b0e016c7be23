"""Mail, to a real SMTP server on loopback."""

from __future__ import annotations

import email
import hashlib
import io
import socket
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from PIL import Image
from support.api import Api
from support.waiting import until

from api.db.outbound import SNAPSHOT_WAIT
from detector.types import Phase

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("more_settings", [{"outbound_private": True}])]


class Mailbox:
    """A mail server that keeps what comes; it says `answer`."""

    def __init__(self) -> None:
        self.came: list[EmailMessage] = []
        self.answer = "250 OK"
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = int(probe.getsockname()[1])
        self.server = Controller(self, hostname="127.0.0.1", port=self.port)
        self.server.start()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        if self.answer.startswith("2"):
            message = email.message_from_bytes(envelope.content, policy=default)
            assert isinstance(message, EmailMessage)
            self.came.append(message)
        return self.answer


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    own = Mailbox()
    yield own
    own.server.stop()


def target(own: Mailbox, **changes: Any) -> dict[str, Any]:
    to = {"kind": "email", "host": "127.0.0.1", "port": own.port, "security": "none"}
    return {"name": "desk", "to": to | {"sender": "wp@example.org", "to": ["desk@example.org"]} | changes}


async def send_snapshot(api: Api, alert_id: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 36), "red").save(out, "jpeg")
    data = out.getvalue()
    headers = {"X-Content-SHA256": hashlib.sha256(data).hexdigest()}
    answer = await api.worker.put(f"/alerts/{alert_id}/media/snapshot", content=data, headers=headers)
    assert answer.is_success, answer.text
    return data


async def test_a_mail_carries_the_reason_and_the_picture(api: Api, mailbox: Mailbox) -> None:
    """One mail for an alert, not for its later phases, with the snapshot once that has come."""
    admin = await api.log_in("admin")
    assert (await admin.post("/outbound", json=target(mailbox))).status_code == 201
    alert_id = (await api.send(1)).json()["alert_id"]
    await api.send(1, Phase.UPDATED, 1)
    assert mailbox.came == []
    picture = await send_snapshot(api, alert_id)
    await until(lambda: len(mailbox.came) == 1)
    (mail,) = mailbox.came
    assert mail["subject"] == "Medium: gathering at lawn"
    assert mail["to"] == "desk@example.org"
    body = mail.get_body()
    assert body is not None
    assert "4 people close together" in body.get_content()
    (attached,) = mail.iter_attachments()
    assert attached.get_content() == picture


async def test_a_mail_does_not_wait_for_ever_for_its_picture(api: Api, mailbox: Mailbox) -> None:
    """Without a snapshot after 20 s the mail goes without; a snapshot that will never come is not waited for."""
    admin = await api.log_in("admin")
    await admin.post("/outbound", json=target(mailbox))
    await api.send(1)
    api.clock.pass_s(SNAPSHOT_WAIT.total_seconds())
    missing = (await api.send(2)).json()["alert_id"]
    await until(lambda: len(mailbox.came) == 1)
    await api.worker.put(f"/alerts/{missing}/media/snapshot/missing", json={"reason": "disk full"})
    await until(lambda: len(mailbox.came) == 2)
    assert not any(list(mail.iter_attachments()) for mail in mailbox.came)


async def test_a_name_cannot_write_headers(api: Api, mailbox: Mailbox) -> None:
    """A line break in a camera's name adds no header and no recipient."""
    admin = await api.log_in("admin")
    await admin.post("/outbound", json=target(mailbox, snapshot=False))
    camera = {
        "camera_id": "lawn",
        "name": "x\nBcc: evil@example.org",
        "timezone": "UTC",
        "width": 0,
        "height": 0,
    }
    assert (await api.worker.put("/cameras/lawn", json=camera | {"zones": [], "rules": []})).is_success
    alert_id = (await api.send(1)).json()["alert_id"]
    await send_snapshot(api, alert_id)
    await until(lambda: len(mailbox.came) == 1)
    assert mailbox.came[0]["bcc"] is None
    assert mailbox.came[0]["subject"] == "Medium: gathering at x Bcc: evil@example.org"
    for bad in ("a@b\r\nBcc: c@d", "no address", "a@b,c@d", "<a@b>"):
        assert (await admin.post("/outbound", json=target(mailbox, sender=bad))).status_code == 422


async def test_a_server_that_says_later_is_tried_again(api: Api, mailbox: Mailbox) -> None:
    """451 lets the target rest and try again; of the server's words only the code is told."""
    admin = await api.log_in("admin")
    made = (await admin.post("/outbound", json=target(mailbox))).json()
    mailbox.answer = "451 SERVERWORDS"
    test = (await admin.post(f"/outbound/{made['target_id']}/test")).json()
    assert test == {"delivered": False, "words": "the server answered 451"}
    alert_id = (await api.send(1)).json()["alert_id"]
    await send_snapshot(api, alert_id)
    mailbox.answer = "250 OK"
    await until(lambda: len(mailbox.came) == 1)
    assert mailbox.came[0]["message-id"] == f"<{alert_id}.opened.0@example.org>"


async def test_no_login_without_encryption(api: Api, mailbox: Mailbox) -> None:
    """A login over a connection that anyone can read is refused when it is typed. (SEC-02)"""
    admin = await api.log_in("admin")
    answer = await admin.post("/outbound", json=target(mailbox, username="u", password="MAILSECRET"))
    assert answer.status_code == 422
    assert "MAILSECRET" not in answer.text


async def test_a_server_is_known_by_its_certificate(api: Api, mailbox: Mailbox) -> None:
    """STARTTLS that the server does not offer is no reason to go on in the clear."""
    admin = await api.log_in("admin")
    made = (await admin.post("/outbound", json=target(mailbox, security="starttls"))).json()
    test = (await admin.post(f"/outbound/{made['target_id']}/test")).json()
    assert not test["delivered"]
    assert mailbox.came == []
