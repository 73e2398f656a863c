"""The command line."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from contextlib import closing, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from streaming.errors import BraincastError, ConfigError

if TYPE_CHECKING:
    from decoder.server.auth import Access
    from decoder.service import Service

__all__ = ["app", "main"]

app = typer.Typer(
    name="braincast",
    help="Real-time brain decoding: a signal from LSL in, decoded text in the browser out.",
    epilog="Start with `braincast demo`. Exit codes: 0 done, 1 failed, 2 something to mend.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="markdown",
)

out = Console()
err = Console(stderr=True)

MANY = ("--events", "--drop", "--markers")
"""Options that take several values up to the next option."""

ModelFolder = Annotated[
    Path, typer.Option("--model", "-m", help="Model folder, made by `braincast fit`.")
]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")]


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        # Two threads ran up to ten times slower on a shared machine, and sums that depend on
        # the number of threads would not verify elsewhere.
        os.environ[variable] = "1"
    quiet_liblsl()
    logging.basicConfig(
        level=logging.WARNING, format="%(message)s", handlers=[RichHandler(console=err)]
    )
    arguments = spread(sys.argv[1:] if argv is None else argv)
    try:
        app(arguments, prog_name="braincast")
    except BraincastError as error:
        err.print(f"[bold red]braincast:[/] {escape(str(error))}", soft_wrap=True)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 1
    return 0


def quiet_liblsl() -> None:
    """Keep liblsl from logging its start, unless the user configures it."""
    places = (
        Path("lsl_api.cfg"),
        Path.home() / "lsl_api/lsl_api.cfg",
        Path("/etc/lsl_api/lsl_api.cfg"),
    )
    if "LSLAPICFG" not in os.environ and not any(place.exists() for place in places):
        os.environ["LSLAPICFG"] = str(Path(__file__).with_name("lsl_api.cfg"))


def spread(arguments: list[str]) -> list[str]:
    """Repeat an option that takes several values before each of them.

    >>> spread(["fit", "a.fif", "--events", "face", "house", "-o", "model"])
    ['fit', 'a.fif', '--events', 'face', '--events', 'house', '-o', 'model']
    """
    result: list[str] = []
    option = ""
    for argument in arguments:
        if argument.startswith("-") and len(argument) > 1:
            option = argument if argument in MANY else ""
            if not option:
                result.append(argument)
        else:
            result += [option, argument] if option else [argument]
    return result


def stopped_by_signals() -> threading.Event:
    """Return an event that Ctrl-C and SIGTERM set, so that streams are closed in good order."""
    stop = threading.Event()
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
    return stop


def progress_bar() -> Progress:
    """Make the progress bar that all long work shows."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=err,
        transient=True,
    )


