"""Carries outbox rows to the API, oldest first, until each has an answer. Knows HTTP; knows no camera.

2xx: the row and its file are deleted. No answer, 5xx, 408, 429: sent again, for ever, with growing pauses.
401 and 403: the same, loudly, since a token can be repaired. Any other 4xx: refused, kept and counted. An
alert whose row alone makes the API fail waits at the back, so that it cannot hold up the others. Evidence that
the API cannot take (its disk is full or away) rests, while alerts go on, those of the same incident too.
httpx's errors become `DeliveryError` in this file.
"""

from __future__ import annotations

import hashlib
import json
import logging
import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import httpx

from api.schemas import MediaKind
from detector.errors import AlertRefused, ApiUnreachable, StorageError
from streams.outbox import Item, Outbox, What

log = logging.getLogger(__name__)

FIRST_PAUSE_S, MAX_PAUSE_S = 0.5, 30.0
_IDLE_S = 0.2  # how soon a new row is seen
_CHUNK_BYTES = 256 * 1024
_TIMEOUT = httpx.Timeout(15.0, connect=5.0)
_TYPES = {
    MediaKind.SNAPSHOT: "image/jpeg",
    MediaKind.CLIP: "video/mp4",
    MediaKind.OVERLAY: "application/json",
}

Wait = Callable[[threading.Event, float], bool]


def open_client(api_url: str, token: str) -> httpx.Client:
    """A client of the API below `api_url`; the token travels in a header and is never in an address."""
    return httpx.Client(
        base_url=api_url.rstrip("/") + "/api/v1/",
        headers={"Authorization": f"Bearer {token}"},
        timeout=_TIMEOUT,
        follow_redirects=False,
    )


def send(client: httpx.Client, request: httpx.Request) -> httpx.Response:
    """Send it and give the answer; raises ApiUnreachable (worth a retry) or AlertRefused (never)."""
    where = f"{request.method} {request.url.path} at {request.url.host}"  # an address may hold a password
    try:
        answer = client.send(request)
    except httpx.HTTPError as error:
        raise ApiUnreachable(
            "no answer", where=where, got=f"{type(error).__name__} {error}".strip()
        ) from error
    if answer.is_success:
        return answer
    got = f"{answer.status_code} {answer.text[:300]}"
    if answer.status_code in (401, 403):
        raise ApiUnreachable(
            "the API does not accept this worker's token",
            where=where,
            got=got,
            todo="Make a new worker token and put it where the site file says",
        )
    if answer.is_client_error and answer.status_code not in (408, 429):
        raise AlertRefused("the API refused it", where=where, wanted="2xx", got=got)
    raise ApiUnreachable("the API cannot take it now", where=where, wanted="2xx", got=got)


