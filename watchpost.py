"""The one command line. It composes the packages and holds no logic of its own.

Exit codes: 0 done, 1 any other error, 2 configuration, 3 network (model), 4 camera or file, 5 disk, 6 alert API, 130 interrupted.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from detector.errors import ConfigError, SourceError, WatchError

if TYPE_CHECKING:
    from api.db.store import Store

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
models_app = typer.Typer(no_args_is_help=True, help="Networks: fetch, export, list.")
users_app = typer.Typer(no_args_is_help=True, help="Who may log in, and the workers' tokens.")
bench_app = typer.Typer(
    no_args_is_help=True, help="Benchmarks; each prints one table and, with --json, one object."
)
cameras_app = typer.Typer(no_args_is_help=True, help="Try a camera, find cameras.")
app.add_typer(cameras_app, name="cameras")
audit_app = typer.Typer(no_args_is_help=True, help="Who did what: the audit of the service.")
app.add_typer(models_app, name="models")
app.add_typer(audit_app, name="audit")
app.add_typer(users_app, name="users")
drill_app = typer.Typer(
    no_args_is_help=True, help="Drills: what happens when things go wrong, on this machine."
)
app.add_typer(bench_app, name="bench")
app.add_typer(drill_app, name="drill")

out = Console(width=None if sys.stdout.isatty() else 160)
err = Console(stderr=True)

DataDir = Annotated[Path | None, typer.Option(help="Folder of the service's data; else $WATCHPOST_DATA_DIR.")]
JsonOut = Annotated[
    Path | None, typer.Option("--json", help="Write one JSON object here ('-': standard output).")
]
SiteFile = Annotated[Path, typer.Option("--config", "-c", help="The site file (watchpost.toml).")]


class Bars:
    """Progress bars on standard error, one for each word of what is being done."""

    def __init__(self) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[count]}"),
            TimeRemainingColumn(),
        )
        self._progress = Progress(*columns, console=err)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Callable[[str, int, int], None]:
        self._progress.start()
        return self.show

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, what: str, done: int, total: int) -> None:
        """`total` 0: not known, the bar pulses. "what: step" keeps one bar for all steps of `what`."""
        what, _, step = what.partition(": ")
        count = f"{done:,} / {total:,}" if total else (f"{done:,}" if done else step)
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, total=total or None, count=count)
        self._progress.update(self._tasks[what], completed=done, total=total or None, count=count)


@app.callback()
def _start(verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log every step.")] = False) -> None:
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(name)s %(message)s",
        handlers=[_log_handler()],
    )
    for noisy in ("httpx", "httpcore", "alembic", "libav", "aiosqlite", "PIL"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _log_handler() -> logging.Handler:
    """On a terminal in colours, above the progress bars; into a file or a journal one plain line each, in UTC."""
    if err.is_terminal:
        return RichHandler(console=err, show_path=False, rich_tracebacks=False)
    plain = logging.StreamHandler()
    line = "%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(message)s"
    told = logging.Formatter(line, "%Y-%m-%dT%H:%M:%S")
    told.converter = time.gmtime
    plain.setFormatter(told)
    return plain


@app.command()
def setup() -> None:
    """Fetch and export the network, fetch the sample footage. Instant when they are there."""
    from benchmarks.footage import fetch_clip
    from models.catalog import load_card
    from models.export import ensure_network

    with Bars() as show:
        network = ensure_network(load_card("yolov8n"), show)
        clip = fetch_clip("vtest", show)
    err.print(f"network {network}\nfootage {clip}")


@app.command()
def demo(
    once: Annotated[
        bool, typer.Option(help="Run the footage at full speed, print the alerts, exit.")
    ] = False,
    json_out: JsonOut = None,
    port: Annotated[int, typer.Option(help="Port of the console.")] = 8000,
    folder: Annotated[Path, typer.Option(help="The demo's own folder, emptied at each start.")] = Path(
        "var/demo"
    ),
) -> None:
    """Watch the sample footage as two cameras: the whole way, camera to operator."""
    from benchmarks.demo import Demo

    with Demo(folder, port, once=once) as it:
        if not once:
            out.print(f"\n  Watchpost is running at [bold]{it.url}[/bold]")
            out.print(f"  log in as [bold]{it.user}[/bold] with the password [bold]{it.password}[/bold]")
            out.print("  two cameras watch the same recording; Ctrl-C stops everything\n")
            it.watch(_stop_on_signals())
            return
        with Bars() as show:
            report = it.run_once(show)
    report.show(_table_console(json_out))
    if json_out:
        report.write(json_out)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
    data_dir: DataDir = None,
) -> None:
    """Run the alert service and the console."""
    from api.app import create_app
    from api.auth import first_start
    from api.server import make_server

    settings = _settings(data_dir)
    password = _with_store(data_dir, first_start)
    if password:
        out.print(
            f"First start: log in as [bold]admin[/bold] with the one-time password [bold]{password}[/bold] (shown only now)."
        )
    make_server(create_app(settings), host, port).run()


@app.command()
def work(config: SiteFile = Path("watchpost.toml")) -> None:
    """Watch the cameras of a site file and send alerts to the service."""
    from streams.config import load_site
    from streams.worker import run_worker

    site = load_site(config)
    for problem in site.rejected:
        err.print(f"[red]camera left out:[/red] {problem}")
    run_worker(site, _stop_on_signals())


@app.command("check-config")
def check_config(config: Annotated[Path, typer.Argument(help="The site file.")]) -> None:
    """Say whether a site file is right, and what is not."""
    from streams.config import load_site

    site = load_site(config)
    for problem in site.rejected:
        err.print(f"[red]{problem}[/red]")
    out.print(f"{config}: {len(site.cameras)} cameras right, {len(site.rejected)} wrong")
    if site.rejected:
        raise typer.Exit(2)


@app.command()
def replay(
    config: SiteFile,
    json_out: Annotated[Path, typer.Option("--json", help="Where the alerts go.")],
    video: Annotated[Path | None, typer.Argument(help="A recording.")] = None,
    camera: Annotated[str | None, typer.Option(help="Whose zones and rules; else the first camera.")] = None,
    tracks_out: Annotated[Path | None, typer.Option(help="Also write the tracks that the rules saw.")] = None,
    tracks: Annotated[Path | None, typer.Option(help="Judge these stored tracks, not a recording.")] = None,
) -> None:
    """Run every picture of a recording in order, single-threaded; the same input gives the same bytes."""
    from benchmarks.replay import replay as run
    from benchmarks.replay import replay_tracks
    from streams.config import load_site

    if (video is None) == (tracks is None) or (tracks is not None and tracks_out is not None):
        raise ConfigError("nothing to replay", where="replay", wanted="a recording, or --tracks FILE")
    with Bars() as show:
        if video is not None:
            done = run(video, load_site(config), camera, json_out, show, tracks_out)
        elif tracks is not None:
            done = replay_tracks(tracks, load_site(config), camera, json_out, show)
    err.print(done.text())


@cameras_app.command("test")
def cameras_test(  # noqa: PLR0917  options of the command line have names
    source: Annotated[str, typer.Argument(help="A camera's address, or a file.")],
    user: Annotated[str, typer.Option(help="Its login.")] = "",
    password: Annotated[
        str,
        typer.Option(help="Better in the environment, where it is not listed.", envvar="WATCHPOST_PASSWORD"),
    ] = "",
    seconds: Annotated[float, typer.Option(min=1, max=600, help="How long to look.")] = 10.0,
    udp: Annotated[bool, typer.Option("--udp", help="RTSP over UDP.")] = False,
    tls_ca_file: Annotated[Path | None, typer.Option(help="Trust this certificate.")] = None,
    tls_verify: Annotated[bool, typer.Option(help="Refuse certificates that are not trusted.")] = True,
    json_out: JsonOut = None,
) -> None:
    """Say in plain words what works and what does not about a camera."""
    from dataclasses import asdict, replace

    from benchmarks.report import write_json
    from streams.probe import Mark, probe
    from streams.source import address_of

    address = replace(
        address_of(source, user, password, Path.cwd()),
        transport="udp" if udp else "tcp",
        tls_verify=tls_verify,
        tls_ca_file=tls_ca_file,
    )
    table, found = _table_console(json_out), []
    table.print(address.shown, highlight=False, markup=False)
    signs = {
        Mark.GOOD: "[green]ok  [/green]",
        Mark.NOTE: "[yellow]note[/yellow]",
        Mark.BAD: "[red]bad [/red]",
    }
    for finding in probe(address, seconds):
        found.append(finding)
        table.print(f"{signs[finding.mark]} {finding.what:15} {escape(finding.said)}", highlight=False)
    if json_out:
        write_json({"camera": address.shown, "findings": [asdict(finding) for finding in found]}, json_out)
    if any(finding.mark is Mark.BAD for finding in found):
        raise typer.Exit(SourceError.exit_code)


@cameras_app.command("discover")
def cameras_discover(
    seconds: Annotated[float, typer.Option(min=1, max=60, help="How long to wait for answers.")] = 5.0,
    json_out: JsonOut = None,
) -> None:
    """List the ONVIF cameras that answer on this network."""
    from dataclasses import asdict

    from benchmarks.report import write_json
    from streams.discovery import discover

    devices = discover(seconds)
    table = Table("address", "name", "hardware", "ONVIF service")
    for one in devices:
        table.add_row(one.host, escape(one.name), escape(one.hardware), escape(one.service))
    console = _table_console(json_out)
    console.print(
        table
        if devices
        else "No ONVIF camera answered. Cameras answer only within their own network segment."
    )
    if json_out:
        write_json({"cameras": [asdict(one) for one in devices]}, json_out)


@app.command()
def verify(
    bundle: Annotated[Path, typer.Argument(help="An evidence bundle (zip) of the service.")],
    key: Annotated[
        str, typer.Option(help="Fingerprint of the key that must have signed it (Health page).")
    ] = "",
) -> None:
    """Say whether anybody changed an evidence bundle; exit code 1 if so."""
    from api.bundle import verify_bundle

    found = verify_bundle(bundle, key)
    for problem in found.problems:
        err.print(problem, markup=False, highlight=False)
    if found.problems:
        raise typer.Exit(1)
    out.print(f"whole: {found.about}, exported by {found.made_by} at {found.made_at}", highlight=False)
    out.print(f"signed by key {found.key}", highlight=False)
    if not key:
        out.print("Compare that with the key on the service's Health page, or give it as --key.")


@models_app.command("fetch")
def models_fetch(name: str) -> None:
    """Fetch a network's weights and export them to ONNX."""
    from models.catalog import load_card
    from models.export import ensure_network

    with Bars() as show:
        out.print(str(ensure_network(load_card(name), show)))


