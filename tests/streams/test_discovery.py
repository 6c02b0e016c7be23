"""Laws of discovery: a camera that answers on this network is listed, and what it says is shown harmless."""

from __future__ import annotations

import subprocess
import sys

import pytest

from streams.discovery import Device, discover

# Two devices that really answer to multicast on this machine, in a process of their own: a camera and a printer.
PUBLISHED = """
from wsdiscovery import QName, Scope
from wsdiscovery.publishing import ThreadedWSPublishing

published = ThreadedWSPublishing()
published.start()
published.publishService(
    types=[QName("http://www.onvif.org/ver10/network/wsdl", "NetworkVideoTransmitter")],
    scopes=[
        Scope("onvif://www.onvif.org/name/Gate%202%E2%80%AE"),
        Scope("onvif://www.onvif.org/hardware/X100"),
    ],
    xAddrs=[
        "http://192.0.2.7:8080/onvif/device_service?token=secret",
        "http://[2001:db8::7]/onvif/device_service",
    ],
)
published.publishService(
    types=[QName("http://schemas.example.org/print", "Printer")], scopes=[], xAddrs=["http://192.0.2.8/print"]
)
print("ready", flush=True)
input()
"""


@pytest.fixture
def network():
    process = subprocess.Popen(
        [sys.executable, "-c", PUBLISHED],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.communicate()


def test_cameras_that_answer_are_listed(network):
    """By address, with name and hardware; printers are not; no query, no character that turns a line."""
    assert network.poll() is None
    assert discover(3.0) == [
        Device("192.0.2.7", "Gate 2?", "X100", "http://192.0.2.7:8080/onvif/device_service"),
        Device("[2001:db8::7]", "Gate 2?", "X100", "http://[2001:db8::7]/onvif/device_service"),
    ]
