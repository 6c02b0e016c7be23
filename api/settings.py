"""What the service is told from outside: where its data lies, which database it uses, how long evidence is kept.

Values may come from environment variables with the prefix WATCHPOST_. A wrong value is a `ConfigError`.
The database address may hold a password, so it is a secret: it is never printed.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from api.schemas_people import Role
from detector.errors import ConfigError, StorageError

_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}

_Days = Annotated[float, Field(gt=0, le=36_500)]


def _default_data_dir() -> Path:
    share = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(share) / "watchpost"


class Settings(BaseSettings):
    """Settings of one service."""

    model_config = SettingsConfigDict(env_prefix="WATCHPOST_", frozen=True, hide_input_in_errors=True)

    data_dir: Path = Field(default_factory=_default_data_dir)
    database_url: SecretStr | None = None  # None: a SQLite file in data_dir
    busy_s: Annotated[float, Field(gt=0, le=60)] = 5.0  # how long a statement waits for another one's lock

    # What a desk is shown; everything is stored (api/db/suppress.py).
    cooldown_s: Annotated[float, Field(ge=0, le=86_400)] = (
        0  # of the same incident, not more severe; 0: all are shown
    )
    budget_per_hour: Annotated[int | None, Field(gt=0)] = (
        None  # above it alerts of low severity are not shown
    )

    # Where evidence lies, one folder for each alert; it may be a disk of its own.
    media_dir: Path = Field(default_factory=lambda told: told["data_dir"] / "media")
    media_max_gb: Annotated[float | None, Field(gt=0)] = None  # of evidence in all; None: what the disk holds
    media_min_free_mb: Annotated[float, Field(ge=0)] = 1024  # left free on its disk, at most 10 % of it

    # How many days evidence is kept, by the verdict that counts; that of high severity is kept longer.
    keep_true_days: _Days = 90
    keep_open_days: _Days = 30  # unclear, or without a verdict
    keep_false_days: _Days = 7
    keep_high_factor: Annotated[float, Field(ge=1, le=100)] = 3  # but never for a false alert
    believe_clock: bool = False  # a person says: the clock is right, though it was more than a year away

    outbound_private: bool = False  # targets outside may have private and loopback addresses
    public_url: Annotated[str, Field(pattern=r"^(https?://[^\s#?]+)?$", max_length=200)] = (
        ""  # of the console, for links
    )

    # Login at an OpenID Connect provider, beside local names and passwords; "": none (api/oidc.py).
    oidc_issuer: Annotated[str, Field(max_length=300)] = ""
    oidc_client_id: Annotated[str, Field(max_length=200)] = ""
    oidc_client_secret: SecretStr | None = None
    oidc_claim: Annotated[str, Field(min_length=1, max_length=100)] = "groups"
    oidc_roles: dict[str, Role] = Field(
        default_factory=dict
    )  # a value of the claim -> role; the highest counts

    @property
    def database(self) -> URL:
        """The database's address with its async driver; raises ConfigError."""
        if self.database_url is None:
            return URL.create("sqlite+aiosqlite", database=str(self.data_dir / "watchpost.db"))
        try:
            url = make_url(self.database_url.get_secret_value())
        except ArgumentError as error:
            raise ConfigError(
                "not an address of a database", where="WATCHPOST_DATABASE_URL", wanted="scheme://..."
            ) from error
        driver = _DRIVERS.get(url.drivername)
        if driver is None:
            raise ConfigError(
                "unknown kind of database",
                where="WATCHPOST_DATABASE_URL",
                wanted="sqlite or postgresql",
                got=url.drivername,
            )
        if driver.startswith("sqlite") and url.database in (None, "", ":memory:"):
            raise ConfigError(
                "alerts must survive a restart",
                where="WATCHPOST_DATABASE_URL",
                wanted="a file, as in sqlite:////var/lib/watchpost/watchpost.db",
                got="a database in memory",
            )
        return url.set(drivername=driver)

    @property
    def picture_dir(self) -> Path:
        """Where the newest picture of each camera lies."""
        return self.data_dir / "pictures"

    def make_folders(self) -> None:
        """Create the folders, readable by this user only; raises StorageError.

        Not the one of evidence: it may be a disk that is not there now (see api/storage.py).
        """
        try:
            for folder in (self.data_dir, self.picture_dir):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                "cannot create the data folder", where=str(self.data_dir), got=error.strerror or str(error)
            ) from error
