"""Nothing is open by accident; every answer carries the security headers; the contract is published."""

from __future__ import annotations

from uuid import uuid4

import pytest
from fastapi.responses import FileResponse, RedirectResponse, StreamingResponse
from fastapi.routing import APIRoute, iter_route_contexts
from support.api import Api

from api.feed import FeedResponse

pytestmark = pytest.mark.anyio

OPEN = {
    ("POST", "/api/v1/session"),
    ("GET", "/api/v1/session/ways"),
    ("GET", "/api/v1/session/oidc"),
    ("GET", "/api/v1/session/oidc/callback"),
    ("GET", "/api/v1/health"),
    ("GET", "/api/v1/openapi.json"),
    ("HEAD", "/api/v1/openapi.json"),
    ("GET", "/"),
    ("HEAD", "/"),
}
FILES = "/static"  # the console's own files


async def test_every_route_refuses_a_stranger(api: Api) -> None:
    """Without cookie and token every route answers 401, but for the list above."""
    stranger = await api.client()
    asked = 0
    for route in iter_route_contexts(api.app.routes):
        path = route.path or ""
        if path == FILES:
            continue
        filled = (
            path.replace("{alert_id}", str(uuid4()))
            .replace("{kind}", "clip")
            .replace("{camera_id}", "lawn")
            .replace("{target_id}", "1")
            .replace("{what_if_id}", str(uuid4()))
            .replace("{case_id}", "1")
        )
        for method in route.methods or set():
            if (method, path) in OPEN:
                continue
            answer = await stranger.request(method, f"http://test{filled}")
            assert answer.status_code == 401, f"{method} {path} is open: {answer.status_code}"
            asked += 1
    assert asked > 15


async def test_a_worker_is_not_a_person_and_a_person_no_worker(api: Api) -> None:
    """A worker's token reads nothing; a session sends no alert."""
    assert (await api.worker.get("/alerts")).status_code == 401
    person = await api.log_in("admin")
    assert (await person.post("/alerts", json={})).status_code == 401


async def test_every_answer_has_the_security_headers(api: Api) -> None:
    """Pages, data, errors and unknown addresses alike."""
    client = await api.log_in()
    await api.send()
    for path in (
        "http://test/",
        "/alerts",
        "/nothing",
        "/alerts/not-an-id",
        "/health",
        "http://test/static/none.js",
    ):
        headers = (await client.get(path)).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "script-src 'self';" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
    assert (await client.get("/alerts")).headers["cache-control"] == "no-store"


async def test_the_console_page_is_served(api: Api) -> None:
    """The page and its modules come with their types and are asked for again after an update."""
    client = await api.client()
    page = await client.get("http://test/")
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["cache-control"] == "no-cache"
    script = await client.get("http://test/static/app.js")
    assert "javascript" in script.headers["content-type"]
    assert script.headers["cache-control"] == "no-cache"
    assert (await client.get("http://test/static/../../auth.py")).status_code == 404
    assert (await client.get("http://test/static/%2e%2e/%2e%2e/auth.py")).status_code == 404


async def test_the_contract_is_whole(api: Api) -> None:
    """Each operation has an id of its own and a description; each JSON answer has a model."""
    client = await api.client()
    document = (await client.get("/openapi.json")).json()
    operations = [one for path in document["paths"].values() for one in path.values()]
    ids = [one["operationId"] for one in operations]
    assert len(ids) == len(set(ids)) >= 18
    assert all(one["description"] for one in operations)
    for route in iter_route_contexts(api.app.routes):
        original = route.original_route
        if isinstance(original, APIRoute) and original.status_code != 204 and original.include_in_schema:
            typed = original.response_model is not None or original.response_class in (
                FileResponse,
                FeedResponse,
                RedirectResponse,
                StreamingResponse,
            )
            assert typed, f"{original.path}: no model"
