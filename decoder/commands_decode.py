"""Commands around live decoding: the demo, listen."""

from __future__ import annotations

import json
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from decoder.console import err, out, progress_bar
from streaming.errors import ConfigError

if TYPE_CHECKING:
    from decoder.demo import Demo
    from decoder.service import Service

__all__ = ["demo", "listen"]

PATIENCE = 10.0
"""Seconds that `listen` tries to connect again: a decoder is started again in three."""


def demo(
    snr: Annotated[
        str, typer.Option(help="`easy`, `realistic`, or `none` (no information).")
    ] = ("easy"),
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Of the page; 8000, and any free one with --json; 0: any."
        ),
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0, help="Stop after so many of decoding; 0: never.")
    ] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="No page; print the scores as JSON at the end.")
    ] = False,
    trials: Annotated[int, typer.Option(min=1, help="Stimuli in calibration.")] = 1000,
    preview: Annotated[
        str,
        typer.Option(
            help="What pictures decodes: `braincast-preview`, `diffusers:ID`, "
            "`retrieve:FOLDER`; empty: nothing."
        ),
    ] = "braincast-preview",
    subject_seed: Annotated[int, typer.Option(min=0, help="Which person.")] = 1,
    session_seed: Annotated[int, typer.Option(min=0, help="Which session of that person.")] = 1,
) -> None:
    """Watch a live decode in the browser: no hardware, hub or account.

    A simulated participant is calibrated and then decoded live over real LSL.
    """
    import tempfile

    from streaming.sources.simulated import SimulatedSettings

    with err.status("starting ..."):
        from decoder.demo import Demo, stop_after, summary
        from decoder.evaluation import one_line
        from decoder.listening import listen as listen_on
    settings = SimulatedSettings(
        snr=snr,  # type: ignore[arg-type]  # checked there
        subject_seed=subject_seed,
        session_seed=session_seed,
    )
    usual = 0 if as_json else 8000
    with (
        closing(listen_on("127.0.0.1", usual if port is None else port)) as sock,
        tempfile.TemporaryDirectory(prefix="braincast-demo-") as folder,
    ):
        show = Demo(settings, trials, Path(folder), preview)
        with show.participant() as name:
            with progress_bar() as bar:
                task = bar.add_task("starting", total=1.0)
                evaluation = show.calibrate(
                    lambda step, share: bar.update(task, description=step, completed=share)
                )
            err.print(f"calibration: {one_line(evaluation)}", highlight=False)
            with show.ingest(name) as (session, address):
                service = show.service(session, address, sock)
                ended = threading.Event()
                if seconds:
                    threading.Thread(target=stop_after, args=(service, seconds, ended)).start()
                try:
                    service.run(lambda: None if as_json else announce_demo(service, show, snr))
                finally:
                    ended.set()
            if as_json:
                typer.echo(json.dumps(summary(service), indent=2))


def announce_demo(service: Service, show: Demo, snr: str) -> None:
    """Say where to look, and at what."""
    err.print(
        f"[bold]Open {service.url} in a browser.[/] The participant is simulated "
        f"(signal-to-noise: {snr}). The first decode comes after about ten seconds. "
        "Ctrl-C ends everything. To stop, pause and change things as the operator, open"
    )
    err.print(f"{service.url}/#token={show.token}", soft_wrap=True, highlight=False)


def listen(
    url: Annotated[str, typer.Argument(help="The address that was printed at start.")],
    stream: Annotated[
        list[str] | None, typer.Option("--stream", help="text (default), markers, state ...")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a line.")
    ] = False,
    count: Annotated[
        int, typer.Option("-n", min=0, help="Stop after so many events; 0: never.")
    ] = 0,
) -> None:
    """Print decodes as they come, from any running service."""
    from websockets.exceptions import WebSocketException

    from decoder.client import RequestError, connect

    try:
        with connect(url, stream or ["text"], patience=PATIENCE) as events:
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
    if not params.get("final", True):
        verdict = f"  [dim](after {1000 * params['latency']:.0f} ms; more to come)[/]"
    if truth:
        good = truth["rank"] == 1
        verdict = f"  [{'green' if good else 'red'}]{'right' if good else 'wrong'}[/]"
        verdict += f" [dim](was {escape(truth['text'])}, rank {truth['rank']})[/]"
    return f"{stale}[bold]decoded[/]  {top}{verdict}"