class Courier:
    """One thread's work: `run` until stopped. A row is sent again only while there is no answer to it."""

    def __init__(
        self,
        outbox: Outbox,
        client: httpx.Client,
        *,
        wait: Wait = threading.Event.wait,
        luck: Callable[[], float] = random.random,
    ) -> None:
        self._outbox = outbox
        self._client = client
        self._wait = wait  # (stop, seconds) -> whether it is set
        self._luck = luck  # 0-1
        self.failing = False  # whether the newest attempt got no answer; other threads may read it
        self._pause_s = FIRST_PAUSE_S
        self._back: set[UUID] = set()  # alerts that have failed since the queue was last gone through
        self._late: set[UUID] = set()  # alerts whose evidence has failed since
        self._rest_s = 0.0  # for so long no evidence is sent
        self._next_rest_s = FIRST_PAUSE_S

    def run(self, stop: threading.Event) -> None:
        """Send what comes until `stop`, whatever happens to the network and the disk."""
        while not stop.is_set():
            try:
                sent = self.step()
            except (ApiUnreachable, StorageError) as error:
                self.failing = True
                level = logging.ERROR if error.todo else logging.WARNING  # something a person has to do
                log.log(level, "not delivered error=%s", error)
                self._pass(stop, self._next_pause_s())
            else:
                if not sent:
                    self._pass(stop, _IDLE_S)

    def step(self) -> bool:
        """Send one row, or learn that evidence must rest; False: there is none to send now.

        Raises ApiUnreachable (its alert then waits at the back) or StorageError; the row stays.
        """
        item = self._next()
        if item is None:
            return False
        try:
            self._send(item)
        except ApiUnreachable as error:
            if item.what is What.ALERT:
                self._back.add(item.alert_id)
                raise
            self._rest(item, error)
            return True
        except AlertRefused as error:
            log.error(
                "refused alert_id=%s what=%s kind=%s error=%s", item.alert_id, item.what, item.kind, error
            )
            self._outbox.refuse(item.seq, str(error))
        if item.what is not What.ALERT:
            self._next_rest_s = FIRST_PAUSE_S
        self._pause_s, self.failing = FIRST_PAUSE_S, False
        return True

    def _next(self) -> Item | None:
        """The next row; those that failed come again when the others have been gone through."""
        may_send = self._rest_s <= 0
        item = self._outbox.next(self._back, self._late, evidence=may_send)
        if item is None and (self._back or (self._late and may_send)):
            self._back.clear()
            if may_send:
                self._late.clear()
            item = self._outbox.next((), self._late, evidence=may_send)
        return item

    def _rest(self, item: Item, error: ApiUnreachable) -> None:
        """Send no evidence for a while, and this alert's after that of the others."""
        level = logging.ERROR if error.todo else logging.WARNING
        log.log(level, "evidence not delivered alert_id=%s kind=%s error=%s", item.alert_id, item.kind, error)
        self._late.add(item.alert_id)
        self._rest_s = self._next_rest_s * (0.5 + 0.5 * self._luck())
        self._next_rest_s = min(2 * self._next_rest_s, MAX_PAUSE_S)
        self.failing = True

    def _pass(self, stop: threading.Event, wait_s: float) -> None:
        self._wait(stop, wait_s)
        self._rest_s -= wait_s

    def _next_pause_s(self) -> float:
        """Doubles from 0.5 s to 30 s; half of it is chance, so that workers do not come back all at once."""
        pause_s, self._pause_s = self._pause_s, min(2 * self._pause_s, MAX_PAUSE_S)
        return pause_s * (0.5 + 0.5 * self._luck())

    def _send(self, item: Item) -> None:
        if item.what is What.MEDIA:
            if not self._upload(item):
                self._outbox.lost(item.seq, "the file was removed from the worker's disk before it was sent")
                return
        else:
            method, url = "POST", "alerts"
            if item.what is What.MISSING:
                method, url = "PUT", f"alerts/{item.alert_id}/media/{item.kind}/missing"
            headers = {"Content-Type": "application/json"}
            body = item.body.encode()
            send(self._client, self._client.build_request(method, url, content=body, headers=headers))
        self._outbox.done(item.seq)
        if item.path is not None:
            try:
                item.path.unlink(missing_ok=True)
            except OSError as error:  # what no row points to is removed at the next start
                log.warning("file left behind path=%s error=%s", item.path, error.strerror)

    def _upload(self, item: Item) -> bool:
        """Send the file of a row; False: it is gone."""
        assert item.path is not None
        assert item.kind is not None
        params = {key: value for key, value in json.loads(item.body).items() if value is not None}
        try:
            sha256, n_bytes = _digest(item.path)
            headers = {
                "Content-Type": _TYPES[item.kind],
                "Content-Length": str(n_bytes),  # without it httpx would send chunks of an untold sum
                "X-Content-SHA256": sha256,
            }
            url = f"alerts/{item.alert_id}/media/{item.kind}"
            content = _chunks(item.path)
            send(
                self._client,
                self._client.build_request("PUT", url, params=params, content=content, headers=headers),
            )
        except FileNotFoundError:
            log.error("evidence lost alert_id=%s path=%s", item.alert_id, item.path)
            return False
        except OSError as error:
            raise StorageError(
                "cannot read evidence", where=str(item.path), got=error.strerror or str(error)
            ) from error
        return True


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def _digest(path: Path) -> tuple[str, int]:
    sha256, n_bytes = hashlib.sha256(), 0
    for chunk in _chunks(path):
        sha256.update(chunk)
        n_bytes += len(chunk)
    return sha256.hexdigest(), n_bytes
