"""The one command line. It composes the packages and holds no logic of its own.

Exit codes: 0 done, 1 any other error, 2 configuration, 3 network (model), 4 camera or file, 5 disk, 6 alert API, 130 interrupted.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from benchmarks.commands import bench_app, drill_app
from detector.errors import ConfigError, SourceError, WatchError
from terminal import Bars, JsonOut, err, log_handler, out, stop_on_signals, table_console

if TYPE_CHECKING:
    from api.db.store import Store

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
models_app = typer.Typer(no_args_is_help=True, help="Networks: fetch, export, list.")
users_app = typer.Typer(no_args_is_help=True, help="Who may log in, and the workers' tokens.")
cameras_app = typer.Typer(no_args_is_help=True, help="Try a camera, find cameras.")
app.add_typer(cameras_app, name="cameras")
audit_app = typer.Typer(no_args_is_help=True, help="Who did what: the audit of the service.")
app.add_typer(models_app, name="models")
app.add_typer(audit_app, name="audit")
app.add_typer(users_app, name="users")
app.add_typer(bench_app, name="bench")
app.add_typer(drill_app, name="drill")

DataDir = Annotated[Path | None, typer.Option(help="Folder of the service's data; else $WATCHPOST_DATA_DIR.")]
SiteFile = Annotated[Path, typer.Option("--config", "-c", help="The site file (watchpost.toml).")]


@app.callback()
def _start(verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log every step.")] = False) -> None:
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(name)s %(message)s",
        handlers=[log_handler()],
    )
    for noisy in ("httpx", "httpcore", "alembic", "libav", "aiosqlite", "PIL"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


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
            it.watch(stop_on_signals())
            return
        with Bars() as show:
            report = it.run_once(show)
    report.show(table_console(json_out))
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
    run_worker(site, stop_on_signals())


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
    from streams.address import address_of
    from streams.probe import Mark, probe

    address = replace(
        address_of(source, user, password, Path.cwd()),
        transport="udp" if udp else "tcp",
        tls_verify=tls_verify,
        tls_ca_file=tls_ca_file,
    )
    table, found = table_console(json_out), []
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
    console = table_console(json_out)
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


def _settings(data_dir: Path | None) -> Any:
    from api.settings import Settings

    return Settings(data_dir=data_dir) if data_dir else Settings()


def _with_store(data_dir: Path | None, work: Callable[[Store], Coroutine[Any, Any, Any]]) -> Any:
    from api.db.store import open_store

    async def run() -> Any:
        async with open_store(_settings(data_dir)) as store:
            return await work(store)

    return asyncio.run(run())


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
