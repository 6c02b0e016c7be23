"""What is told outside of a phase of an alert, in the words of each kind of target. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.db.outbound import Waiting

_TEST = "This is a test message from Watchpost. Nothing happened."


@dataclass(frozen=True, slots=True)
class Note:
    """One message, ready to be sent by any sender."""

    key: str  # the same at every try: the receiver can tell a repetition by it
    body: Mapping[str, Any]
    subject: str
    text: str
    place: tuple[str, str] | None = None  # camera and rule; none of a test
    n_open: int = 0  # alerts of this place that go on
    snapshot: Path | None = None

    def json(self) -> bytes:
        """The body as it goes over the wire."""
        return json.dumps(self.body, ensure_ascii=False, separators=(",", ":")).encode()


def note_of(item: Waiting, public_url: str, snapshot: Path | None) -> Note:
    """The message about a phase of an alert."""
    alert = item.alert
    link = f"{public_url.rstrip('/')}/#/alerts/{alert.alert_id}" if public_url else ""
    body = {
        "type": "alert",
        "alert_id": str(alert.alert_id),
        "phase": alert.phase.value,
        "revision": alert.revision,
        "camera_id": alert.camera_id,
        "camera_name": item.camera_name,
        "rule": alert.rule,
        "zone": alert.zone,
        "severity": alert.severity.value,
        "score": alert.score,
        "started_at": f"{alert.started_at:%Y-%m-%dT%H:%M:%S.%f}Z",
        "at": f"{alert.at:%Y-%m-%dT%H:%M:%S.%f}Z",
        "reason": alert.reason,
        "facts": alert.facts,
        "link": link,
    }
    lines = [
        alert.reason,
        "",
        f"Camera: {item.camera_name}",
        f"Rule: {alert.rule}" + (f", zone {alert.zone}" if alert.zone else ""),
        f"Severity: {alert.severity.value}",
        f"Since: {alert.started_at:%Y-%m-%d %H:%M:%S} UTC",
        *([f"Look at it: {link}"] if link else []),
        "",
        "Watchpost decides nothing: a person must look.",
    ]
    return Note(
        key=f"{alert.alert_id}.{alert.phase.value}.{alert.revision}",
        body=body,
        subject=_line(f"{alert.severity.value.capitalize()}: {alert.rule} at {item.camera_name}"),
        text="\n".join(lines),
        place=(alert.camera_id, alert.rule),
        n_open=item.n_open,
        snapshot=snapshot if item.has_snapshot else None,
    )


def test_note(key: str) -> Note:
    """A message that says that it is only a test."""
    return Note(key, {"type": "test", "reason": _TEST}, "Test message from Watchpost", _TEST)


def _line(text: str) -> str:
    """One line of a header: a name may hold a line break."""
    return " ".join(text.split())
