"""Evidence of an alert, or of a case of alerts, as a file that can leave the house, and the proof that nobody changed it since.

A bundle is a zip: each alert with its history and its evidence (of a case in a folder each), `manifest.json` with the
sha256 of every file, and `signature.json` with the service's signature over the manifest's bytes. What is not in the
manifest does not belong.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from api.schemas import AlertDetail
from api.schemas_cases import CaseDetail
from api.signing import SigningKey, fingerprint, is_signed

FORMAT = "watchpost-evidence/1"
MANIFEST, SIGNATURE, ALERT, CASE = "manifest.json", "signature.json", "alert.json", "case.json"
_CHUNK = 1024 * 1024
_SMALL = 64 * 1024 * 1024  # bytes; a manifest or an alert is smaller
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    OSError,
    ValueError,
)


Alert = tuple[AlertDetail, Mapping[str, Path]]  # with the files of its evidence, by their names


@dataclass(frozen=True, slots=True)
class Contents:
    """What goes into a bundle."""

    about: dict[str, Any]  # whose evidence it is, for the manifest
    texts: dict[str, bytes]
    files: dict[str, Path]  # name in the bundle -> where it is
    not_there: dict[str, str]  # what is missing, and why


@dataclass(slots=True)
class Verified:
    """What a bundle says, and what is wrong with it."""

    problems: list[str] = field(default_factory=list)
    about: str = ""  # the alert, or the case and how many alerts are in it
    made_by: str = ""
    made_at: str = ""
    key: str = ""  # fingerprint of the key that signed it

    @property
    def whole(self) -> bool:
        """Nothing was changed."""
        return not self.problems


def alert_contents(alert: Alert) -> Contents:
    """One alert: its files lie at the top."""
    return _contents({"alert_id": str(alert[0].alert_id)}, {}, [("", alert)])


def case_contents(case: CaseDetail, alerts: Sequence[Alert]) -> Contents:
    """A case: a folder for each of its alerts, named by its id."""
    told = {"case": case.name, "alert_ids": [str(detail.alert_id) for detail, _ in alerts]}
    texts = {CASE: case.model_dump_json(indent=2).encode()}
    return _contents(told, texts, [(f"{one[0].alert_id}/", one) for one in alerts])


def _contents(
    about: dict[str, Any], texts: dict[str, bytes], alerts: Sequence[tuple[str, Alert]]
) -> Contents:
    found = Contents(about, texts, {}, {})
    for folder, (detail, files) in alerts:
        known = {Path(name).stem for name in files}
        found.texts[folder + ALERT] = detail.model_dump_json(indent=2).encode()
        found.files.update({folder + name: path for name, path in files.items()})
        gone = {kind: media for kind, media in detail.media.items() if kind.value not in known}
        found.not_there.update(
            {folder + kind.value: media.reason or media.state.value for kind, media in gone.items()}
        )
    return found


def write_bundle(out: IO[bytes], contents: Contents, by: str, at: datetime, key: SigningKey) -> None:
    """Write a bundle. Blocks; raises OSError."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as bundle:
        files = []
        for name, text in contents.texts.items():
            files.append(_entry(name, len(text), hashlib.sha256(text).hexdigest()))
            bundle.writestr(name, text)
        for name, path in sorted(contents.files.items()):
            files.append(_copy(bundle, name, path))
        manifest = {
            "format": FORMAT,
            **contents.about,
            "made_at": at.isoformat(),
            "made_by": by,
            "files": files,
            "not_there": contents.not_there,
        }
        body = json.dumps(manifest, indent=2, ensure_ascii=False).encode()
        bundle.writestr(MANIFEST, body)
        signed = {"algorithm": "Ed25519", "public_key": key.public.hex(), "signature": key.sign(body).hex()}
        bundle.writestr(SIGNATURE, json.dumps(signed, indent=2))


def _copy(bundle: zipfile.ZipFile, name: str, path: Path) -> dict[str, Any]:
    digest, n_bytes = hashlib.sha256(), 0
    with open(path, "rb") as source, bundle.open(name, "w") as target:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            n_bytes += len(chunk)
            target.write(chunk)
    return _entry(name, n_bytes, digest.hexdigest())


def _entry(name: str, n_bytes: int, sha256: str) -> dict[str, Any]:
    return {"name": name, "bytes": n_bytes, "sha256": sha256}


def verify_bundle(path: Path, key: str = "") -> Verified:
    """Look at every file of a bundle. `key`: the fingerprint that its signer must have. Raises OSError."""
    found = Verified()
    with open(path, "rb") as file:
        try:
            with zipfile.ZipFile(file) as bundle:
                _verify(bundle, found)
        except _UNREADABLE as error:
            found.problems.append(f"the file cannot be read as a bundle: {error}")
    if key and found.key and found.key != key.lower():
        found.problems.append(f"signed by another key: wanted {key.lower()}, got {found.key}")
    return found


def _verify(bundle: zipfile.ZipFile, found: Verified) -> None:
    body = _small(bundle, MANIFEST, found)
    signature = _small(bundle, SIGNATURE, found)
    if body is None or signature is None:
        return
    try:
        signed = json.loads(signature)
        public, mark = bytes.fromhex(signed["public_key"]), bytes.fromhex(signed["signature"])
    except (ValueError, KeyError, TypeError):
        found.problems.append(f"{SIGNATURE} was changed: it holds no signature")
        return
    found.key = fingerprint(public)
    if not is_signed(public, mark, body):
        found.problems.append(f"{MANIFEST} or {SIGNATURE} was changed: the signature does not fit")
        return
    manifest = json.loads(body)  # signed, so it is as it was written
    found.about, found.made_by, found.made_at = _about(manifest), manifest["made_by"], manifest["made_at"]
    wanted = {entry["name"]: entry for entry in manifest["files"]}
    names = bundle.namelist()
    found.problems += [f"{name} is missing" for name in wanted.keys() - set(names)]
    found.problems += [f"{name} was added" for name in set(names) - wanted.keys() - {MANIFEST, SIGNATURE}]
    found.problems += [f"{name} is there twice" for name in {n for n in names if names.count(n) > 1}]
    for name in sorted(wanted.keys() & set(names)):
        if _sha256(bundle, name, wanted[name]["bytes"]) != wanted[name]["sha256"]:
            found.problems.append(f"{name} was changed")


def _about(manifest: Mapping[str, Any]) -> str:
    if "case" in manifest:
        return f"case {manifest['case']!r} of {len(manifest['alert_ids'])} alerts"
    return f"alert {manifest['alert_id']}"


def _small(bundle: zipfile.ZipFile, name: str, found: Verified) -> bytes | None:
    try:
        with bundle.open(name) as file:
            return file.read(_SMALL)
    except KeyError:
        found.problems.append(f"{name} is missing")
    except _UNREADABLE:
        found.problems.append(f"{name} was changed")
    return None


def _sha256(bundle: zipfile.ZipFile, name: str, n_bytes: int) -> str:
    """Of what is in it, read no further than a byte beyond what it should be; "" when it cannot be read."""
    digest, left = hashlib.sha256(), n_bytes + 1
    try:
        with bundle.open(name) as file:
            while chunk := file.read(min(_CHUNK, left)):
                digest.update(chunk)
                left -= len(chunk)
    except _UNREADABLE:
        return ""
    return digest.hexdigest()
