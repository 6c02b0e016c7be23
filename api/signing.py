"""The service's own Ed25519 key: made at the first start, kept in its data folder, readable by its user only.

A key is known by its fingerprint, the sha256 of its public half.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from detector.errors import StorageError

FILE = "signing.key"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """Signs; its private half never leaves this file."""

    _private: Ed25519PrivateKey

    @property
    def public(self) -> bytes:
        """The public half, 32 bytes."""
        return self._private.public_key().public_bytes_raw()

    def sign(self, data: bytes) -> bytes:
        """The signature of these bytes."""
        return self._private.sign(data)


def load_key(data_dir: Path) -> SigningKey:
    """The key of this service, made if there is none. Raises StorageError."""
    path = data_dir / FILE
    try:
        _make(path)
        raw = bytes.fromhex(path.read_text("ascii").strip())
        return SigningKey(Ed25519PrivateKey.from_private_bytes(raw))
    except (OSError, ValueError) as error:
        got = error.strerror or str(error) if isinstance(error, OSError) else "not a key"
        raise StorageError(
            "the signing key cannot be used",
            where=str(path),
            wanted="64 hexadecimal digits, as the first start wrote them",
            got=got,
            todo="Bring the file back; bundles signed by another key show another fingerprint",
        ) from error


def _make(path: Path) -> None:
    """Write a new key, whole or not at all; one that is there stays. Raises OSError."""
    if path.exists():
        return
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="ascii") as file:
        file.write(Ed25519PrivateKey.generate().private_bytes_raw().hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)


def fingerprint(public: bytes) -> str:
    """What people compare."""
    return hashlib.sha256(public).hexdigest()


def is_signed(public: bytes, signature: bytes, data: bytes) -> bool:
    """Whether the key with this public half signed these bytes."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True
