"""An evidence bundle is whole as it was exported, and whatever is changed in it is found."""

from __future__ import annotations

import hashlib
import io
import json
import random
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from support.api import Api

from api.bundle import Verified, verify_bundle
from api.schemas import MediaKind
from api.signing import FILE, fingerprint, load_key
from detector.errors import StorageError
from detector.types import Phase

pytestmark = pytest.mark.anyio
CLIP = random.Random(1).randbytes(50_000)


async def export(api: Api, tmp_path: Path) -> Path:
    """A bundle of an alert with a clip, a snapshot, a missing overlay, two phases and a verdict."""
    alert_id = (await api.send(1)).json()["alert_id"]
    await api.send(1, Phase.CLOSED, 1)
    for kind, data in (("clip", CLIP), ("snapshot", b"jpeg")):
        span = {"start_t": 1.0, "duration_s": 2.0} if kind == "clip" else {}
        headers = {"X-Content-SHA256": hashlib.sha256(data).hexdigest()}
        path = f"/alerts/{alert_id}/media/{kind}"
        assert (await api.worker.put(path, params=span, content=data, headers=headers)).is_success
    await api.worker.put(f"/alerts/{alert_id}/media/overlay/missing", json={"reason": "disk full"})
    operator = await api.log_in()
    await operator.post(f"/alerts/{alert_id}/verdict", json={"verdict": "true", "note": "two of them, ü"})
    answer = await operator.get(f"/alerts/{alert_id}/bundle")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    assert int(answer.headers["content-length"]) == len(answer.content)
    bundle = tmp_path / "bundle.zip"
    bundle.write_bytes(answer.content)
    return bundle


def changed(bundle: Path, **files: bytes | None) -> Verified:
    """The verdict on a bundle in which some files are others, or gone; `__` in a name is a dot."""
    new = {name.replace("__", "."): data for name, data in files.items()}
    with zipfile.ZipFile(bundle) as old:
        held = {name: old.read(name) for name in old.namelist()} | new
    other = bundle.with_name("other.zip")
    with zipfile.ZipFile(other, "w") as out:
        for name, data in held.items():
            if data is not None:
                out.writestr(name, data)
    return verify_bundle(other)


async def test_a_bundle_holds_everything_and_is_whole(api: Api, tmp_path: Path) -> None:
    """Alert with history and verdict, clip, snapshot; what is missing and why; signed by the service's key."""
    bundle = await export(api, tmp_path)
    found = verify_bundle(bundle)
    assert found.problems == []
    assert found.made_by == "operator"
    assert found.key == fingerprint(api.service.signing.public)
    with zipfile.ZipFile(bundle) as held:
        assert held.read("clip.mp4") == CLIP
        alert = json.loads(held.read("alert.json"))
        manifest = json.loads(held.read("manifest.json"))
    assert [one["phase"] for one in alert["history"]] == ["opened", "closed"]
    assert alert["verdicts"][0]["note"] == "two of them, ü"
    assert manifest["not_there"] == {MediaKind.OVERLAY.value: "disk full"}


async def test_what_was_changed_is_named(api: Api, tmp_path: Path) -> None:
    """A changed, missing or added file is told by its name; a manifest made to fit has no signature that fits."""
    bundle = await export(api, tmp_path)
    assert changed(bundle).whole
    assert changed(bundle, clip__mp4=CLIP[:-1] + b"x").problems == ["clip.mp4 was changed"]
    assert changed(bundle, clip__mp4=CLIP + b"x").problems == ["clip.mp4 was changed"]
    assert changed(bundle, alert__json=b"{}").problems == ["alert.json was changed"]
    assert changed(bundle, snapshot__jpg=None).problems == ["snapshot.jpg is missing"]
    assert changed(bundle, more__txt=b"").problems == ["more.txt was added"]
    assert changed(bundle, manifest__json=None).problems == ["manifest.json is missing"]
    with zipfile.ZipFile(bundle) as held:
        forged = held.read("manifest.json").replace(b'"operator"', b'"nobody"')
    assert "signature does not fit" in changed(bundle, manifest__json=forged).problems[0]


async def test_any_byte_that_matters_is_found(api: Api, tmp_path: Path) -> None:
    """Whatever byte of the file is changed: it is refused, or every file in it still has the same content."""
    bundle = await export(api, tmp_path)
    data = bundle.read_bytes()
    with zipfile.ZipFile(bundle) as held:
        wanted = {name: held.read(name) for name in held.namelist()}
    draw = random.Random(2)
    heads = [*range(200), *range(len(data) - 900, len(data))]
    n_refused = 0
    for place in [*heads, *(draw.randrange(len(data)) for _ in range(400))]:
        broken = bytearray(data)
        broken[place] ^= 1 << draw.randrange(8)
        bundle.write_bytes(broken)
        if verify_bundle(bundle).whole:
            with zipfile.ZipFile(io.BytesIO(broken)) as held:
                assert {name: held.read(name) for name in held.namelist()} == wanted
        else:
            n_refused += 1
    assert n_refused > 400


async def test_the_command_line_says_it(api: Api, tmp_path: Path) -> None:
    """`watchpost verify` ends with 0 for a whole bundle, 1 for a changed one and for another's key."""
    bundle = await export(api, tmp_path)
    key = fingerprint(api.service.signing.public)

    def verify(*words: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "watchpost", "verify", str(bundle), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    assert verify("--key", key)[0] == 0
    code, text = verify("--key", "0" * 64)
    assert (code, "another key" in text) == (1, True)
    data = bytearray(bundle.read_bytes())
    data[data.index(CLIP) + 25_000] ^= 1
    bundle.write_bytes(data)
    assert verify() == (1, "clip.mp4 was changed\n")
    bundle.write_bytes(b"no zip")
    assert verify()[0] == 1


async def test_the_key_is_made_once_and_is_the_services_own(tmp_path: Path) -> None:
    """Two folders have two keys; one keeps its key, readable by its owner only; a broken one is told, not replaced. (SEC-05)"""
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    assert load_key(one).public == load_key(one).public != load_key(two).public
    assert stat.S_IMODE((one / FILE).stat().st_mode) == 0o600
    (one / FILE).write_text("broken")
    with pytest.raises(StorageError, match="signing key"):
        load_key(one)
    assert (one / FILE).read_text() == "broken"


async def test_who_may_export(api: Api, tmp_path: Path) -> None:
    """A viewer may not, and an unknown alert is 404."""
    alert_id = (await api.send(1)).json()["alert_id"]
    viewer, operator = await api.log_in("viewer"), await api.log_in("operator")
    assert (await viewer.get(f"/alerts/{alert_id}/bundle")).status_code == 403
    assert (await operator.get(f"/alerts/{alert_id[:-1]}0/bundle")).status_code == 404
    assert (await operator.get(f"/alerts/{alert_id}/bundle")).status_code == 200
