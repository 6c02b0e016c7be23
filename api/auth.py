"""Who may do what: passwords, sessions, workers' tokens. The only file that makes or compares a secret.

Passwords are stored as argon2 hashes; sessions and tokens are random, live in the database as sha256 and
are looked up by it, so a stolen database opens nothing and no key has to be kept. No account works with a
password that was shipped: the first start makes one.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import re
import secrets
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy.exc import IntegrityError

from api.db.audit import Entry
from api.db.people import LastAdmin, SessionRow, User
from api.db.store import Clock, Store
from api.oidc import Known, Refused
from api.schemas_audit import What
from api.schemas_people import PersonIn, Rights
from detector.errors import ConfigError

log = logging.getLogger(__name__)

COMMAND_LINE = "command line"  # who did it, in the audit; no user can be called so
ROLES = ("viewer", "operator", "admin")
SESSION_LIFE = timedelta(hours=12)
TOKEN_PREFIX = "wp_"  # noqa: S105 - lets a leaked token be recognised
MIN_PASSWORD = 12
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_TOKEN_MEMORY_S = 10.0  # a token that was right stays right for so long without a look at the database
_MAX_FAILURES = 10
_FAILURE_WINDOW = timedelta(minutes=5)
_MAX_WATCHED = 10_000  # (name, address) pairs remembered by the throttle
_HASHER = PasswordHasher()


class TooManyFailures(Exception):
    """A name failed too often from one address."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(f"too many failed logins; try again in {wait_s} s")
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class NewSession:
    """What the browser is given at login."""

    token: str
    csrf: str
    user: User


# ---------------------------------------------------------------- for the command line


async def first_start(store: Store) -> str | None:
    """Make the first administrator `admin`; returns its one-time password, or None if there are users."""
    if await store.people.count() > 0:
        return None
    return await add_with_one_time_password(store, "admin", "admin")


async def add_with_one_time_password(store: Store, name: str, role: str) -> str:
    """Add a user with a random password to be changed at the first login; raises ConfigError."""
    password = _one_time()
    await create_user(store, name, password, role, must_change=True)
    return password


async def add_person(store: Store, person: PersonIn, by: str) -> str:
    """The same for somebody with rights of their own, on behalf of an administrator; raises ConfigError."""
    password = _one_time()
    await _add(store, person, password, must_change=True, by=by)
    return password


async def reset_password(store: Store, name: str, by: str) -> str:
    """A new random password, to be changed at the next login; ends all sessions. Raises ConfigError."""
    password = _one_time()
    await set_password(store, name, password, must_change=True, by=by)
    return password


async def create_user(
    store: Store, name: str, password: str, role: str, *, must_change: bool = False
) -> None:
    """Add a user who may log in at once; raises ConfigError for a taken name, a weak password, a bad role."""
    if not _NAME.fullmatch(name):
        raise ConfigError("not a user name", where="name", wanted="a-z 0-9 . _ - (1 to 64)", got=repr(name))
    if role not in ROLES:
        raise ConfigError("unknown role", where=f"user {name}", wanted=" or ".join(ROLES), got=repr(role))
    check_password(name, password)
    person = PersonIn.model_validate({"name": name, "role": role})
    await _add(store, person, password, must_change=must_change, by=COMMAND_LINE)


async def _add(store: Store, person: PersonIn, password: str, *, must_change: bool, by: str) -> None:
    rights = Rights(role=person.role, cameras=person.cameras)
    try:
        await store.people.add(person.name, rights, await _hash(password), must_change, by)
    except IntegrityError as error:
        raise ConfigError("the name is taken", where=f"user {person.name}") from error
    log.info("made user name=%s role=%s", person.name, person.role)


async def set_password(
    store: Store, name: str, password: str, *, must_change: bool = False, by: str = COMMAND_LINE
) -> None:
    """Give a user a new password and end all sessions; raises ConfigError for an unknown name, a weak one."""
    user = await store.people.find(name)
    if user is None:
        raise ConfigError("no such user", where=f"user {name}")
    check_password(name, password)
    await store.people.set_password(user, await _hash(password), must_change, by)
    log.info("password changed name=%s", name)


async def create_worker_token(store: Store, name: str, by: str = COMMAND_LINE) -> str:
    """A new token for a worker; the one it had before stops working. It cannot be shown again."""
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    await store.people.set_token(name, hash_token(token), by)
    log.info("made worker token name=%s", name)
    return token


def check_password(name: str, password: str) -> None:
    """Refuse a password that can be guessed; raises ConfigError that does not repeat it."""
    todo = "Choose a longer one: several words are easy to keep in mind"
    low = password.lower()
    if len(password) < MIN_PASSWORD:
        wanted, got = f"{MIN_PASSWORD} characters or more", f"{len(password)}"
        raise ConfigError(
            "the password is too short", where=f"user {name}", wanted=wanted, got=got, todo=todo
        )
    if (len(name) > 3 and name in low) or "watchpost" in low or "password" in low or len(set(low)) < 6:
        raise ConfigError("the password is easy to guess", where=f"user {name}", todo=todo)


# ---------------------------------------------------------------- for the service


