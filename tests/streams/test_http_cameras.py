"""Laws of cameras over HTTP: Motion JPEG and HLS are read as live cameras, with login, with true rates."""

from __future__ import annotations

import base64
import io
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image
from support.footage import picture, write_video
from support.reading import live_camera, run, times

from api.schemas import CameraState
from detector.errors import SourceUnreachable, Trouble
from streams.address import address_of
from streams.config import Camera
from streams.feed import Clock
from streams.link import Limits
from streams.source import open_source

LOGIN = ("u", "p@ss:w/rd#1?%")
FPS = 10


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """An HTTP server on loopback; gives its root."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def mjpeg_camera(n: int, then_silent: bool = False) -> type[BaseHTTPRequestHandler]:
    """A camera that wants a login and sends `n` JPEGs at a steady rate, then closes or says nothing."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = "Basic " + base64.b64encode(":".join(LOGIN).encode()).decode()
            if self.headers.get("Authorization") != wanted:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="camera"')
                self.end_headers()
                return
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            gone = threading.Event()
            for i in range(n):
                out = io.BytesIO()
                Image.fromarray(picture(160, 120, i)).save(out, "JPEG")
                body = out.getvalue()
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n\r\n"
                try:
                    self.wfile.write(head.encode() + body + b"\r\n")
                except OSError:
                    return
                gone.wait(1 / FPS)
            if then_silent:
                gone.wait(20.0)

        def log_message(self, *_: object) -> None: ...

    return Handler


def camera(url: str, user: str = "", password: str = "") -> Camera:
    told = live_camera("rtsp://unused/s")
    return Camera(
        id=told.id, name=told.name, address=address_of(url, user, password, Path()), analyse_fps=60.0
    )


def test_a_motion_jpeg_camera_is_read_with_its_login() -> None:
    """Times come from arrival, since it tells none; its end is a lost connection."""
    with serving(mjpeg_camera(40)) as root:
        running = run(camera(f"{root}/video", *LOGIN), clock=Clock())
        running.take_until(lambda: len(running.stamps) >= 30)
        lost = running.wait_state(CameraState.OFFLINE)
        running.stop()
    assert lost.trouble is Trouble.LOST
    seen = times(running.stamps)
    assert seen == sorted(set(seen))
    assert (seen[29] - seen[5]) / 24 == pytest.approx(1 / FPS, rel=0.5)
    assert (running.stamps[0].width, running.stamps[0].height) == (160, 120)


def test_a_motion_jpeg_camera_refuses_a_wrong_login() -> None:
    """Told as such, without the login."""
    with serving(mjpeg_camera(5)) as root, pytest.raises(SourceUnreachable, match="was refused") as caught:
        open_source(address_of(f"{root}/video", "u", "wr0ng", Path()))
    assert caught.value.trouble is Trouble.AUTH_FAILED
    assert "wr0ng" not in str(caught.value)


def test_a_motion_jpeg_camera_that_falls_silent_is_given_up() -> None:
    """The connection stays open and nothing comes: offline with "no data"; a stop does not wait."""
    with serving(mjpeg_camera(5, then_silent=True)) as root:
        running = run(camera(f"{root}/video", *LOGIN), clock=Clock(), limits=Limits(silence_s=1.0))
        running.wait_state(CameraState.ONLINE)
        assert running.wait_state(CameraState.OFFLINE).trouble is Trouble.NO_DATA
        assert running.stop() < 5.0


def test_an_hls_stream_is_read(tmp_path: Path) -> None:
    """A playlist of segments: every picture, in order; a list that is finished is the end of the stream."""
    whole = write_video(tmp_path / "a.mp4", n=60, fps=FPS, gop=10)
    folder = tmp_path / "hls"
    folder.mkdir()
    command = ["ffmpeg", "-v", "error", "-i", str(whole), "-c", "copy", "-f", "hls", "-hls_time", "1"]
    subprocess.run([*command, "-hls_list_size", "0", str(folder / "live.m3u8")], check=True)

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(folder))  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None: ...

    with serving(Handler) as root:
        running = run(camera(f"{root}/live.m3u8"), clock=Clock())
        running.take_until(lambda: len(running.stamps) >= 60)
        running.stop()
    assert times(running.stamps[:60]) == [round(i / FPS, 3) for i in range(60)]


def test_an_hls_list_that_leads_elsewhere_is_not_followed(tmp_path: Path) -> None:
    """A playlist may name any address; files of this machine are not among those that are read."""
    whole = write_video(tmp_path / "a.ts", n=20)
    (tmp_path / "evil.m3u8").write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile://{whole}\n#EXT-X-ENDLIST\n"
    )

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(tmp_path))  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None: ...

    with serving(Handler) as root:
        running = run(camera(f"{root}/evil.m3u8"), clock=Clock(), limits=Limits(silence_s=2.0))
        assert running.wait_state(CameraState.OFFLINE).trouble is not Trouble.NONE
        running.stop()
    assert running.stamps == []
