"""Laws of the service's metrics: bounded whatever is asked, true, and not for everyone."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.api import Api, client_of

from api.feed import Listener
from detector.types import Phase

pytestmark = pytest.mark.anyio
METRICS = "http://test/metrics"


async def samples(api: Api) -> dict[tuple[str, ...], float]:
    """Every series: name and label values -> value."""
    answer = await api.worker.get(METRICS)
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.text)
    return {
        (sample.name, *sample.labels.values()): sample.value for one in families for sample in one.samples
    }


async def test_any_number_of_addresses_is_a_handful_of_series(api: Api) -> None:
    """Addresses that differ share the series of their route; those that fit none share one (API-11)."""
    client = await api.log_in()

    async def ask(n: int) -> None:
        for _ in range(n):
            await client.get(f"/alerts/{uuid4()}")
            await client.get(f"http://test/{uuid4()}?q={uuid4()}")
            await client.get(f"http://test/static/{uuid4()}.js")
            await client.get(f"/cameras/c-{uuid4().hex}/picture")

    await ask(1)
    await api.worker.get(METRICS)  # counts itself from now on
    before = set(await samples(api))
    await ask(124)
    found = await samples(api)
    assert set(found) == before
    assert found["watchpost_api_requests_total", "/api/v1/alerts/{alert_id}", "4xx"] == 125
    assert found["watchpost_api_requests_total", "/api/v1/cameras/{camera_id}/picture", "4xx"] == 125
    assert found["watchpost_api_requests_total", "/static", "4xx"] == 125
    assert found["watchpost_api_requests_total", "unmatched", "4xx"] == 125
    assert found["watchpost_api_request_seconds_count", "unmatched"] == 125


async def test_a_strange_method_makes_no_series(api: Api) -> None:
    """A method that a route does not take counts for the route, one that nobody knows alike."""
    client = await api.log_in()
    for method in ("DELETE", "BREW", "X" * 50):
        assert (await client.request(method, "/alerts")).status_code == 405
    found = await samples(api)
    assert found["watchpost_api_requests_total", "/api/v1/alerts", "4xx"] == 3


async def test_what_happens_is_counted(api: Api) -> None:
    """Alerts are counted once each, listeners while they listen, an error of ours as 5xx."""
    assert (await samples(api))["watchpost_api_alerts_received_total", "opened"] == 0
    for _ in range(2):
        await api.send()
    await api.send(phase=Phase.CLOSED, revision=1)
    listener: Listener = api.service.feed.listen()
    found = await samples(api)
    assert found["watchpost_api_alerts_received_total", "opened"] == 1
    assert found["watchpost_api_alerts_received_total", "closed"] == 1
    assert found["watchpost_api_feed_listeners",] == 1
    assert found["watchpost_api_degraded",] == 0
    assert found["watchpost_api_requests_total", "/api/v1/alerts", "2xx"] == 3
    assert found["process_resident_memory_bytes",] > 1e6
    api.service.feed.leave(listener)
    assert (await samples(api))["watchpost_api_feed_listeners",] == 0


async def test_the_disk_of_evidence_is_told(api: Api) -> None:
    """Free and size while it answers; its numbers are left out, and the others told, while it does not."""
    found = await samples(api)
    assert 0 < found["watchpost_api_evidence_free_bytes",] <= found["watchpost_api_evidence_total_bytes",]
    assert found["watchpost_api_evidence_state", "ok"] == 1
    assert found["watchpost_api_evidence_removed_total", "age"] == 0
    (api.service.settings.media_dir / ".watchpost-evidence").unlink()
    found = await samples(api)
    assert ("watchpost_api_evidence_free_bytes",) not in found
    assert found["watchpost_api_evidence_stored_bytes",] == 0


async def test_an_answer_that_never_began_is_an_error(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug in a route is counted as 5xx of that route."""

    async def explode(_self: object) -> None:
        raise ZeroDivisionError

    client = await api.log_in()
    monkeypatch.setattr(type(api.service.store.cameras), "all", explode)
    with pytest.raises(ZeroDivisionError):
        await client.get("/cameras")
    assert (await samples(api))["watchpost_api_requests_total", "/api/v1/cameras", "5xx"] == 1


async def test_a_degraded_service_says_so(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """The flag follows /health."""
    monkeypatch.setattr("api.routes.health._MIN_FREE", 1 << 62)
    monkeypatch.setattr("api.routes.health._MIN_PART", 1.1)
    assert (await samples(api))["watchpost_api_degraded",] == 1


async def test_only_a_token_reads_metrics(api: Api, tmp_path: Path) -> None:
    """Loopback is not enough, nor is a person's session: behind a proxy everyone comes from loopback."""
    async with client_of(api.app) as stranger:
        assert (await stranger.get(METRICS)).status_code == 401
    assert (await (await api.log_in("admin")).get(METRICS)).status_code == 401
