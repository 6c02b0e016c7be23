"""Who may not see people clear is never sent a clear byte, until a reveal with a reason, which the audit keeps."""

from __future__ import annotations

import hashlib
import io
import json
from typing import Any

import av
import httpx
import numpy as np
import pytest
from fastapi.responses import FileResponse, StreamingResponse
from fastapi.routing import APIRoute, iter_route_contexts
from numpy.typing import NDArray
from PIL import Image
from support.alerts import alert_in
from support.api import Api
from support.waiting import until

from api.blur import boxes_at
from api.schemas import OverlayDoc, OverlayFrame

pytestmark = pytest.mark.anyio

WIDTH, HEIGHT, RATE, SECONDS, START_T = 320, 240, 10, 3, 19.0
ALERT = alert_in(0).alert_id
PERSON = (100, 60, 180, 220)  # px: a chequered block that cannot be mistaken when it is clear
CLIP, SNAPSHOT, PICTURE = f"/alerts/{ALERT}/clip", f"/alerts/{ALERT}/snapshot", "/cameras/lawn/picture"


def _picture() -> NDArray[np.uint8]:
    """Fine stripes everywhere: upright in the background, level on the person."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[:, ::8] = pixels[:, 1::8] = pixels[:, 2::8] = pixels[:, 3::8] = 255
    x0, y0, x1, y1 = PERSON
    pixels[y0:y1, x0:x1] = 0
    for row in range(4):
        pixels[y0 + row : y1 : 8, x0:x1] = 255
    return pixels


def _jpeg() -> bytes:
    out = io.BytesIO()
    Image.fromarray(_picture()).save(out, "JPEG", quality=95)
    return out.getvalue()


def _clip() -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as box:
        stream = box.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for _ in range(RATE * SECONDS):
            box.mux(stream.encode(av.VideoFrame.from_ndarray(_picture(), format="rgb24")))
        box.mux(stream.encode())
    return out.getvalue()


def _overlay(scale: float = 1.0) -> bytes:
    """The person is looked at twice a second, in a stream `scale` times as large."""
    box = [7, *(value * scale for value in PERSON)]
    frames = [{"t": START_T + n / 2, "boxes": [box]} for n in range(2 * SECONDS + 1)]
    size = {"width": round(WIDTH * scale), "height": round(HEIGHT * scale)}
    return json.dumps(size | {"frames": frames}).encode()


async def _evidence(api: Api, kinds: dict[str, bytes]) -> None:
    await api.send()
    for kind, data in kinds.items():
        span = {"start_t": START_T, "duration_s": SECONDS} if kind == "clip" else {}
        headers = {"X-Content-SHA256": hashlib.sha256(data).hexdigest()}
        url = f"/alerts/{ALERT}/media/{kind}"
        assert (await api.worker.put(url, params=span, content=data, headers=headers)).is_success
    assert (await api.worker.put(PICTURE, content=_jpeg())).is_success


async def _blur(api: Api, *roles: str) -> httpx.AsyncClient:
    admin = await api.log_in("admin")
    assert (await admin.put("/privacy", json={"blurred": roles})).status_code == 204
    return admin


def _detail(pixels: NDArray[Any], box: tuple[int, int, int, int]) -> float:
    """How much is left of stripes within a box: large when they are clear."""
    x0, y0, x1, y1 = box
    return float(pixels[y0:y1, x0:x1].astype(float).mean(axis=2).std())


INSIDE, OUTSIDE = (110, 70, 170, 210), (230, 10, 310, 230)


def _shown(answer: httpx.Response) -> NDArray[Any]:
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB"))


async def _clip_pictures(client: httpx.AsyncClient) -> list[NDArray[Any]]:
    async def made() -> bool:
        return (await client.get(CLIP)).status_code == 200

    await until(made)
    answer = await client.get(CLIP)
    with av.open(io.BytesIO(answer.content)) as clip:
        return [frame.to_ndarray(format="rgb24") for frame in clip.decode(video=0)]


@pytest.mark.parametrize("scale", [1.0, 0.5])
async def test_people_are_blurred_and_the_rest_is_not(api: Api, scale: float) -> None:
    """In snapshot and clip nothing is left of a person's stripes and all of the background's, whatever size was judged."""
    await _evidence(api, {"snapshot": _jpeg(), "clip": _clip(), "overlay": _overlay(scale)})
    await _blur(api, "operator", "viewer")
    operator = await api.log_in("operator")
    pictures = [_shown(await operator.get(SNAPSHOT)), *await _clip_pictures(operator)]
    assert len(pictures) == 1 + RATE * SECONDS
    for pixels in pictures:
        assert _detail(pixels, INSIDE) < 12
        assert _detail(pixels, OUTSIDE) > 80
    tile = _shown(await operator.get(PICTURE))  # nobody says where people are in it
    assert max(_detail(tile, INSIDE), _detail(tile, OUTSIDE)) < 30
    admin = await api.log_in("admin")
    assert (await admin.get(SNAPSHOT)).content == _jpeg()
    assert (await admin.get(CLIP)).content == _clip()


def test_a_runner_does_not_leave_the_blur() -> None:
    """Between two looks the way is covered; a moment without a look shortly before and after says that nobody knows."""
    looks = [OverlayFrame(t=t, boxes=[(7, 100 * t, 0, 100 * t + 20, 50)]) for t in (1.0, 1.8, 2.0)]
    overlay = OverlayDoc(width=1000, height=100, frames=looks)
    assert [boxes_at(overlay, t) for t in (0.9, 2.1, 5.0)] == [None, None, None]
    for t in (1.0, 1.4, 1.8, 1.9, 2.0):
        found = boxes_at(overlay, t)
        assert found is not None
        assert any(x0 <= t / 10 + 1e-9 and x1 >= t / 10 + 0.02 - 1e-9 for x0, _, x1, _ in found), t
    far = [OverlayFrame(t=t, boxes=[]) for t in (1.0, 2.5)]
    assert boxes_at(OverlayDoc(width=10, height=10, frames=far), 1.7) is None
    assert boxes_at(OverlayDoc(width=10, height=10, frames=far), 1.0) == []


async def test_without_boxes_all_of_it_is_blurred(api: Api) -> None:
    """Evidence whose boxes have not come, or are of other seconds, shows nothing clear."""
    await _evidence(api, {"snapshot": _jpeg(), "clip": _clip()})
    await _blur(api, "viewer")
    viewer = await api.log_in("viewer")
    for pixels in [_shown(await viewer.get(SNAPSHOT)), *await _clip_pictures(viewer)]:
        assert max(_detail(pixels, INSIDE), _detail(pixels, OUTSIDE)) < 30


async def test_a_reveal_has_a_reason_and_ends_with_the_session(api: Api) -> None:
    """Clear only for who revealed it, only this alert, only in this session; the audit tells who and why."""
    await _evidence(api, {"snapshot": _jpeg(), "clip": _clip(), "overlay": _overlay()})
    await api.send(1)
    admin = await _blur(api, "operator")
    operator, again = await api.log_in("operator"), await api.log_in("operator")
    assert (await operator.get(f"/alerts/{ALERT}/view")).json() == {"blurred": True, "clip": "being_made"}
    assert (await operator.get(f"/alerts/{ALERT}/bundle")).status_code == 403
    for wrong in ({}, {"reason": ""}, {"reason": "abc"}):
        assert (await operator.post(f"/alerts/{ALERT}/reveal", json=wrong)).status_code == 422
    why = {"reason": "police request 17/3"}
    assert (await operator.post(f"/alerts/{ALERT}/reveal", json=why)).status_code == 204
    assert (await operator.get(f"/alerts/{ALERT}/view")).json() == {"blurred": False, "clip": "clear"}
    assert (await operator.get(SNAPSHOT)).content == _jpeg()
    assert (await operator.get(CLIP)).content == _clip()
    assert (await operator.get(f"/alerts/{ALERT}/bundle")).status_code == 200
    assert (await again.get(f"/alerts/{ALERT}/view")).json()["blurred"] is True
    assert (await operator.get(f"/alerts/{alert_in(1).alert_id}/view")).json()["blurred"] is True
    lines = (await admin.get("/audit", params={"what": "reveal"})).json()["items"]
    assert [(one["who"], one["about"], one["details"]) for one in lines] == [("operator", str(ALERT), why)]
    await _blur(api, "operator")
    assert (await operator.get(f"/alerts/{ALERT}/view")).json()["blurred"] is True


async def test_a_viewer_reveals_nothing_and_only_an_admin_chooses(api: Api) -> None:
    """Revealing needs the role that may judge; choosing roles is configuration and in the audit."""
    await _evidence(api, {"snapshot": _jpeg()})
    admin = await _blur(api, "viewer", "operator")
    viewer, operator = await api.log_in("viewer"), await api.log_in("operator")
    why = {"reason": "to see better"}
    assert (await viewer.post(f"/alerts/{ALERT}/reveal", json=why)).status_code == 403
    for client in (viewer, operator):
        assert (await client.get("/privacy")).status_code == 403
        assert (await client.put("/privacy", json={"blurred": []})).status_code == 403
    assert (await admin.get("/privacy")).json() == {"blurred": ["operator", "viewer"]}
    assert (await admin.put("/privacy", json={"blurred": ["nobody"]})).status_code == 422
    (line,) = (await admin.get("/audit", params={"about": "privacy"})).json()["items"]
    assert line["details"]["roles"] == "operator viewer"


async def test_no_route_sends_a_clear_byte(api: Api) -> None:
    """Every route that sends files, with and without ranges, validators and `download`: nothing of the originals."""
    await _evidence(api, {"snapshot": _jpeg(), "clip": _clip(), "overlay": _overlay()})
    await _blur(api, "viewer", "operator")
    operator = await api.log_in("operator")
    case = (await operator.post("/cases", json={"name": "17/3"})).json()["case_id"]
    await operator.put(f"/cases/{case}/alerts/{ALERT}")
    known = {
        f"/cases/{case}/bundle",
        CLIP,
        SNAPSHOT,
        PICTURE,
        f"/alerts/{ALERT}/overlay",
        f"/alerts/{ALERT}/bundle",
    }
    paths = set()
    for context in iter_route_contexts(api.app.routes):
        route, path = context.original_route, context.path or ""
        if isinstance(route, APIRoute) and route.response_class in (FileResponse, StreamingResponse):
            filled = path.removeprefix("/api/v1").replace("{alert_id}", str(ALERT))
            paths.add(filled.replace("{camera_id}", "lawn").replace("{case_id}", str(case)))
    assert {path for path in paths if "{" not in path and path != "/"} == known
    clear = [_jpeg(), _clip()]
    etags = ", ".join(f'"{hashlib.sha256(data).hexdigest()}"' for data in clear)
    for name in ("viewer", "operator"):
        client = await api.log_in(name)
        for path in sorted(known):
            for headers in ({}, {"Range": "bytes=10-"}, {"If-None-Match": etags}):
                for query in ({}, {"download": "true"}):
                    answer = await client.get(path, headers=headers, params=query)
                    assert answer.status_code != 304
                    assert answer.content
                    assert not any(answer.content in data for data in clear), path


async def test_what_cannot_be_blurred_is_not_shown(api: Api) -> None:
    """A snapshot or clip that is no picture: 404 with why, not the bytes; the view says that there is none."""
    await _evidence(api, {"snapshot": b"not a picture", "clip": b"not a clip"})
    await _blur(api, "operator")
    operator = await api.log_in("operator")
    assert (await operator.get(SNAPSHOT)).status_code == 404

    async def given_up() -> bool:
        return (await operator.get(f"/alerts/{ALERT}/view")).json()["clip"] == "none"

    await until(given_up)
    answer = await operator.get(CLIP)
    assert (answer.status_code, answer.json()["detail"]) == (
        404,
        "there is no blurred clip: the clip cannot be blurred",
    )


async def test_copies_do_not_outlive_their_use(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy is made once while it is asked for, and goes an hour after the last time; new boxes make a new one."""
    await _evidence(api, {"snapshot": _jpeg()})
    await _blur(api, "operator")
    operator = await api.log_in("operator")
    folder = api.service.blurrer.folder
    first = (await operator.get(SNAPSHOT)).headers["etag"]
    assert (await operator.get(SNAPSHOT, headers={"If-None-Match": first})).status_code == 304
    assert len(list(folder.iterdir())) == 1
    data = _overlay()
    headers = {"X-Content-SHA256": hashlib.sha256(data).hexdigest()}
    await api.worker.put(f"/alerts/{ALERT}/media/overlay", content=data, headers=headers)
    assert (await operator.get(SNAPSHOT)).headers["etag"] != first
    assert len(list(folder.iterdir())) == 2
    api.service.blurrer._sweep(3600.0)
    assert len(list(folder.iterdir())) == 2
    api.service.blurrer._sweep(0.0)
    assert list(folder.iterdir()) == []
