"""A real mosquitto on loopback, and a client that hears everything on it."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import paho.mqtt.client as paho
import pytest

_PATH = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin:/opt/homebrew/sbin"


@dataclass(slots=True)
class Broker:
    """What was published, in order; `start` and `stop` the server, which keeps its port."""

    port: int
    config: Path
    process: subprocess.Popen[bytes] | None = None
    came: list[tuple[str, bytes, bool]] = field(default_factory=list)  # topic, payload, retained from before
    client: paho.Client | None = None

    def start(self) -> None:
        server = shutil.which("mosquitto", path=_PATH)
        assert server is not None
        self.process = subprocess.Popen([server, "-c", str(self.config)], stderr=subprocess.DEVNULL)
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                assert self.process.poll() is None, "mosquitto did not start"
                continue
            return

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait()
            self.process = None

    def listen(self) -> None:
        """Hear anew: what is published from now on, and what is retained."""
        self.leave()
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        self.client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self.client.on_message = lambda _c, _u, m: self.came.append((m.topic, m.payload, bool(m.retain)))
        self.client.username_pw_set("watchpost", "MQTTSECRET")
        self.client.connect("127.0.0.1", self.port)
        self.client.loop_start()

    def payloads(self, topic: str) -> list[bytes]:
        return [payload for name, payload, _ in self.came if name == topic]

    def leave(self) -> None:
        if self.client is not None:
            self.client.disconnect()
            self.client.loop_stop()

    def close(self) -> None:
        self.leave()
        self.stop()


@contextmanager
def broker(folder: Path) -> Iterator[Broker]:
    """A broker that wants the login watchpost / MQTTSECRET; skips where mosquitto is not installed."""
    if shutil.which("mosquitto", path=_PATH) is None:
        pytest.skip("mosquitto is not installed")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    passwords, config = folder / "passwords", folder / "mosquitto.conf"
    passwords.write_text("watchpost:MQTTSECRET\n")
    passwords.chmod(0o600)
    subprocess.run(["mosquitto_passwd", "-U", str(passwords)], check=True)
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {passwords}\nuser root\n"
    )
    own = Broker(port, config)
    own.start()
    try:
        own.listen()
        yield own
    finally:
        own.close()