@app.command()
def streams(
    timeout: Annotated[float, typer.Option(help="How long to look, in seconds.")] = 2.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the LSL streams on the network."""
    from streaming.lsl_streams import list_streams

    found = list_streams(timeout)
    if as_json:
        typer.echo(json.dumps([asdict(s) for s in found], indent=2))
        return
    if not found:
        err.print(
            "No stream found. Is the amplifier's LSL app running on this network? "
            "Try `braincast simulate` in another terminal, and `braincast doctor` here."
        )
        return
    table = Table()
    for column in ("name", "type", "channels", "rate", "host", "source_id"):
        table.add_column(column, overflow="fold")  # a name is there to be copied
    for s in found:
        rate = f"{s.sfreq:g} Hz" if s.sfreq else "irregular"
        cells = (s.name, s.type, str(s.n_channels), rate, s.hostname, s.source_id)
        table.add_row(*(escape(cell) for cell in cells))
    out.print(table)


@app.command()
def sample(
    name: Annotated[str, typer.Argument(help="Which recording: `muse-n170`.")],
    folder: Annotated[Path, typer.Option("--output", "-o", help="Where to put it.")] = Path(
        "sample"
    ),
) -> None:
    """Download a public recording and write it as FIF with annotations.

    `muse-n170`: one person, four electrodes, six runs of two minutes looking at faces and
    houses (NeuroTechX, BSD-3-Clause).
    """
    from streaming.sample import fetch_sample

    with err.status("downloading ..."):
        paths = fetch_sample(name, folder)
    for path in paths:
        typer.echo(path)


@app.command()
def replay(
    recording: Annotated[Path, typer.Argument(help="Any file that MNE reads.")],
    name: Annotated[str, typer.Option(help="Name of the LSL stream.")] = "",
    speed: Annotated[float, typer.Option(help="1 is the pace of the recording.")] = 1.0,
    wait: Annotated[
        float, typer.Option(help="Seconds to wait for somebody to receive it first.")
    ] = 0.0,
) -> None:
    """Send a recording over LSL as if it were live, annotations as markers."""
    from streaming.replay import publish
    from streaming.sources.recording import RecordingSource

    source = RecordingSource(recording)
    name = name or recording.stem
    total = source.n_times / source.spec.sfreq
    err.print(f"sending {escape(name)} ({total:.0f} s); Ctrl-C stops")
    with progress_bar() as bar:
        task = bar.add_task(escape(name), total=total)
        publish(
            source,
            name=name,
            speed=speed,
            wait_for_consumer=wait,
            stop=stopped_by_signals(),
            progress=lambda seconds: bar.update(task, completed=seconds),
        )


@app.command()
def simulate(
    name: Annotated[str, typer.Option(help="Name of the LSL stream.")] = "simulated",
    snr: Annotated[
        str, typer.Option(help="`easy`, `realistic`, or `none` (no information).")
    ] = ("easy"),
    channels: Annotated[int, typer.Option(help="Number of electrodes.")] = 32,
    sfreq: Annotated[float, typer.Option(help="Sampling rate, in Hz.")] = 250.0,
    subject_seed: Annotated[int, typer.Option(help="Which person.")] = 1,
    session_seed: Annotated[int, typer.Option(help="Which session of that person.")] = 1,
    soa: Annotated[float, typer.Option(help="Mean time from onset to onset [s].")] = 0.8,
    trials: Annotated[
        int, typer.Option(help="Stimuli to show; 0: live forever, 1000 saved.")
    ] = 0,
    save: Annotated[
        Path | None,
        typer.Option(help="Record a calibration session to this folder instead of sending."),
    ] = None,
    with_stdin: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Send a simulated participant over LSL: EEG and markers, or record one with --save.

    Somebody who does not exist looks at 300 things; 200 of them are shown in calibration.
    """
    from streaming.sources.simulated import SimulatedSettings

    with nullcontext() if with_stdin else err.status("imagining a participant ..."):
        from decoder.simulation import live_participant, save_calibration

        settings = SimulatedSettings(
            snr=snr,  # type: ignore[arg-type]  # checked there
            subject_seed=subject_seed,
            session_seed=session_seed,
            n_channels=channels,
            sfreq=sfreq,
            soa=soa,
        )
        if save is not None:
            save_calibration(settings, trials or 1000, save)
            typer.echo(save)
            return
        source = live_participant(settings, n_trials=trials or None)
    from streaming.replay import publish

    stop = stopped_by_signals()
    if with_stdin:  # whoever started us holds the other end: when it dies, we end
        threading.Thread(target=_stop_at_end_of_input, args=(stop,), daemon=True).start()
    else:
        err.print(f"sending {escape(name)}, simulated, {snr}; Ctrl-C stops")
    publish(source, name=name, chunk_size=10, stop=stop)


def _stop_at_end_of_input(stop: threading.Event) -> None:
    sys.stdin.buffer.read()
    stop.set()


@app.command()
def fit(
    recordings: Annotated[
        list[Path], typer.Argument(help="Recordings of one person: any files that MNE reads.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The new model folder.")],
    events: Annotated[
        list[str] | None,
        typer.Option(help="Annotations to tell apart, such as `--events face house`."),
    ] = None,
    stimuli: Annotated[
        Path | None, typer.Option(help="Table of what the markers mean, instead of --events.")
    ] = None,
    candidates: Annotated[
        Path | None,
        typer.Option(help="What to choose from, if more than was shown: words or a TSV."),
    ] = None,
    space: Annotated[
        str,
        typer.Option(
            help="Embedding space: `labels`, `sentence:NAME`, `sentence:FOLDER`. By default "
            "`labels` for --events and the packaged sentence encoder for --stimuli."
        ),
    ] = "",
    picks: Annotated[str, typer.Option(help="`eeg` or `meg`.")] = "eeg",
    drop: Annotated[
        list[str] | None,
        typer.Option(help="Channels to leave out, such as `--drop 'Right AUX'`."),
    ] = None,
    tmin: Annotated[float, typer.Option(help="Start of the window after a marker [s].")] = 0.0,
    tmax: Annotated[float, typer.Option(help="End of the window after a marker [s].")] = 0.8,
) -> None:
    """Fit a decoder to recordings, and score it on runs that it never saw.

    The recordings go through the very same causal chain as the live signal.
    """
    from decoder.fitting import FitSettings, fit_recordings

    settings = FitSettings(
        events=tuple(events or ()),
        stimuli=stimuli,
        candidates=candidates,
        space=space,
        picks=picks,
        drop=tuple(drop or ()),
        tmin=tmin,
        tmax=tmax,
    )
    with progress_bar() as bar:
        task = bar.add_task("reading and fitting", total=1.0)
        evaluation = fit_recordings(
            recordings, output, settings, lambda share: bar.update(task, completed=share)
        )
    from decoder.evaluation import as_table

    out.print(as_table(evaluation))
    typer.echo(f"{output}")


@app.command()
def serve(
    model: ModelFolder,
    name: Annotated[str | None, typer.Option(help="Name of the signal's LSL stream.")] = None,
    kind: Annotated[str | None, typer.Option("--type", help="Its type, such as EEG.")] = None,
    source_id: Annotated[str | None, typer.Option(help="Its source_id.")] = None,
    markers: Annotated[
        list[str] | None,
        typer.Option(help="Names of marker streams; by default all of type Markers."),
    ] = None,
    unit: Annotated[
        str | None, typer.Option(help="Unit of the samples, where the stream does not say: uV.")
    ] = None,
    timeout: Annotated[float, typer.Option(help="How long to look for streams [s].")] = 10.0,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    record: Annotated[Path, typer.Option(help="Folder that gets the session.")] = Path(
        "sessions"
    ),
    no_record: Annotated[bool, typer.Option("--no-record", help="Keep nothing.")] = False,
    freshness: Annotated[
        float, typer.Option(help="A decode older than this is stale [s].")
    ] = 1.0,
) -> None:
    """Decode a live LSL stream and serve it to the browser and to apps."""
    from decoder.config import Config, ServerConfig, SessionConfig, SourceConfig
    from decoder.server.auth import Access
    from decoder.service import Service, lsl_source
    from decoder.service import listen as listen_on

    config = Config(
        source=SourceConfig(
            name=name,
            type=kind,
            source_id=source_id,
            markers=tuple(markers or ()),
            unit=unit,
            timeout=timeout,
        ),
        session=SessionConfig(freshness=freshness, record=None if no_record else record),
        server=ServerConfig(host=host, port=port),
    )
    token = os.environ.get("BRAINCAST_TOKEN")
    access = Access(token, host=host) if token else Access(host=host)
    with closing(listen_on(host, port)) as sock:
        with err.status("looking for the stream ..."):
            service = Service(config, model, lsl_source(config.source), access, sock)
        service.run(lambda: announce(service, access))


def announce(service: Service, access: Access) -> None:
    """Say where to look."""
    # Nothing but the address goes to standard output, for whoever reads it with a program.
    err.print("open this address; who has it can watch and control:")
    typer.echo(f"{service.url}/#token={access.token}")
    if service.folder is not None:
        err.print(f"recording to {escape(str(service.folder.path))}; Ctrl-C stops")


@app.command()
def demo(
    snr: Annotated[
        str, typer.Option(help="`easy`, `realistic`, or `none` (no information).")
    ] = ("easy"),
    port: Port = 8000,
    seconds: Annotated[
        float, typer.Option(help="Stop after so many of decoding; 0: never.")
    ] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="No page; print the scores as JSON at the end.")
    ] = False,
    trials: Annotated[int, typer.Option(help="Stimuli in calibration.")] = 1000,
    subject_seed: Annotated[int, typer.Option(help="Which person.")] = 1,
    session_seed: Annotated[int, typer.Option(help="Which session of that person.")] = 1,
) -> None:
    """Watch a live decode in the browser: no hardware, hub or account.

    A simulated participant is calibrated and then decoded live over real LSL.
    """
    import tempfile

    from streaming.sources.simulated import SimulatedSettings

    with err.status("starting ..."):
        from decoder.demo import Demo, stop_after, summary
        from decoder.evaluation import one_line
        from decoder.service import listen as listen_on
    settings = SimulatedSettings(
        snr=snr,  # type: ignore[arg-type]  # checked there
        subject_seed=subject_seed,
        session_seed=session_seed,
    )
    with (
        closing(listen_on("127.0.0.1", 0 if as_json else port)) as sock,
        tempfile.TemporaryDirectory(prefix="braincast-demo-") as folder,
    ):
        show = Demo(settings, trials, Path(folder))
        with show.participant() as name:
            with progress_bar() as bar:
                task = bar.add_task("starting", total=1.0)
                evaluation = show.calibrate(
                    lambda step, share: bar.update(task, description=step, completed=share)
                )
            err.print(f"calibration: {one_line(evaluation)}", highlight=False)
            with err.status("connecting to the participant over LSL ..."):
                service = show.service(name, sock)
            ended = threading.Event()
            if seconds:
                threading.Thread(target=stop_after, args=(service, seconds, ended)).start()
            try:
                service.run(lambda: None if as_json else announce_demo(service, snr))
            finally:
                ended.set()
            if as_json:
                typer.echo(json.dumps(summary(service), indent=2))


