"""Evidence: whole or not there, checked, limited, found by id only, served by Range."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from support.alerts import alert_in
from support.api import Api

import api.media as media_module
from api.storage import MARKER

pytestmark = pytest.mark.anyio

ALERT = alert_in().alert_id
CLIP = bytes(range(256)) * 40  # 10240 bytes


async def _put(api: Api, kind: str = "clip", body: bytes = CLIP, **options: str) -> httpx.Response:
    sha256 = options.pop("sha256", hashlib.sha256(body).hexdigest())
    headers = {"X-Content-SHA256": sha256}
    return await api.worker.put(
        f"/alerts/{ALERT}/media/{kind}", params=options, content=body, headers=headers
    )


def _files(api: Api) -> list[str]:
    root = api.service.settings.media_dir
    return sorted(
        str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and path.name != MARKER
    )


async def test_what_a_clip_falls_short_of_is_told(api: Api) -> None:
    """A clip that is there but shorter than wanted says so in its reason; control characters are refused."""
    await api.send()
    note = "short pre-roll: it begins 4.0 s later than wanted"
    assert (await _put(api, start_t="0.0", duration_s="9.0", note=note)).status_code == 204
    reader = await api.log_in("viewer")
    clip = (await reader.get(f"/alerts/{ALERT}")).json()["media"]["clip"]
    assert (clip["state"], clip["reason"]) == ("ready", note)
    assert (await _put(api, note="a\u202eb")).status_code == 422


async def test_evidence_goes_in_and_comes_out(api: Api) -> None:
    """Each kind is stored under its alert, told in the alert, and served with its type."""
    await api.send()
    assert (await _put(api, start_t="12.5", duration_s="9.0")).status_code == 204
    assert (await _put(api, "snapshot", b"\xff\xd8jpeg")).status_code == 204
    assert (await _put(api, "overlay", b"{}")).status_code == 204
    assert _files(api) == [f"{ALERT}/clip.mp4", f"{ALERT}/overlay.json", f"{ALERT}/snapshot.jpg"]
    reader = await api.log_in("viewer")
    media = (await reader.get(f"/alerts/{ALERT}")).json()["media"]
    assert media["clip"] == {
        "state": "ready",
        "reason": "",
        "bytes": 10240,
        "start_t": 12.5,
        "duration_s": 9.0,
    }
    types = {"clip": "video/mp4", "snapshot": "image/jpeg", "overlay": "application/json"}
    suffix = {"clip": ".mp4", "snapshot": ".jpg", "overlay": ".json"}
    for kind, media_type in types.items():
        answer = await reader.get(f"/alerts/{ALERT}/{kind}")
        assert answer.headers["content-type"] == media_type
        assert answer.headers["cache-control"].startswith("private")
        saved_as = f'inline; filename="lawn 2026-03-01 12-00-00Z {kind}{suffix[kind]}"'
        assert answer.headers["content-disposition"].replace("%20", " ") in (
            saved_as,
            saved_as.replace('filename="', "filename*=utf-8''").rstrip('"'),
        )


@pytest.mark.parametrize(
    ("asked", "code", "told", "body"),
    [
        (None, 200, None, CLIP),
        ("bytes=0-1", 206, "bytes 0-1/10240", CLIP[:2]),
        ("bytes=100-", 206, "bytes 100-10239/10240", CLIP[100:]),
        ("bytes=-50", 206, "bytes 10190-10239/10240", CLIP[-50:]),
        ("bytes=10000-99999", 206, "bytes 10000-10239/10240", CLIP[10000:]),
        ("bytes=10240-", 416, "bytes */10240", None),
        ("bytes=99999-", 416, "bytes */10240", None),
    ],
)
async def test_ranges(api: Api, asked: str | None, code: int, told: str | None, body: bytes | None) -> None:
    """A browser can seek: 206 with the right piece, 416 past the end; HEAD tells the same without a body. (API-04)"""
    await api.send()
    await _put(api)
    reader = await api.log_in()
    headers = {"Range": asked} if asked else {}
    for method in ("GET", "HEAD"):
        answer = await reader.request(method, f"/alerts/{ALERT}/clip", headers=headers)
        assert answer.status_code == code
        assert answer.headers.get("content-range") == told
        if body is not None:
            assert answer.content == (body if method == "GET" else b"")
            assert int(answer.headers["content-length"]) == len(body)
            assert answer.headers["accept-ranges"] == "bytes"
            assert answer.headers["content-type"] == "video/mp4"
            assert {"etag", "last-modified"} <= answer.headers.keys()


async def test_an_unchanged_file_is_not_sent_again(api: Api) -> None:
    """The ETag is the content's: the same file is 304, If-Range with another ETag sends the whole."""
    await api.send()
    await _put(api)
    reader, path = await api.log_in(), f"/alerts/{ALERT}/clip"
    etag = (await reader.get(path)).headers["etag"]
    assert (await reader.get(path, headers={"If-None-Match": f'"x", {etag}'})).status_code == 304
    assert (await reader.get(path, headers={"Range": "bytes=0-1", "If-Range": etag})).status_code == 206
    assert (await reader.get(path, headers={"Range": "bytes=0-1", "If-Range": '"x"'})).status_code == 200


async def test_a_repeat_changes_nothing_and_is_not_told(api: Api) -> None:
    """The same evidence twice is one change; other evidence of the same kind replaces it."""
    await api.send()
    await _put(api)
    head = await api.service.store.alerts.head()
    assert (await _put(api)).status_code == 204
    assert await api.service.store.alerts.head() == head
    assert (await _put(api, body=b"new")).status_code == 204
    reader = await api.log_in()
    assert (await reader.get(f"/alerts/{ALERT}/clip")).content == b"new"


