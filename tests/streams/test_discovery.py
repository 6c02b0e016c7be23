"""Laws of discovery: a camera that answers on this network is listed, and what it says is shown harmless.

The network is one of this test's own (a Linux network namespace with multicast on its loopback), so that neither
the cameras of the house it runs in nor a machine without multicast changes what is found.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

_NETWORK = [
    "unshare", "--map-root-user", "--net", "sh", "-ec",
    "ip link set lo up; ip link set lo multicast on; ip addr add 192.0.2.1/24 dev lo; ip route add 239.0.0.0/8 dev lo\n"
    'exec "$@"', "sh",
]  # fmt: skip

# One device that really answers to multicast, in a process of its own: a publisher of the library holds one service.
_DEVICE = """
import sys
from wsdiscovery import QName, Scope
from wsdiscovery.publishing import ThreadedWSPublishing

namespace, name, *rest = sys.argv[1:]
scopes = [Scope(part) for part in rest if part.startswith("onvif")]
published = ThreadedWSPublishing()
published.start()
published.publishService([QName(namespace, name)], scopes, [part for part in rest if part.startswith("http")])
print("ready", flush=True)
input()
"""
_CAMERA = [
    "http://www.onvif.org/ver10/network/wsdl", "NetworkVideoTransmitter",
    "onvif://www.onvif.org/name/Gate%202%E2%80%AE", "onvif://www.onvif.org/hardware/X100",
    "http://192.0.2.7:8080/onvif/device_service?token=secret", "http://[2001:db8::7]/onvif/device_service",
]  # fmt: skip
_PRINTER = ["http://schemas.example.org/print", "Printer", "http://192.0.2.8/print"]

# An answer may be lost as any datagram may: asked again until somebody answers.
_FOUND = f"""
import dataclasses, json, subprocess, sys
from streams.discovery import discover

devices = [
    subprocess.Popen([sys.executable, "-c", {_DEVICE!r}, *told], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    for told in ({_CAMERA!r}, {_PRINTER!r})
]
assert [device.stdout.readline() for device in devices] == ["ready\\n"] * 2
try:
    found = next((found for _ in range(6) if (found := discover(3.0))), [])
finally:
    for device in devices:
        device.kill()
        device.communicate()
print(json.dumps([dataclasses.astuple(device) for device in found]))
"""


def test_cameras_that_answer_are_listed():
    """By address, with name and hardware; printers are not; no query, no character that turns a line."""
    if subprocess.run([*_NETWORK, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("this machine lets no process have a network of its own (unshare --net)")
    told = subprocess.run(
        [*_NETWORK, sys.executable, "-c", _FOUND], check=False, capture_output=True, text=True, timeout=120
    )
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout) == [
        ["192.0.2.7", "Gate 2?", "X100", "http://192.0.2.7:8080/onvif/device_service"],
        ["[2001:db8::7]", "Gate 2?", "X100", "http://[2001:db8::7]/onvif/device_service"],
    ]