def announce_demo(service: Service, snr: str) -> None:
    """Say where to look, and at what."""
    err.print(
        f"[bold]Open {service.url} in a browser.[/] The participant is simulated "
        f"(signal-to-noise: {snr}). The first decode comes after about ten seconds. "
        "Ctrl-C ends everything."
    )


@app.command()
def listen(
    url: Annotated[str, typer.Argument(help="The address that was printed at start.")],
    stream: Annotated[
        list[str] | None, typer.Option("--stream", help="text (default), markers, state ...")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a line.")
    ] = False,
    count: Annotated[int, typer.Option("-n", help="Stop after so many events; 0: never.")] = 0,
) -> None:
    """Print decodes as they come, from any running service."""
    from websockets.exceptions import WebSocketException

    from decoder.client import RequestError, connect

    try:
        with connect(url, stream or ["text"]) as events:
            for n, event in enumerate(events, 1):
                if as_json:
                    line = {"stream": event.stream, **event.params}
                    typer.echo(json.dumps(line, ensure_ascii=False))
                else:
                    out.print(describe(event.stream, event.params), highlight=False)
                if n == count:
                    break
    except (OSError, WebSocketException) as error:
        msg = f"cannot reach {url.split('#')[0]} ({error}); is `braincast serve` running there?"
        raise ConfigError(msg) from error
    except RequestError as error:
        msg = f"{error}; copy the whole address, with what follows #, from where it was started"
        raise ConfigError(msg) from error


