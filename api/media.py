"""Evidence and tile pictures in and out. A file is whole or not there.

A body is streamed to a temporary file beside its place, its sha256 checked, flushed to disk, then renamed.
Whatever length is told, the last of the disk stays free.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import logging
import os
import stat
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from uuid import UUID, uuid4

from fastapi import HTTPException, Request, Response
from fastapi.responses import FileResponse
from starlette.requests import ClientDisconnect

from api.db.alerts import Evidence
from api.schemas import MediaKind
from api.storage import Storage

log = logging.getLogger(__name__)

_MIB = 1024 * 1024
_CHUNK = 512 * 1024  # bytes written at once
_PART = ".part"
_PRIVATE = {"Cache-Control": "private, no-cache"}
_UNSAFE_IN_NAMES = str.maketrans(dict.fromkeys('/\\:*?"<>|', "_"))


Floor = Callable[[int], int]  # of a disk's size: what must stay free while a body comes, bytes


@dataclass(frozen=True, slots=True)
class _Form:
    media_type: str
    limit: int  # bytes


_FORMS = {
    MediaKind.SNAPSHOT: _Form("image/jpeg", 10 * _MIB),
    MediaKind.CLIP: _Form("video/mp4", 256 * _MIB),
    MediaKind.OVERLAY: _Form("application/json", 32 * _MIB),
}
_PICTURE = _Form("image/jpeg", 2 * _MIB)
MAX_UPLOAD = max(form.limit for form in _FORMS.values())


@dataclass(frozen=True, slots=True)
class Saved:
    """A file that is now on disk."""

    sha256: str
    n_bytes: int


class MediaFolder:
    """The files of alerts, and the newest picture of each camera."""

    def __init__(self, storage: Storage, picture_dir: Path) -> None:
        self._storage = storage
        self._pictures = picture_dir.resolve()

    async def save(self, alert_id: UUID, kind: MediaKind, request: Request, sha256: str) -> Saved:
        """Store a request's body as evidence; raises HTTPException 413, 422, 503 or 507."""
        if problem := await asyncio.to_thread(self._storage.problem):
            raise HTTPException(503, f"{problem}; nothing was stored", {"Retry-After": "30"})
        path = self._storage.path(alert_id, kind)
        return await _save(path, _FORMS[kind], request, sha256.lower(), self._storage.floor)

    async def save_picture(self, camera_id: str, request: Request) -> Saved:
        """Store a request's body as the newest picture of a camera; raises HTTPException 413 or 507."""
        return await _save(self._pictures / f"{camera_id}.jpg", _PICTURE, request, None, _no_floor)

    def path(self, alert_id: UUID, kind: MediaKind) -> Path:
        """Where a piece of evidence lies."""
        return self._storage.path(alert_id, kind)

    async def serve(self, alert_id: UUID, kind: MediaKind, found: Evidence, request: Request) -> Response:
        """The file with Range and ETag; raises HTTPException 404, or 503 while its disk is not there."""
        path, form = self._storage.path(alert_id, kind), _FORMS[kind]
        name = found.label.translate(_UNSAFE_IN_NAMES).lstrip(".- ") + path.suffix
        try:
            return _serve(path, self._storage.root, form, found.sha256, request, name)
        except HTTPException as error:
            if problem := await asyncio.to_thread(self._storage.problem):
                raise HTTPException(503, problem) from error
            raise

    def serve_copy(self, copy: Path, kind: MediaKind, label: str, request: Request) -> Response:
        """A blurred copy, under a name and an ETag of its own; raises HTTPException 404."""
        name = label.translate(_UNSAFE_IN_NAMES).lstrip(".- ") + f" blurred{copy.suffix}"
        return _serve(copy, copy.parent, _FORMS[kind], copy.name, request, name)

    def picture_path(self, camera_id: str) -> Path:
        """Where the newest picture of a camera lies."""
        return self._pictures / f"{camera_id}.jpg"

    def serve_picture(self, camera_id: str, etag: str, request: Request) -> Response:
        """The newest picture of a camera; raises HTTPException 404 if there is none."""
        name = f"{camera_id}.jpg"
        return _serve(self._pictures / name, self._pictures, _PICTURE, etag, request, name)


def told_bytes(kind: MediaKind, request: Request) -> int:
    """How much a request says it will send, 0 if it does not; raises HTTPException 413."""
    return _told(_FORMS[kind], request)


def _told(form: _Form, request: Request) -> int:
    told = request.headers.get("content-length", "")
    n_bytes = int(told) if told.isdecimal() else 0
    if n_bytes > form.limit:
        raise _too_large(form)
    return n_bytes


def _no_floor(_total: int) -> int:
    return 0


async def _save(path: Path, form: _Form, request: Request, sha256: str | None, floor: Floor) -> Saved:
    _told(form, request)
    part = path.with_name(f".{path.name}.{uuid4().hex}{_PART}")
    try:
        saved = await _receive(part, form, request, sha256, floor)
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


async def _receive(part: Path, form: _Form, request: Request, sha256: str | None, floor: Floor) -> Saved:
    digest, n_bytes = hashlib.sha256(), 0
    file = await asyncio.to_thread(_open_new, part)
    try:
        async for piece in _pieces(request.stream()):
            n_bytes += len(piece)
            if n_bytes > form.limit:
                raise _too_large(form)
            digest.update(piece)
            await asyncio.to_thread(_write, file, piece, floor)
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


def _write(file: BinaryIO, piece: bytes, floor: Floor) -> None:
    """Write all of it, or raise OSError; a full disk takes a part and says so only at the next write."""
    disk = os.fstatvfs(file.fileno())
    if disk.f_bavail * disk.f_frsize - len(piece) < floor(disk.f_blocks * disk.f_frsize):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    left = memoryview(piece)
    while left:
        left = left[file.write(left) :]


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


def _serve(path: Path, root: Path, form: _Form, etag: str, request: Request, name: str) -> Response:
    """`name` is what a browser saves it as; Starlette writes it as RFC 5987 says."""
    try:
        real, root = path.resolve(strict=True), root.resolve()
        found = real.stat()
    except OSError:
        raise HTTPException(404, "the file is gone from the disk of the service") from None
    if not real.is_relative_to(root) or not stat.S_ISREG(found.st_mode):
        log.error("media refused file=%s reason=outside_folder", path.name)
        raise HTTPException(404, "the file is gone from the disk of the service")
    headers = _PRIVATE | {"ETag": f'"{etag}"'}
    if headers["ETag"] in request.headers.get("if-none-match", "").replace(" ", "").split(","):
        return Response(status_code=304, headers=headers)
    return FileResponse(
        real,
        headers=headers,
        media_type=form.media_type,
        stat_result=found,
        filename=name,
        content_disposition_type="inline",
    )
