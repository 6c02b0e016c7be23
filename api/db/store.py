"""All that the service keeps, behind one name. No query lives here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from api.db.alerts import AlertStore
from api.db.audit import AuditLog
from api.db.cameras import CameraStore
from api.db.cases import CaseStore
from api.db.configurations import ConfigurationStore
from api.db.handovers import HandoverStore
from api.db.life import LifeStore
from api.db.outbound import OutboundStore
from api.db.people import PeopleStore
from api.db.privacy import PrivacyStore
from api.db.retention import RetentionStore
from api.db.session import Database, News, Publish
from api.db.stats import StatsStore
from api.db.suppress import Limits
from api.settings import Settings

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The wall clock, aware and in UTC."""
    return datetime.now(UTC)


def _untold(_news: Sequence[News]) -> None:
    """A command line has nobody to tell."""


@dataclass(frozen=True, slots=True)
class Store:
    """Alerts, cameras, people, what is kept, what was done and what goes out, on one database."""

    database: Database
    alerts: AlertStore
    cameras: CameraStore
    people: PeopleStore
    retention: RetentionStore
    life: LifeStore
    handovers: HandoverStore
    audit: AuditLog
    outbound: OutboundStore
    stats: StatsStore
    configurations: ConfigurationStore
    privacy: PrivacyStore
    cases: CaseStore


@asynccontextmanager
async def open_store(
    settings: Settings, *, clock: Clock = utc_now, publish: Publish = _untold
) -> AsyncIterator[Store]:
    """Open the database of these settings, migrated; closed at the end. Raises ConfigError, StorageError."""
    settings.make_folders()
    database = Database(settings.database, publish, settings.busy_s)
    try:
        await database.migrate()
        limits = Limits(timedelta(seconds=settings.cooldown_s), settings.budget_per_hour)
        alerts, audit = AlertStore(database, clock, limits), AuditLog(database, clock)
        life = LifeStore(database, alerts, audit, clock)
        yield Store(
            database,
            alerts,
            CameraStore(database, clock),
            PeopleStore(database, audit, clock),
            RetentionStore(database, alerts, audit, clock),
            life,
            HandoverStore(database, life, audit, clock),
            audit,
            OutboundStore(database, audit, clock),
            StatsStore(database, clock),
            ConfigurationStore(database, audit, clock),
            PrivacyStore(database, audit),
            CaseStore(database, alerts, life, audit, clock),
        )
    finally:
        await database.close()