async def test_a_body_that_is_not_what_it_says_is_refused(api: Api) -> None:
    """A wrong sha256, none, or an empty body: 422 and nothing on disk."""
    await api.send()
    assert (await _put(api, sha256="0" * 64)).status_code == 422
    assert (await _put(api, sha256="x")).status_code == 422
    assert (await _put(api, body=b"")).status_code == 422
    assert (await _put(api, start_t="nan")).status_code == 422
    assert _files(api) == []


async def _endless(n_bytes: int) -> AsyncIterator[bytes]:
    for _ in range(n_bytes // 65536 + 1):
        yield bytes(65536)


async def test_a_file_above_the_limit_is_refused(api: Api) -> None:
    """Above the limit is 413 whether the length is told, or not told at all; the part is removed."""
    await api.send()
    url, headers = f"/alerts/{ALERT}/media/snapshot", {"X-Content-SHA256": "0" * 64}
    told = await api.worker.put(url, content=b"x", headers=headers | {"Content-Length": "99999999"})
    untold = await api.worker.put(url, content=_endless(10 * 1024 * 1024), headers=headers)
    assert (told.status_code, untold.status_code) == (413, 413)
    picture = await api.worker.put("/cameras/lawn/picture", content=_endless(2 * 1024 * 1024))
    assert picture.status_code == 413
    assert _files(api) == []


@pytest.mark.parametrize(("number", "code"), [(errno.ENOSPC, 507), (errno.EDQUOT, 507), (errno.EIO, 503)])
async def test_a_disk_that_refuses_is_told_plainly(
    api: Api, monkeypatch: pytest.MonkeyPatch, number: int, code: int
) -> None:
    """A full disk is 507, a broken one 503; the part is removed, and the next try works."""
    await api.send()
    with monkeypatch.context() as patched:

        def refuse(_file: object) -> None:
            raise OSError(number, os.strerror(number))

        patched.setattr(media_module, "_flush", refuse)
        answer = await _put(api)
    assert answer.status_code == code
    assert "disk" in answer.json()["detail"]
    assert _files(api) == []
    assert (await _put(api)).status_code == 204


async def test_evidence_that_is_not_there_says_why(api: Api) -> None:
    """Pending, missing with its reason, gone from the disk: 404 each with its own words."""
    await api.send()
    reader, path = await api.log_in(), f"/alerts/{ALERT}/clip"
    assert (await reader.get(path)).json()["detail"] == "the clip has not come yet"
    missing = await api.worker.put(f"/alerts/{ALERT}/media/clip/missing", json={"reason": "no key frame"})
    assert missing.status_code == 204
    assert (await reader.get(path)).json()["detail"] == "there is no clip: no key frame"
    assert (await reader.get(f"/alerts/{ALERT}")).json()["media"]["clip"]["state"] == "missing"
    await _put(api)
    await api.worker.put(f"/alerts/{ALERT}/media/clip/missing", json={"reason": "late"})
    assert (await reader.get(path)).status_code == 200, "what is here is not made missing"
    (api.service.settings.media_dir / str(ALERT) / "clip.mp4").unlink()
    for method in ("GET", "HEAD"):
        answer = await reader.request(method, path)
        assert answer.status_code == 404
    assert "gone" in (await reader.get(path)).json()["detail"]


async def test_evidence_of_an_unknown_alert_is_refused(api: Api) -> None:
    """Evidence has an alert, or it is 404 and nothing is kept."""
    assert (await _put(api)).status_code == 404
    missing = await api.worker.put(f"/alerts/{ALERT}/media/clip/missing", json={"reason": "x"})
    assert missing.status_code == 404
    assert (await _put(api, "poster")).status_code == 422
    assert _files(api) == []


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "..%5c..%5cetc%5cpasswd",
        "%252e%252e%252fetc%252fpasswd",
        "/etc/passwd",
        "%00",
        "x%00.jpg",
        "../x",
    ],
)
async def test_no_path_leads_out(api: Api, name: str) -> None:
    """Whatever is put in the place of an id or a kind, no file outside is served or written. (SEC-01)"""
    await api.send()
    reader = await api.log_in()
    for path in (f"/alerts/{name}/clip", f"/alerts/{ALERT}/{name}", f"/cameras/{name}/picture", f"/{name}"):
        answer = await reader.get(path)
        assert answer.status_code in (404, 405, 422), path
        assert "root:" not in answer.text
    static = await reader.get(f"http://test/static/{name}")
    assert static.status_code == 404
    put = await api.worker.put(f"/cameras/{name}/picture", content=b"x")
    assert put.status_code in (404, 405, 422)


async def test_a_symlink_is_not_followed_outwards(api: Api, tmp_path: Path) -> None:
    """A link in the media folder that points outside is as good as no file. (SEC-01)"""
    await api.send()
    await _put(api)
    outside = tmp_path / "secret"
    outside.write_text("secret")
    clip = api.service.settings.media_dir / str(ALERT) / "clip.mp4"
    clip.unlink()
    clip.symlink_to(outside)
    reader = await api.log_in()
    assert (await reader.get(f"/alerts/{ALERT}/clip")).status_code == 404


async def test_what_a_killed_service_left_half_goes_with_the_next_upload(api: Api) -> None:
    """SIGKILL in an upload leaves a half file; the worker sends it again, and then nothing but it is there."""
    await api.send()
    folder = api.service.settings.media_dir / str(ALERT)
    folder.mkdir()
    (folder / ".clip.mp4.0123456789abcdef.part").write_bytes(CLIP[:100])
    assert (await _put(api)).status_code == 204
    assert _files(api) == [f"{ALERT}/clip.mp4"]
