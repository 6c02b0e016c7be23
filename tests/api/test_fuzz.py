"""The published contract is fuzzed: to whatever fits it, and whatever does not, the service has an answer, never an error."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from support.alerts import alert_in
from support.live_api import LiveApi, start_api

log = logging.getLogger(__name__)

N_EXAMPLES = {
    "admin": 6,
    "operator": 3,
    "viewer": 2,
    "worker": 3,
}  # of each operation: together about half a minute
SLOW_S = 30  # an answer that takes longer is a failure
KNOWN: dict[str, Any] = {
    "alert_id": str(alert_in(0).alert_id),
    "camera_id": "lawn",
    "target_id": 1,
    "handover_id": 1,
    "case_id": 1,
}
# The feed has no end (test_listeners.py); a log-out would leave the rest of the run with nobody logged in.
LEFT_OUT = {"listen", "logOut"}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApi]:
    """A service with an alert, evidence and a camera, so that not every id is unknown."""
    api = start_api(Path(tmp_path_factory.mktemp("fuzz")))
    with httpx.Client(base_url=f"{api.base_url}/api/v1", headers=api.worker_headers) as worker:
        worker.post("/alerts", json=alert_in(0).model_dump(mode="json")).raise_for_status()
        digest = {"X-Content-SHA256": hashlib.sha256(b"x").hexdigest()}
        worker.put(f"/alerts/{KNOWN['alert_id']}/media/clip", content=b"x", headers=digest).raise_for_status()
        worker.put("/cameras/lawn/picture", content=b"x").raise_for_status()
    yield api
    api.stop()


def _who(api: LiveApi, role: str) -> dict[str, str]:
    """The headers of somebody of this role."""
    if role == "worker":
        return api.worker_headers
    with api.log_in(role) as person:
        cookies = "; ".join(f"{name}={value}" for name, value in person.cookies.items())
        return {"Cookie": cookies, "X-Watchpost-CSRF": person.headers["X-Watchpost-CSRF"]}


@pytest.mark.parametrize("role", N_EXAMPLES)
def test_no_request_makes_the_service_fail(live: LiveApi, role: str) -> None:
    """Each operation, as each role, with what the contract allows and what it does not, on known and unknown ids: no 5xx."""
    schema = schemathesis.openapi.from_url(f"{live.base_url}/api/v1/openapi.json")
    headers, seen = _who(live, role), Counter[int]()
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.definition.raw["operationId"] in LEFT_OUT:
            continue
        seen += _fuzz(operation, headers, N_EXAMPLES[role])
    log.info("%s: %s", role, dict(sorted(seen.items())))
    assert seen.total() > 80
    assert {2, 4} <= {code // 100 for code in seen}


def _fuzz(operation: Any, headers: dict[str, str], n_examples: int) -> Counter[int]:
    """Send examples that are the same in every run; how often each status was answered."""
    seen, turn = Counter[int](), iter(range(1_000_000))
    modes = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
    whole = operation.as_strategy(generation_mode=modes[0]) | operation.as_strategy(generation_mode=modes[1])

    @settings(
        max_examples=n_examples, derandomize=True, database=None, deadline=None,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=whole)
    def send(case: schemathesis.Case) -> None:
        if next(turn) % 2:
            for name in set(case.path_parameters or ()) & KNOWN.keys():
                case.path_parameters[name] = KNOWN[name]
        answer = case.call(headers=headers, timeout=SLOW_S)
        assert answer.status_code < 500, (
            f"{case.method} {answer.request.url}: {answer.status_code} {answer.text}"
        )
        seen[answer.status_code] += 1

    send()
    return seen


def test_numbers_that_no_column_holds(live: LiveApi) -> None:
    """An id too large for the database names nothing; a count stops at the largest that it holds."""
    with live.log_in("admin") as admin:
        for path in ("/outbound/11043256552796691890176", "/outbound/0", f"/handovers/{2**31}/taken"):
            method = "POST" if path.endswith("taken") else "DELETE"
            assert admin.request(method, f"/api/v1{path}").status_code == 422
        counts = dict.fromkeys(("n_decoded", "n_analysed", "n_dropped", "n_people"), 2**70)
        camera = {"camera_id": "lawn", "state": "online", "reason": "", "coverage": 1.0} | counts
        pulse = {"worker_id": "w", "at": "2026-03-01T12:00:00Z", "n_outbox": 2**70, "n_refused": 0}
        url, body = f"{live.base_url}/api/v1/heartbeat", pulse | {"cameras": [camera]}
        assert httpx.post(url, json=body, headers=live.worker_headers).status_code == 204
        shown = {one["camera_id"]: one for one in admin.get("/api/v1/cameras").json()}
        assert shown["lawn"]["n_decoded"] == 2**31 - 1
