"""The commands `watchpost bench ...` and `watchpost drill ...`. They hold no logic of their own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from detector.errors import ConfigError
from terminal import Bars, JsonOut, err, stop_on_signals, table_console

if TYPE_CHECKING:
    from benchmarks.drills import DrillReport
    from benchmarks.report import Report

bench_app = typer.Typer(
    no_args_is_help=True, help="Benchmarks; each prints one table and, with --json, one object."
)
drill_app = typer.Typer(
    no_args_is_help=True, help="Drills: what happens when things go wrong, on this machine."
)


@bench_app.command("accuracy")
def bench_accuracy(
    *,
    json_out: JsonOut = None,
    only: Annotated[
        str,
        typer.Option(
            help="Comma list: detection, tracking, pairs, groups, gathering, handoff; or longer names."
        ),
    ] = "",
    report_out: Annotated[
        Path | None,
        typer.Option("--report", help="Write one HTML page: tables, curves, pictures of mistakes."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="The labelled data; else $WATCHPOST_DATA.", envvar="WATCHPOST_DATA")
    ] = None,
    footage: Annotated[
        Path | None, typer.Option(help="Score a folder of your own recordings or tracks.")
    ] = None,
    labels: Annotated[Path | None, typer.Option(help="What happens in them: CSV, see README.")] = None,
    config: Annotated[Path, typer.Option("--config", "-c", help="The site file with their rules.")] = Path(
        "watchpost.toml"
    ),
    camera: Annotated[str | None, typer.Option(help="Whose zones and rules; else the first camera.")] = None,
) -> None:
    """Detection, tracking, groups and gatherings against labels, beside peers in the same run."""
    from benchmarks.accuracy import accuracy
    from benchmarks.own_footage import own_footage
    from benchmarks.page import write_page
    from streams.config import load_site

    if footage is not None and labels is not None:
        with Bars() as show:
            own = own_footage(footage, labels, load_site(config), camera, show)
        own.show(table_console(json_out))
        if json_out:
            own.write(json_out)
        return
    if footage is not None or labels is not None:
        raise ConfigError(
            "half of what is needed", where="bench accuracy", wanted="--footage DIR and --labels FILE"
        )

    if data is None:
        raise ConfigError(
            "no labelled data",
            where="WATCHPOST_DATA",
            wanted="the folder that holds it (see README, Figures)",
            todo="Set it, or give --data",
        )
    report = accuracy(data, {part for part in only.split(",") if part} or None, console=err)
    report.show(table_console(json_out))
    if report_out:
        write_page(report, report_out)
    if json_out:
        report.write(json_out)


@bench_app.command("odd-videos")
def bench_odd_videos(
    json_out: JsonOut = None,
    folder: Annotated[
        Path | None, typer.Option(help="Folder of video files; else $WATCHPOST_DATA/odd_videos.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="The data folder.", envvar="WATCHPOST_DATA")] = None,
) -> None:
    """Broken and unusual recordings through the reader: what is decoded, and what is said of each."""
    from benchmarks.odd_videos import odd_videos

    if folder is None and data is None:
        raise ConfigError("no videos", where="--folder", wanted="a folder of video files, or WATCHPOST_DATA")
    with Bars() as show:
        report = odd_videos(folder or Path(str(data)) / "odd_videos", show)
    _hand_over(report, json_out)


@bench_app.command("clips")
def bench_clips(
    json_out: JsonOut = None,
    rounds: Annotated[int, typer.Option(min=1, help="How often it is written; the median is quoted.")] = 20,
) -> None:
    """What a clip of 12 s costs, copied out of the packet ring, beside one that is encoded anew."""
    from benchmarks.clip_cost import clip_cost

    with Bars() as show:
        report = clip_cost(rounds, show)
    _hand_over(report, json_out)


@bench_app.command("throughput")
def bench_throughput(
    json_out: JsonOut = None,
    rounds: Annotated[int, typer.Option(help="Rounds, ours and the peer in turn; medians are quoted.")] = 3,
    video: Annotated[Path | None, typer.Option(help="A recording; else the sample footage.")] = None,
) -> None:
    """`replay` against `ultralytics` track() on the same file and network, in turn."""
    from benchmarks.throughput import throughput

    with Bars() as show:
        report = throughput(video, rounds, show)
    _hand_over(report, json_out)


@bench_app.command("tracker")
def bench_tracker(
    json_out: JsonOut = None,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds, all in turn; medians are quoted.")] = 5,
) -> None:
    """What a picture costs the tracker at 20 and 60 boxes, beside `trackers` and ultralytics."""
    from benchmarks.tracker_cost import tracker_cost

    with Bars() as show:
        report = tracker_cost(rounds, show)
    _hand_over(report, json_out)


@bench_app.command("pairs")
def bench_pairs(
    json_out: JsonOut = None,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds, all in turn; medians are quoted.")] = 3,
    threads: Annotated[int, typer.Option(min=0, help="Of the pose network; 0: as in a worker.")] = 0,
) -> None:
    """What 0, 1 and 5 close pairs cost in processor time."""
    from benchmarks.pair_cost import pair_cost

    with Bars() as show:
        report = pair_cost(rounds, show, threads)
    _hand_over(report, json_out)


@bench_app.command("api")
def bench_api(
    *,
    json_out: JsonOut = None,
    database: Annotated[
        str | None, typer.Option(help="Address of an empty PostgreSQL database; else a new SQLite file.")
    ] = None,
    connections: Annotated[int, typer.Option(min=1, help="That post at once.")] = 64,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long each part posts.")] = 10.0,
    listeners: Annotated[int, typer.Option(min=1, help="Open feeds.")] = 1000,
    per_s: Annotated[float, typer.Option("--rate", min=0.1, help="Alerts a second told to them.")] = 2.0,
    alerts: Annotated[int, typer.Option(min=1000, help="In the table whose lists are read.")] = 1_000_000,
) -> None:
    """Load on a service of its own: posts a second, time to each listener, pages of a long list."""
    from pydantic import SecretStr

    from benchmarks.service_load import Load, service_load

    load = Load(connections, seconds, listeners, per_s, alerts)
    with Bars() as show:
        report = service_load(load, SecretStr(database) if database else None, stop_on_signals(), show)
    _hand_over(report, json_out)


@drill_app.command("kills")
def drill_kills(
    n: Annotated[
        int, typer.Option("--n", min=1, help="How many kills, of worker and service in turn.")
    ] = 200,
    seed: Annotated[int, typer.Option(help="Draws the moments.")] = 1,
    json_out: JsonOut = None,
) -> None:
    """SIGKILL of worker and service at random moments of an alert stream; exit code 1 if not exactly once."""
    from benchmarks.kills import kills

    with Bars() as show:
        report = kills(n, seed, stop_on_signals(), show)
    _hand_over(report, json_out)
    if not report.verdict.right:
        raise typer.Exit(1)


@drill_app.command("soak")
def drill_soak(
    minutes: Annotated[float, typer.Option(min=0.1, help="How long.")] = 10.0,
    json_out: JsonOut = None,
) -> None:
    """Bad RTSP cameras on a real worker: frames, drops, memory, descriptors, threads, time to reconnect."""
    from benchmarks.soak import soak

    with Bars() as show:
        report = soak(minutes, stop_on_signals(), show)
    _hand_over(report, json_out)
    if not report.verdict.right:
        raise typer.Exit(1)


def _hand_over(report: Report | DrillReport, json_out: Path | None) -> None:
    """Show a report, and write it where it is wanted."""
    report.show(table_console(json_out))
    if json_out:
        report.write(json_out)
