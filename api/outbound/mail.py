"""One mail for each alert that opens, with its picture. Of the server's answers only the code is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

import aiosmtplib

from api.outbound.message import Note
from api.outbound.reach import NamedContext, Reach
from api.schemas_outbound import EmailTo, Security
from detector.errors import TargetRefused, TargetUnreachable

_LIMIT_S = 30.0  # a picture goes along, and servers look twice at new senders
_LOGIN_REFUSED = (530, 534, 535, 538)


class Mail:
    """One mail server and who gets mail by it."""

    def __init__(self, to: EmailTo, reach: Reach, clock: Callable[[], datetime]) -> None:
        self._to, self._reach, self._clock = to, reach, clock

    async def send(self, note: Note) -> str:
        """Hand the mail to the server."""
        message = await asyncio.to_thread(self._message, note)
        try:
            async with asyncio.timeout(_LIMIT_S), await self._server() as server:
                await server.send_message(message)
        except TimeoutError as error:
            raise TargetUnreachable(f"no answer within {_LIMIT_S:g} s") from error
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise TargetRefused("the server refused every recipient") from error
        except aiosmtplib.SMTPResponseException as error:
            words = f"the server answered {error.code}"
            if 500 <= error.code < 600 and error.code not in _LOGIN_REFUSED:
                raise TargetRefused(words) from error
            raise TargetUnreachable(words) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise TargetUnreachable(f"no connection: {type(error).__name__}") from error
        return "handed to the mail server"

    async def _server(self) -> aiosmtplib.SMTP:
        to = self._to
        return aiosmtplib.SMTP(
            hostname=await self._reach.address(to.host, to.port),
            port=to.port,
            username=to.username or None,
            password=to.password.get_secret_value() if to.password else None,
            use_tls=to.security is Security.TLS,
            start_tls=to.security is Security.STARTTLS,
            tls_context=None if to.security is Security.NONE else NamedContext.of(to.host),
            timeout=_LIMIT_S,
        )

    def _message(self, note: Note) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._to.sender
        message["To"] = ", ".join(self._to.to)
        message["Subject"] = note.subject
        message["Date"] = format_datetime(self._clock())
        message["Message-ID"] = f"<{note.key}@{self._to.sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(note.text)
        picture = _read(note.snapshot) if self._to.snapshot and note.snapshot else b""
        if picture:
            message.add_attachment(picture, maintype="image", subtype="jpeg", filename="snapshot.jpg")
        return message

    async def idle(self) -> None:
        """Nothing is kept up."""

    async def close(self) -> None:
        """Nothing is open between two mails."""


def _read(path: Path) -> bytes:
    """The picture; a mail goes without one that retention removed meanwhile."""
    try:
        return path.read_bytes()
    except OSError:
        return b""