def describe(stream: str, params: dict[str, Any]) -> str:
    """Put an event in one line for a person."""
    if stream == "markers":
        return f"[dim]shown[/]    {escape(params['text'] or params['label'])}"
    if stream != "text":
        return f"[yellow]{stream}[/]  {escape(json.dumps(params, ensure_ascii=False))}"
    if params["abstained"]:
        return f"[yellow]no decode[/] ({params['abstained']})"
    top = "  ".join(f"{escape(c['text'])} {c['p']:.0%}" for c in params["top"])
    stale = "[red]STALE[/]  " if params["stale"] else ""
    truth = params["truth"]
    verdict = ""
    if truth:
        good = truth["rank"] == 1
        verdict = f"  [{'green' if good else 'red'}]{'right' if good else 'wrong'}[/]"
        verdict += f" [dim](was {escape(truth['text'])}, rank {truth['rank']})[/]"
    return f"{stale}[bold]decoded[/]  {top}{verdict}"


@app.command()
def doctor(
    model: Annotated[
        Path | None, typer.Option("--model", "-m", help="A model folder to check as well.")
    ] = None,
    record: Annotated[Path, typer.Option(help="Where sessions will be kept.")] = Path(
        "sessions"
    ),
) -> None:
    """Check this machine before a participant sits down; exits with 1 if something is wrong."""
    from decoder.doctor import checks

    table = Table("", "what", "found")
    good = True
    with err.status("looking ..."):
        for check in checks(model, record):
            good &= check.ok
            mark = "[green]ok[/]" if check.ok else "[bold red]NO[/]"
            table.add_row(mark, check.what, escape(check.found))
    out.print(table)
    if not good:
        raise typer.Exit(1)


@app.command()
def verify(
    session: Annotated[Path, typer.Argument(help="A session's folder.")],
) -> None:
    """Feed a session again from its own recording and compare every decode, bit for bit.

    Exits with 1 at the first difference.
    """
    from decoder.verify import verify_session

    with err.status("feeding the session again ..."):
        verdict = verify_session(session)
    if verdict.difference:
        err.print(f"[bold red]different:[/] {escape(verdict.difference)}", soft_wrap=True)
        raise typer.Exit(1)
    short = "; the recording ends before the log, as after a crash" if verdict.cut_short else ""
    typer.echo(f"{verdict.n_equal} events came out again, bit for bit{short}")
