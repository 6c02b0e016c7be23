"""The script of a real RTSP server, run by Debian's own Python, which has GStreamer's bindings; see rtsp.py.

    gst_server.py PORT [--address A] [--user U --password P] [--certificate PEM] [--launch 'GST'] [--loss SHARE]

Serves the pipeline at /s and prints the bound port when ready. `--loss`: this share of the bunches of RTP
packets that leave the payloader (a picture's, as a rule) is never sent, so that numbers are missing in the row.
"""

from __future__ import annotations

import argparse
import os
import random
from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtspServer  # noqa: E402  # the versions come first

LIVE = (
    "( videotestsrc is-live=true ! video/x-raw,width=320,height=180,framerate=15/1"
    " ! x264enc tune=zerolatency key-int-max=15 ! rtph264pay name=pay0 pt=96 )"
)


def _serve() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port")
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--certificate")
    parser.add_argument("--launch", default=LIVE)
    parser.add_argument("--loss", type=float, default=0.0)
    told = parser.parse_args()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address(told.address)
    server.set_service(told.port)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(told.launch)
    factory.set_shared(True)
    if told.user or told.certificate:
        _protect(server, factory, told)
    if told.loss:
        factory.connect("media-configure", _lose, told.loss)
    server.get_mount_points().add_factory("/s", factory)
    server.attach(None)
    os.write(1, f"{server.get_bound_port()}\n".encode())
    GLib.MainLoop().run()


def _protect(server: Any, factory: Any, told: argparse.Namespace) -> None:
    auth = GstRtspServer.RTSPAuth()
    role = "user" if told.user else "anybody"
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", role)
    if told.user:
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(told.user, told.password), token)
    else:
        auth.set_default_token(token)
    if told.certificate:
        auth.set_tls_certificate(Gio.TlsCertificate.new_from_file(told.certificate))
    server.set_auth(auth)
    rights = GstRtspServer.RTSPPermissions()
    rights.add_permission_for_role(role, "media.factory.access", True)
    rights.add_permission_for_role(role, "media.factory.construct", True)
    factory.set_permissions(rights)


def _lose(_factory: Any, media: Any, share: float) -> None:
    dice = random.Random(1)  # noqa: S311  # the same losses every time

    def probe(_pad: Any, _info: Any) -> Any:
        return Gst.PadProbeReturn.DROP if dice.random() < share else Gst.PadProbeReturn.OK

    pad = media.get_element().get_by_name("pay0").get_static_pad("src")
    pad.add_probe(Gst.PadProbeType.BUFFER | Gst.PadProbeType.BUFFER_LIST, probe)


if __name__ == "__main__":
    _serve()
