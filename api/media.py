"""Evidence and tile pictures on disk. A file is whole or not there; its path is made of ids only.

A body is streamed to a temporary file beside its place, its sha256 checked, flushed to disk, then renamed.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import logging
import os
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from uuid import UUID, uuid4

from fastapi import HTTPException, Request, Response
from fastapi.responses import FileResponse
from starlette.requests import ClientDisconnect

from api.schemas import MediaKind

log = logging.getLogger(__name__)

_MIB = 1024 * 1024
_CHUNK = 512 * 1024  # bytes written at once
_PART = ".part"
_PRIVATE = {"Cache-Control": "private, no-cache", "Content-Disposition": "inline"}


@dataclass(frozen=True, slots=True)
class _Form:
    suffix: str
    media_type: str
    limit: int  # bytes


_FORMS = {
    MediaKind.SNAPSHOT: _Form("jpg", "image/jpeg", 10 * _MIB),
    MediaKind.CLIP: _Form("mp4", "video/mp4", 256 * _MIB),
    MediaKind.OVERLAY: _Form("json", "application/json", 32 * _MIB),
}
_PICTURE = _Form("jpg", "image/jpeg", 2 * _MIB)
MAX_UPLOAD = max(form.limit for form in _FORMS.values())


@dataclass(frozen=True, slots=True)
class Saved:
    """A file that is now on disk."""

    sha256: str
    n_bytes: int


class MediaFolder:
    """The files of alerts, and the newest picture of each camera."""

    def __init__(self, media_dir: Path, picture_dir: Path) -> None:
        self._media = media_dir.resolve()
        self._pictures = picture_dir.resolve()

    async def save(self, alert_id: UUID, kind: MediaKind, request: Request, sha256: str) -> Saved:
        """Store a request's body as evidence; raises HTTPException 413, 422 or 507."""
        form = _FORMS[kind]
        return await _save(self._media_path(alert_id, kind), form, request, sha256.lower())

    async def save_picture(self, camera_id: str, request: Request) -> Saved:
        """Store a request's body as the newest picture of a camera; raises HTTPException 413 or 507."""
        return await _save(self._pictures / f"{camera_id}.jpg", _PICTURE, request, None)

    def serve(self, alert_id: UUID, kind: MediaKind, sha256: str, request: Request) -> Response:
        """The file with Range and ETag; raises HTTPException 404 if it is not there."""
        path = self._media_path(alert_id, kind)
        return _serve(path, self._media, _FORMS[kind].media_type, sha256, request)

    def serve_picture(self, camera_id: str, etag: str, request: Request) -> Response:
        """The newest picture of a camera; raises HTTPException 404 if there is none."""
        path = self._pictures / f"{camera_id}.jpg"
        return _serve(path, self._pictures, _PICTURE.media_type, etag, request)

    def _media_path(self, alert_id: UUID, kind: MediaKind) -> Path:
        return self._media / str(alert_id) / f"{kind.value}.{_FORMS[kind].suffix}"


async def _save(path: Path, form: _Form, request: Request, sha256: str | None) -> Saved:
    told = request.headers.get("content-length", "")
    if told.isdecimal() and int(told) > form.limit:
        raise _too_large(form)
    part = path.with_name(f".{path.name}.{uuid4().hex}{_PART}")
    try:
        saved = await _receive(part, form, request, sha256)
        await asyncio.to_thread(_put_in_place, part, path)
    except OSError as error:
        log.error("media not stored file=%s error=%s", path.name, error.strerror)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise HTTPException(507, "the disk of the service is full; nothing was stored") from error
        raise HTTPException(503, "the disk of the service refused the file; nothing was stored") from error
    except ClientDisconnect as error:
        raise HTTPException(400, "the body ended early; nothing was stored") from error
    finally:
        await asyncio.to_thread(part.unlink, missing_ok=True)
    return saved


async def _receive(part: Path, form: _Form, request: Request, sha256: str | None) -> Saved:
    digest, n_bytes = hashlib.sha256(), 0
    file = await asyncio.to_thread(_open_new, part)
    try:
        async for piece in _pieces(request.stream()):
            n_bytes += len(piece)
            if n_bytes > form.limit:
                raise _too_large(form)
            digest.update(piece)
            await asyncio.to_thread(file.write, piece)
        if n_bytes == 0:
            raise HTTPException(422, "the body is empty")
        if sha256 is not None and digest.hexdigest() != sha256:
            raise HTTPException(422, "the body does not have the sha256 that X-Content-SHA256 names")
        await asyncio.to_thread(_flush, file)
    finally:
        await asyncio.to_thread(file.close)
    return Saved(digest.hexdigest(), n_bytes)


async def _pieces(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The body in larger pieces, so that a large clip costs few trips to a thread."""
    held = bytearray()
    async for chunk in stream:
        held += chunk
        if len(held) >= _CHUNK:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)


def _open_new(part: Path) -> BinaryIO:
    part.parent.mkdir(mode=0o700, exist_ok=True)
    return open(part, "xb", buffering=0)


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _put_in_place(part: Path, path: Path) -> None:
    part.replace(path)
    for half in path.parent.glob(f".{path.name}.*{_PART}"):  # a service that was killed left it
        half.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the name itself must outlive a power cut
    finally:
        os.close(folder)


def _too_large(form: _Form) -> HTTPException:
    return HTTPException(413, f"the file is larger than {form.limit // _MIB} MiB")


def _serve(path: Path, root: Path, media_type: str, etag: str, request: Request) -> Response:
    try:
        real = path.resolve(strict=True)
        found = real.stat()
    except OSError:
        raise HTTPException(404, "the file is gone from the disk of the service") from None
    if not real.is_relative_to(root) or not stat.S_ISREG(found.st_mode):
        log.error("media refused file=%s reason=outside_folder", path.name)
        raise HTTPException(404, "the file is gone from the disk of the service")
    headers = _PRIVATE | {"ETag": f'"{etag}"'}
    if headers["ETag"] in request.headers.get("if-none-match", "").replace(" ", "").split(","):
        return Response(status_code=304, headers=headers)
    return FileResponse(real, headers=headers, media_type=media_type, stat_result=found)