class Guard:
    """Logs people in, knows their sessions, and knows the workers by their tokens."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._failures: dict[tuple[str, str], deque[datetime]] = {}
        self._workers: dict[str, tuple[str, float]] = {}  # token hash -> name, loop time until which it holds

    async def log_in(self, name: str, password: str, address: str) -> NewSession | None:
        """A new session, or None if name and password do not fit. Raises TooManyFailures, StorageError."""
        self._throttle(name, address)
        user = await self._store.people.find(name)
        right = await _verify(user.password_hash if user else await _nobody(), password)
        if user is None or user.disabled or not right:
            self._failed(name, address)
            self._tell_refused(user, address)
            log.warning("login refused name=%r address=%s", name, address)
            return None
        self._failures.pop((name, address), None)
        log.info("login name=%s address=%s", name, address)
        return await self._new_session(user, address)

    async def log_in_known(self, known: Known, address: str) -> NewSession:
        """A session for somebody whom the provider named; the first time makes the user. Raises Refused, StorageError."""
        try:
            user = await self._store.people.known(known.subject, known.name, known.role)
        except LastAdmin as error:
            raise Refused(str(error)) from error
        if user.disabled:
            self._tell_refused(user, address)
            raise Refused("this user is disabled")
        log.info("login by provider name=%s address=%s", user.name, address)
        return await self._new_session(user, address)

    async def change_password(self, user: User, old: str, new: str, address: str) -> NewSession | None:
        """End every session of the user and open a new one, or None if `old` is wrong.

        Raises ConfigError for a weak password, TooManyFailures, StorageError.
        """
        self._throttle(user.name, address)
        if not await _verify(user.password_hash, old):
            self._failed(user.name, address)
            return None
        if old == new:
            raise ConfigError("the new password is the old one", where=f"user {user.name}")
        await set_password(self._store, user.name, new, by=user.name)
        changed = await self._store.people.find(user.name)
        return await self._new_session(changed, address) if changed else None

    async def session(self, token: str | None) -> SessionRow | None:
        """Whose session this cookie names. Raises StorageError."""
        return await self._store.people.session(hash_token(token)) if token else None

    async def alive(self, session: SessionRow) -> bool:
        """Whether a session still stands: a stream outlives the request's check. Raises StorageError."""
        return await self._store.people.session(session.token_hash) is not None

    async def worker(self, token: str) -> str | None:
        """The name of the worker with this token. Raises StorageError."""
        hashed, now = hash_token(token), asyncio.get_running_loop().time()
        known = self._workers.get(hashed)
        if known is not None and now < known[1]:
            return known[0]
        name = await self._store.people.worker_of(hashed)
        if name is None:
            self._workers.pop(hashed, None)
            return None
        self._workers[hashed] = (name, now + _TOKEN_MEMORY_S)
        return name

    def _tell_refused(self, user: User | None, address: str) -> None:
        """Into the audit; a name that nobody has is left out, since it may be a password typed into the wrong field."""
        told = Entry(user.name if user else "?", What.LOGIN_REFUSED, "", {"address": address})
        if user is not None:
            self._store.audit.queue(told)
        else:
            self._store.audit.look(told)  # once in a while: made-up names do not fill the audit

    def forget_workers(self) -> None:
        """A token has ended: ask the database again about every one."""
        self._workers.clear()

    async def _new_session(self, user: User, address: str) -> NewSession:
        token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        expires_at = self._clock() + SESSION_LIFE
        await self._store.people.open_session(user, hash_token(token), csrf, expires_at, address=address)
        return NewSession(token, csrf, user)

    def _throttle(self, name: str, address: str) -> None:
        """Refuse only this name from this address: nobody can lock another person out."""
        failures = self._failures.get((name, address))
        since = self._clock() - _FAILURE_WINDOW
        while failures and failures[0] <= since:
            failures.popleft()
        if failures and len(failures) >= _MAX_FAILURES:
            raise TooManyFailures(int((failures[0] - since).total_seconds()) + 1)

    def _failed(self, name: str, address: str) -> None:
        failures = self._failures.pop((name, address), None) or deque(maxlen=_MAX_FAILURES)
        failures.append(self._clock())
        self._failures[name, address] = failures  # last in order: the least recent is forgotten first
        if len(self._failures) > _MAX_WATCHED:
            self._failures.pop(next(iter(self._failures)))


def hash_token(token: str) -> str:
    """sha256 of a random token, as it is stored; a fast hash is enough for 256 random bits."""
    return hashlib.sha256(token.encode()).hexdigest()


def same(a: str, b: str) -> bool:
    """Whether two secrets are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(a.encode(), b.encode())


@cache
def _nobody_hash() -> str:
    return _HASHER.hash(secrets.token_urlsafe(16))


async def _nobody() -> str:
    """Checked when the name is unknown, so that the time taken does not tell which names exist."""
    return await asyncio.to_thread(_nobody_hash)


def _one_time() -> str:
    return secrets.token_urlsafe(15)


async def _hash(password: str) -> str:
    return await asyncio.to_thread(_HASHER.hash, password)


async def _verify(hashed: str, password: str) -> bool:
    try:
        return await asyncio.to_thread(_HASHER.verify, hashed, password)
    except (VerificationError, InvalidHashError):
        return False
