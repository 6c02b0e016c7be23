"""Laws of the soak: what it reads and computes is right, and a short one of it is right as a whole."""

from __future__ import annotations

import os
import subprocess
import threading

import pytest
from typer.testing import CliRunner

import benchmarks.soak
import watchpost
from benchmarks.drills import DrillReport
from benchmarks.ledger import Verdict
from benchmarks.report import Report
from benchmarks.rtsp import missing
from benchmarks.soak import AWAY_S, EVERY_S, Dying, Use, figures_of, soak, use_of
from detector.errors import ConfigError


def uses(memory_mb, n_descriptors=lambda second: 20, n=600):
    return [Use(second, memory_mb(second), n_descriptors(second), 15) for second in range(n)]


def test_a_leak_shows_as_a_slope_and_the_start_does_not():
    """36 MB an hour is told as such; what is allocated in the first fifth of the time is no slope."""
    leak = figures_of(uses(lambda second: 200 + second / 100))
    assert leak["memory_slope_mb_per_h"] == pytest.approx(36)
    assert leak["memory_slope_2nd_half_mb_per_h"] == pytest.approx(36)
    assert leak["memory_mb_max"] == pytest.approx(206, abs=0.1)
    assert figures_of(uses(lambda second: min(200, 2 * second)))["memory_slope_mb_per_h"] == 0


def test_a_heap_that_has_found_its_size_shows_in_the_second_half():
    """Growth that ends after 4 of 10 minutes is a slope of the whole and none of the second half."""
    steps = figures_of(uses(lambda second: min(240, second)))
    assert steps["memory_slope_mb_per_h"] > 10
    assert steps["memory_slope_2nd_half_mb_per_h"] == pytest.approx(0, abs=0.05)


def test_descriptors_are_compared_at_both_ends():
    """One that is left open every minute is seen; one that is open for a moment is only the most there were."""
    leak = figures_of(uses(lambda _: 200, lambda second: 20 + second // 60))
    assert leak["descriptors_last"] - leak["descriptors_first"] >= 5
    moment = figures_of(uses(lambda _: 200, lambda second: 20 + 5 * (second == 300)))
    assert (moment["descriptors_first"], moment["descriptors_last"], moment["descriptors_max"]) == (
        20,
        20,
        25,
    )


def test_a_single_sample_is_enough():
    """A soak that was over at once has figures, and no slope."""
    assert figures_of(uses(lambda _: 200, n=1))["memory_slope_mb_per_h"] == 0


def test_use_is_read_of_the_process(tmp_path):
    """One more open file and one more thread are one more each."""
    before = use_of(os.getpid(), 0.0)
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    with (tmp_path / "file").open("w"):
        now = use_of(os.getpid(), 1.0)
    done.set()
    thread.join()
    assert now.n_descriptors == before.n_descriptors + 1
    assert now.n_threads == before.n_threads + 1
    assert now.memory_mb > 10


class Servers:
    """Stands for GstServer; counts lives."""

    port = 1

    def __init__(self):
        self.n_running = self.n_started = 0

    def __call__(self, **_):
        self.n_running += 1
        self.n_started += 1
        return self

    def kill(self):
        self.n_running = 0


def test_the_dying_camera_dies_returns_and_is_timed(monkeypatch):
    """Away for 3 s every 30 s; the time runs from its return to its next picture, not to an older one."""
    servers = Servers()
    monkeypatch.setattr(benchmarks.soak, "GstServer", servers)
    dying = Dying("launch", 0.0)
    dying.step(EVERY_S - 0.1, 1)
    assert (dying.n_deaths, servers.n_running) == (0, 1)
    dying.step(EVERY_S, 1)
    assert (dying.n_deaths, servers.n_running) == (1, 0)
    dying.step(EVERY_S + AWAY_S, 2)  # a picture that was still on its way
    assert (servers.n_started, servers.n_running) == (2, 1)
    dying.step(EVERY_S + AWAY_S + 1.5, 2)
    assert dying.reconnects_s == []
    dying.step(EVERY_S + AWAY_S + 2.5, 3)
    dying.step(EVERY_S + AWAY_S + 9.0, 3)
    assert dying.reconnects_s == [2.5]
    dying.step(2 * EVERY_S, 3)
    dying.step(2 * EVERY_S + AWAY_S, 3)
    dying.step(3 * EVERY_S, 3)  # dead again before it was seen
    dying.step(3 * EVERY_S + AWAY_S, 3)
    assert (dying.n_deaths, dying.reconnects_s) == (3, [2.5])
    dying.end()
    assert servers.n_running == 0


def test_without_a_server_the_user_is_told_what_to_install(monkeypatch):
    """No GStreamer: a ConfigError that names the packages, before anything starts."""
    monkeypatch.setattr(benchmarks.soak, "missing", lambda: "not installed")
    with pytest.raises(ConfigError, match=r"not installed.*gst-rtsp-server"):
        soak(1, threading.Event(), lambda *_: None)


def test_the_command_fails_when_something_is_wrong(monkeypatch, tmp_path):
    """A camera in the wrong state is printed and gives exit code 1."""
    report = DrillReport(Verdict(strange=["camera steady is offline"]), Report([], {}, "unknown"), tmp_path)
    monkeypatch.setattr(benchmarks.soak, "soak", lambda *_: report)
    monkeypatch.setattr("benchmarks.commands.stop_on_signals", threading.Event)
    done = CliRunner().invoke(watchpost.app, ["drill", "soak", "--minutes", "1"])
    assert done.exit_code == 1
    assert "strange: camera steady is offline" in done.output


@pytest.mark.rtsp
@pytest.mark.skipif(bool(missing()), reason="needs GStreamer's RTSP server")
def test_a_short_soak_is_right(tmp_path, monkeypatch):
    """Real servers, worker and service: the dying camera is seen again, alerts come once, nothing is left (ING-06)."""
    monkeypatch.setattr(benchmarks.soak, "EVERY_S", 7.0)
    monkeypatch.setattr(benchmarks.soak, "AWAY_S", 0.5)
    told = []
    done = soak(0.25, threading.Event(), lambda *one: told.append(one), tmp_path)
    assert done.verdict == Verdict()
    figures = {figure.name.removeprefix("drill.soak."): figure.value for figure in done.report.figures}
    assert (figures["lost"], figures["duplicated"]) == (0, 0)
    assert figures["alerts"] >= 2
    assert figures["deaths"] >= 1
    assert figures["reconnects"] >= 1
    assert figures["mute.decoded"] == 0
    assert min(figures[f"{name}.analysed"] for name in ("steady", "lossy", "dying")) > 0
    assert figures["memory_mb_max"] > 50
    assert told[-1] == ("soak, seconds", 15, 15)
    assert not done.folder.exists()
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(tmp_path) not in listed
