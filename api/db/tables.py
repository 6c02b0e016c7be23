"""The tables, in words that SQLite and PostgreSQL share. No query lives here.

An alert's row holds its newest phase; `alert_phases` holds every phase as it came. `change` is the number
of the last change of an alert, given in commit order from `feed_head`, and is what the feed resumes from;
`arrival` is the change with which the alert first came and never changes, so it is what lists are paged by.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    Uuid,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime; SQLite keeps no zone, so it is stored there as plain UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        at: datetime = value
        return at.replace(tzinfo=UTC) if dialect.name == "sqlite" else at.astimezone(UTC)


users = Table(
    "users",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("password_hash", String(200), nullable=False),
    Column("role", String(16), nullable=False),
    Column("must_change_password", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("cameras", JSON(none_as_null=True)),  # the ids of those this person may see; null: all
    Column("disabled_at", UtcDateTime),  # null: may log in
    Column("subject", String(300), unique=True, index=True),  # of an OIDC provider; null: logs in by password
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),  # sha256 of the cookie's value
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("csrf", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
)

worker_tokens = Table(
    "worker_tokens",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("created_at", UtcDateTime, nullable=False),
)

cameras = Table(
    "cameras",
    metadata,
    Column("camera_id", String(64), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("timezone", String(100), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("zones", JSON, nullable=False),
    Column("rules", JSON, nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", String(500), nullable=False),
    Column("trouble", String(16), nullable=False, server_default=""),  # the reason as a word
    Column("seen_at", UtcDateTime),  # this service's clock at the last pulse
    Column("coverage", Float, nullable=False),
    Column("n_people", Integer, nullable=False),
    Column("n_decoded", Integer, nullable=False),
    Column("n_analysed", Integer, nullable=False),
    Column("n_dropped", Integer, nullable=False),
    Column("picture_at", UtcDateTime),
)

alerts = Table(
    "alerts",
    metadata,
    Column("alert_id", Uuid, primary_key=True),
    Column("camera_id", ForeignKey("cameras.camera_id"), nullable=False),
    Column("rule", String(64), nullable=False),
    Column("zone", String(100), nullable=False),
    Column("phase", String(16), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("opened_t", Float, nullable=False),
    Column("opened_rank", Integer, nullable=False),  # order of the phase that opened_at was taken from
    Column("at", UtcDateTime, nullable=False),
    Column("severity", String(16), nullable=False),
    Column("score", Float, nullable=False),
    Column("facts", JSON, nullable=False),
    Column("reason", String(500), nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("arrival", Integer, nullable=False, unique=True),
    Column("change", Integer, nullable=False, unique=True),
    Column("verdict_id", Integer),  # the verdict that counts; no foreign key, since verdicts refer to alerts
    Column("held_at", UtcDateTime),  # null: its evidence goes when its time is over
    Column("held_by", String(64)),
    Column("kept_from", UtcDateTime),  # from when its age counts; null: no pass has seen it yet
    Column("suppressed", String(16)),  # why it is not put before people; null: it is
    Column("suppressed_by", Uuid),  # the alert that it repeats
    Column("claimed_by", String(64)),  # who works on it, unless that was too long ago (api/db/rows.py)
    Column("claimed_at", UtcDateTime),
    Column("claim_used_at", UtcDateTime),  # when its holder last did something with it
    Index("ix_alerts_kept_from", "kept_from"),
    Index("ix_alerts_incident", "camera_id", "rule", "zone", "opened_at"),
    Index("ix_alerts_received_at", "received_at"),
    Index("ix_alerts_camera_id_arrival", "camera_id", "arrival"),
    Index("ix_alerts_camera_id_rule_phase", "camera_id", "rule", "phase"),
    # Holds all that figures are counted from: no row of an alert, with its facts, is read for them.
    Index("ix_alerts_opened_at", "opened_at", "camera_id", "rule", "verdict_id", "received_at", "suppressed"),
)

alert_phases = Table(
    "alert_phases",
    metadata,
    Column("alert_id", ForeignKey("alerts.alert_id", ondelete="CASCADE"), primary_key=True),
    Column("phase", String(16), primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("severity", String(16), nullable=False),
    Column("reason", String(500), nullable=False),
    Column("body", Text, nullable=False),  # AlertIn as JSON, exactly as it was accepted
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("alert_id", ForeignKey("alerts.alert_id", ondelete="CASCADE"), nullable=False, index=True),
    Column("verdict", String(16), nullable=False),
    Column("reason", String(32)),
    Column("note", String(2000), nullable=False),
    Column("by", String(64), nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

media = Table(
    "media",
    metadata,
    Column("alert_id", ForeignKey("alerts.alert_id", ondelete="CASCADE"), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("state", String(16), nullable=False),  # ready or missing; no row is pending
    Column("reason", String(500), nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("start_t", Float),
    Column("duration_s", Float),
)

actions = Table(  # what people did with an alert; verdicts have a table of their own
    "actions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("alert_id", ForeignKey("alerts.alert_id", ondelete="CASCADE"), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("note", String(2000), nullable=False),
    Column("by", String(64), nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

handovers = Table(
    "handovers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("note", String(2000), nullable=False),
    Column("cameras", JSON(none_as_null=True)),  # those its writer could see; null: all
    Column("n_released", Integer, nullable=False),  # claims of its writer that ended with it
    Column("by", String(64), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("taken_by", String(64)),
    Column("taken_at", UtcDateTime),
)

audit = Table(  # triggers of the database refuse to change or delete a row (m0003_life.py)
    "audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # without a gap
    Column("at", UtcDateTime, nullable=False),
    Column("who", String(64), nullable=False),
    Column("what", String(32), nullable=False),
    Column("about", String(200), nullable=False),
    Column("details", Text, nullable=False),  # JSON
    Column("hash", String(64), nullable=False),  # of this row and the hash before it
    Index("ix_audit_who_id", "who", "id"),
    Index("ix_audit_what_id", "what", "id"),
    Index("ix_audit_about_id", "about", "id"),
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("n", Integer, nullable=False),  # rows in the audit; the lock of who appends
    Column("hash", String(64), nullable=False),  # of the last one
)

deletions = Table(
    "deletions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("alert_id", Uuid, nullable=False, index=True),  # no foreign key: the log outlives the alert
    Column("camera_id", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("why", String(16), nullable=False),
    Column("reason", String(500), nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

storage = Table(
    "storage",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("marker", Uuid, nullable=False),  # what the file in the folder of evidence must say
    Column("placed", Boolean, nullable=False),  # false: that file is still to be written
    Column("seen_at", UtcDateTime),  # the clock at the last pass that believed it
)

feed_head = Table(
    "feed_head",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("change", Integer, nullable=False),  # the last number given out
)

outbound_targets = Table(
    "outbound_targets",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("wants", JSON, nullable=False),  # Filter
    Column("options", JSON, nullable=False),  # what is not secret
    Column("secrets", JSON, nullable=False),  # leave the database only to be used
    Column("made_by", String(64), nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("n_dropped", Integer, nullable=False),
    Column("failing_since", UtcDateTime),
    Column("problem", String(500), nullable=False),
)

outbound_queue = Table(
    "outbound_queue",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("target_id", ForeignKey("outbound_targets.id", ondelete="CASCADE"), nullable=False),
    Column("alert_id", Uuid, nullable=False),
    Column("phase", String(16), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime, nullable=False),
    Column("attempts", Integer, nullable=False),
    Index("ix_outbound_queue_target_id_due_at", "target_id", "due_at"),
)

outbound_log = Table(
    "outbound_log",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("target_id", ForeignKey("outbound_targets.id", ondelete="CASCADE"), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("alert_id", Uuid),  # none of a test
    Column("phase", String(16)),
    Column("outcome", String(16), nullable=False),
    Column("words", String(500), nullable=False),
    Column("took_ms", Integer, nullable=False),
    Index("ix_outbound_log_target_id_id", "target_id", "id"),
)

# What is looked at in a camera's picture, as people made it; a version is never changed.
configurations = Table(
    "configurations",
    metadata,
    Column("camera_id", ForeignKey("cameras.camera_id"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),  # from 1
    Column("content", JSON(none_as_null=True)),  # null: the worker's site file alone
    Column("note", String(2000), nullable=False),
    Column("by", String(64), nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

in_force = Table(  # what the worker of a camera says of its configuration
    "in_force",
    metadata,
    Column("camera_id", ForeignKey("cameras.camera_id"), primary_key=True),
    Column("told", JSON, nullable=False),  # InForceIn
    Column("at", UtcDateTime, nullable=False),
)

privacy = Table(
    "privacy",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("blurred", JSON, nullable=False),  # the roles for which people are blurred
)

reveals = Table(  # who may see an alert clear until the session ends; why is in the audit
    "reveals",
    metadata,
    Column("session", ForeignKey("sessions.token_hash", ondelete="CASCADE"), primary_key=True),
    Column("alert_id", ForeignKey("alerts.alert_id", ondelete="CASCADE"), primary_key=True),
)

cases = Table(
    "cases",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("note", String(2000), nullable=False),
    Column("by", String(64), nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

case_alerts = Table(
    "case_alerts",
    metadata,
    Column("case_id", ForeignKey("cases.id", ondelete="CASCADE"), primary_key=True),
    Column("alert_id", ForeignKey("alerts.alert_id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("by", String(64), nullable=False),
    Column("at", UtcDateTime, nullable=False),
)