@models_app.command("list")
def models_list() -> None:
    """The networks that have a card, and whether they are here."""
    from models.catalog import list_cards, network_path

    for card in list_cards():
        here = "here" if network_path(card).is_file() else "not fetched"
        out.print(f"{card.name:16} {here:12} {card.licence:10} {card.title}")


@users_app.command("add")
def users_add(
    name: str,
    role: Annotated[str, typer.Option(help="admin, operator or viewer.")] = "operator",
    data_dir: DataDir = None,
) -> None:
    """Add a person; the one-time password is printed once and must be changed at the first login."""
    from api.auth import add_with_one_time_password

    password = _with_store(data_dir, lambda store: add_with_one_time_password(store, name, role))
    out.print(f"{name}: one-time password {password}")


@users_app.command("token")
def users_token(name: str, data_dir: DataDir = None) -> None:
    """A new token for a worker, printed once; the worker's old one stops working."""
    from api.auth import create_worker_token

    out.print(_with_store(data_dir, lambda store: create_worker_token(store, name)))


@audit_app.command("verify")
def audit_verify(
    expect: Annotated[
        str | None, typer.Option(help="NUMBER:HASH as printed before: that line must still be in the chain.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Walk the whole chain; exit code 1 and the first broken link when a line was changed or removed."""
    from api.db.audit import told_link

    link = told_link(expect) if expect else None
    found = _with_store(data_dir, lambda store: store.audit.check(link))
    if found.broken:
        out.print(f"broken at {found.broken}")
        raise typer.Exit(1)
    out.print(
        f"{found.n} lines, the chain holds; keep this elsewhere: {found.n}:{found.hash}", soft_wrap=True
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
        own.show(_table_console(json_out))
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
    report.show(_table_console(json_out))
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
    report.show(_table_console(json_out))
    if json_out:
        report.write(json_out)


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
    report.show(_table_console(json_out))
    if json_out:
        report.write(json_out)


@bench_app.command("tracker")
def bench_tracker(
    json_out: JsonOut = None,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds, all in turn; medians are quoted.")] = 5,
) -> None:
    """What a picture costs the tracker at 20 and 60 boxes, beside `trackers` and ultralytics."""
    from benchmarks.tracker_cost import tracker_cost

    with Bars() as show:
        report = tracker_cost(rounds, show)
    report.show(_table_console(json_out))
    if json_out:
        report.write(json_out)


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
        report = service_load(load, SecretStr(database) if database else None, _stop_on_signals(), show)
    report.show(_table_console(json_out))
    if json_out:
        report.write(json_out)


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
        report = kills(n, seed, _stop_on_signals(), show)
    report.show(_table_console(json_out))
    if json_out:
        report.write(json_out)
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
        report = soak(minutes, _stop_on_signals(), show)
    report.show(_table_console(json_out))
    if json_out:
        report.write(json_out)
    if not report.verdict.right:
        raise typer.Exit(1)


def _table_console(json_out: Path | None) -> Console:
    """Tables go to standard error when standard output carries the JSON object."""
    return err if str(json_out) == "-" else out


def _settings(data_dir: Path | None) -> Any:
    from api.settings import Settings

    return Settings(data_dir=data_dir) if data_dir else Settings()


def _with_store(data_dir: Path | None, work: Callable[[Store], Coroutine[Any, Any, Any]]) -> Any:
    from api.db.store import open_store

    async def run() -> Any:
        async with open_store(_settings(data_dir)) as store:
            return await work(store)

    return asyncio.run(run())


def _stop_on_signals() -> threading.Event:
    """An event set at the first SIGINT or SIGTERM; a second one ends the process at once."""
    stop = threading.Event()

    def handle(number: int, _: object) -> None:
        if stop.is_set():
            raise SystemExit(128 + number)
        err.print("stopping; once more to force")
        stop.set()

    signal.signal(signal.SIGINT, handle)
    signal.signal(signal.SIGTERM, handle)
    return stop


def main() -> None:
    """Entry point: a WatchError is a message and an exit code, anything else is a bug and shows its trace."""
    words = sys.argv[1:]
    bare = [
        n
        for n, word in enumerate(words)
        if word == "--json" and (n + 1 == len(words) or words[n + 1].startswith("--"))
    ]
    for n in reversed(bare):  # a bare --json is standard output
        words.insert(n + 1, "-")
    try:
        app(words)
    except WatchError as error:
        err.print(f"[red]error:[/red] {error}", highlight=False)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
