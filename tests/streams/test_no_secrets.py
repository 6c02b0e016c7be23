"""Nothing that leaves the worker for people's eyes holds a camera's login or the path of its address."""

from __future__ import annotations

import base64
import logging
import re
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

import av
import httpx
import pytest
from support.running import File, Running
from support.sink import TOKEN, Sink
from support.site import RULE, camera, gathering, write_network

from streams.config import load_site

USER, PASSWORD, WAY = "viewer-7h", "p@ss w0rd/&?x", "hidden-way-31"
SOON_S = 25.0
DUR_S = 8


class Camera:
    """An HTTP camera: first it is broken, then it gives the film, then it refuses the login."""

    def __init__(self, film):
        self.answers = [500, 200]
        self.film = film.read_bytes()
        self.seen = []
        self.closed = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.place = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self):
        self.closed.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def _handler(camera):
    class Handler(BaseHTTPRequestHandler):
        timeout = 5

        def do_GET(self):
            wanted = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            right = self.headers.get("Authorization") == wanted and WAY in self.path
            status = (camera.answers.pop(0) if camera.answers else 401) if right else 401
            camera.seen.append(status)
            self.send_response(status)
            if status == 401:
                self.send_header("WWW-Authenticate", f'Basic realm="{WAY}"')
            self.send_header("Content-Length", str(len(camera.film) if status == 200 else 0))
            self.end_headers()
            if status == 200:
                step = len(camera.film) // (10 * DUR_S)
                for at in range(0, len(camera.film), step):  # at the pace of a camera
                    self.wfile.write(camera.film[at : at + step])
                    if camera.closed.wait(0.1):
                        return

        def log_message(self, format, *args):
            pass

    return Handler


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A gathering as a transport stream, so that it can be read as it comes."""
    folder = tmp_path_factory.mktemp("films")
    with (
        av.open(str(gathering(folder / "in.mp4", DUR_S))) as source,
        av.open(str(folder / "in.ts"), "w") as out,
    ):
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    return folder / "in.ts"


@pytest.fixture
def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def test_a_login_is_never_told(tmp_path, monkeypatch, film, caplog, free_port):
    """Through failure, refusal, success and a fault of the file: no log line, metric or heartbeat has it."""
    monkeypatch.setenv("WATCHPOST_NETWORKS", str(write_network(tmp_path / "networks")))
    monkeypatch.setenv("WATCHPOST_TOKEN", TOKEN)
    monkeypatch.setattr("streams.sitefile.LOOK_S", 0.1)
    caplog.set_level(logging.DEBUG)
    device, sink = Camera(film), Sink()
    yard = camera(
        "yard",
        f"http://{device.place}/{WAY}/live.ts?key={WAY}",
        user=USER,
        password=PASSWORD,
        rules=[RULE | {"hold_s": 2.0}],
    )
    file = File(tmp_path, sink.url, metrics_listen=f"127.0.0.1:{free_port}")
    worker = Running(load_site(file.write(yard)))
    pages = []

    def reasons():
        return {one["reason"] for beat in sink.beats for one in beat["cameras"]}

    def scrape():
        pages.append(httpx.get(f"http://127.0.0.1:{free_port}/metrics").text)

    try:
        assert sink.wait_for(lambda: sink.alerts, SOON_S)
        scrape()
        assert sink.wait_for(lambda: any("login was refused" in reason for reason in reasons()), SOON_S)
        scrape()
        wrong = {"id": "gate", "source": f"gopher://{WAY}"}
        file.write(yard | {"password": ["not", PASSWORD]}, wrong)
        assert sink.wait_for(lambda: any("site file" in reason for reason in reasons()), SOON_S)
        scrape()
    finally:
        worker.stop.set()
        worker.end(20)
        device.close()
        sink.close()
    assert {500, 401, 200} <= set(device.seen)
    told = caplog.text + "".join(pages) + str(sink.beats) + str(sink.cameras) + str(sink.alerts)
    assert "yard" in "".join(pages)
    for secret in (USER, PASSWORD, quote(PASSWORD, safe=""), quote(PASSWORD), WAY, TOKEN):
        assert secret not in told
    assert base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode() not in told
    ours = ("streams.reader", "streams.analysis", "streams.recorder", "streams.roster")
    lines = [record.getMessage() for record in caplog.records if record.name in ours]
    assert len(lines) > 5
    assert [line for line in lines if not re.search(r"camera_id=(yard|gate)\b", line)] == []
