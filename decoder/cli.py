"""The command line."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from pathlib import Path

import typer
from rich.logging import RichHandler
from rich.markup import escape

from decoder import (
    commands_decode,
    commands_map,
    commands_serve,
    commands_signal,
    commands_tools,
)
from decoder.console import err, stop_signals
from streaming.errors import BraincastError

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

for command in (
    commands_decode.demo,
    commands_signal.simulate,
    commands_signal.sample,
    commands_signal.streams,
    commands_signal.replay,
    commands_decode.fit,
    commands_serve.serve,
    commands_serve.ingest,
    commands_decode.listen,
    commands_tools.verify,
    commands_tools.export,
    commands_tools.timing,
    commands_tools.doctor,
):
    app.command()(command)
app.command("map")(commands_map.map_layers_of)
app.command(hidden=True)(commands_serve.decode)

MANY = ("--events", "--drop", "--markers", "--track", "--layers")
"""Options that take several values up to the next option."""


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
    if threading.current_thread() is threading.main_thread():
        for number in stop_signals():  # so that what was begun is undone
            signal.signal(number, signal.default_int_handler)
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
