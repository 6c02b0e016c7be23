"""RTSP cameras on loopback, for drills and tests: a real GStreamer server, and one that goes silent on purpose."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

SYSTEM_PYTHON = "/usr/bin/python3"
_SCRIPT = Path(__file__).resolve().with_name("gst_server.py")
_SDP = (
    "v=0\r\no=- 0 0 IP4 127.0.0.1\r\ns=t\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\na=control:*\r\n"
    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\n"
    "a=control:trackID=0\r\n"
)


def missing() -> str:
    """Why no GStreamer server can be started here, or ""."""
    if not Path(SYSTEM_PYTHON).exists():
        return f"no {SYSTEM_PYTHON}"
    probe = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
    done = subprocess.run([SYSTEM_PYTHON, "-c", probe], capture_output=True, check=False)
    return "" if done.returncode == 0 else "GStreamer's RTSP server is not installed"


def faketime_library() -> str:
    """Debian's libfaketime, or "" where it is not installed."""
    return next((str(path) for path in Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), "")


class GstServer:
    """A GStreamer RTSP server in a process of its own; its stream is at /s."""

    def __init__(  # noqa: PLR0913  each may be left out, and is named
        self,
        *,
        port: int = 0,
        address: str = "127.0.0.1",
        login: tuple[str, str] = ("", ""),
        launch: str = "",
        loss: float = 0.0,
        certificate: Path | None = None,
        clock: str = "",
    ) -> None:
        """`clock`: the time at which the server's clock stands at its start, as libfaketime takes it."""
        command = [SYSTEM_PYTHON, str(_SCRIPT), str(port), "--address", address, "--loss", str(loss)]
        if launch:
            command += ["--launch", launch]
        if certificate is not None:
            command += ["--certificate", str(certificate)]
        if login[0]:
            command += ["--user", login[0], "--password", login[1]]
        env = dict(os.environ)
        if clock:
            env |= {"LD_PRELOAD": faketime_library(), "FAKETIME": clock, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        host = f"[{address}]" if ":" in address else address
        self.url = f"{'rtsp' if certificate is None else 'rtsps'}://{host}:{self.port}/s"

    def kill(self) -> None:
        """End it at once, by its pid."""
        if self._process.poll() is None:
            os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> GstServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


@contextlib.contextmanager
def silent_camera(*, until_play: bool) -> Iterator[tuple[str, list[str]]]:
    """A peer that accepts and says nothing, or (`until_play`) answers up to PLAY and then sends nothing.

    Gives its URL and the list of request lines it has received.
    """
    requests: list[str] = []
    open_sockets: list[socket.socket] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            open_sockets.append(peer)
            threading.Thread(target=_talk, args=(peer, until_play, requests), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"rtsp://127.0.0.1:{listener.getsockname()[1]}/s", requests
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for peer in open_sockets:
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)
            peer.close()


def _talk(peer: socket.socket, answers: bool, requests: list[str]) -> None:
    text = ""
    while True:
        try:
            data = peer.recv(65536)
        except OSError:
            return
        if not data:
            return
        text += data.decode("latin1")
        while "\r\n\r\n" in text:
            head, text = text.split("\r\n\r\n", 1)
            lines = head.split("\r\n")
            requests.append(lines[0])
            if answers:
                number = next((line.split(":")[1].strip() for line in lines if line.startswith("CSeq")), "0")
                with contextlib.suppress(OSError):  # it has been closed meanwhile
                    peer.sendall(_answer(lines[0].split()[0], number))


def _answer(method: str, number: str) -> bytes:
    heads = {
        "OPTIONS": "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n",
        "DESCRIBE": f"Content-Type: application/sdp\r\nContent-Length: {len(_SDP)}\r\n",
        "SETUP": "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1;timeout=60\r\n",
    }
    body = _SDP if method == "DESCRIBE" else ""
    head = heads.get(method, "Session: 1\r\n")
    return f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\n{head}\r\n{body}".encode()


def write_certificate(path: Path) -> Path:
    """A key and a certificate for 127.0.0.1 that nobody but its owner has signed, in one file."""
    key = path.with_suffix(".key")
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=127.0.0.1",
    ]
    made += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(path)]
    subprocess.run(made, check=True, capture_output=True)
    path.write_text(path.read_text() + key.read_text())
    return path
