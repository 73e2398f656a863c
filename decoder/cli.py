"""The command line."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

import typer
from rich.markup import escape

from decoder import (
    commands_adapter,
    commands_calibrate,
    commands_convert,
    commands_decode,
    commands_evaluate,
    commands_fit,
    commands_map,
    commands_mock,
    commands_serve,
    commands_signal,
    commands_token,
    commands_tools,
    logs,
)
from decoder.console import err, stop_signals
from streaming.errors import BraincastError

__all__ = ["app", "main"]

app = typer.Typer(
    name="braincast",
    help="Real-time brain decoding: a signal from LSL in, decoded text in the browser out.",
    epilog="Start with `braincast demo`. Exit codes: 0 done, 1 failed, 2 something to mend.",
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
    commands_fit.chain,
    commands_fit.fit,
    commands_calibrate.calibrate,
    commands_adapter.fit_adapter,
    commands_evaluate.evaluate,
    commands_serve.serve,
    commands_serve.ingest,
    commands_decode.listen,
    commands_mock.mock,
    commands_tools.verify,
    commands_tools.report,
    commands_tools.export,
    commands_tools.timing,
    commands_tools.doctor,
):
    app.command()(command)
app.command("map")(commands_map.map_layers_of)
app.command()(commands_convert.convert)
app.command(hidden=True)(commands_serve.decode)
app.command(hidden=True)(commands_serve.outlet)
app.command(hidden=True)(commands_serve.embed)
app.command(hidden=True)(commands_serve.preview)
app.command(hidden=True)(commands_serve.refit)
app.add_typer(commands_token.app, name="token")

_UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""What typer raises for arguments that are wrong; it exports no name for it."""

MANY = (
    "--events",
    "--drop",
    "--markers",
    "--stream",
    "--aux",
    "--track",
    "--layers",
    "--latencies",
    "--people",
)
"""Options that take several values up to the next option."""


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    quiet_liblsl()
    if threading.current_thread() is threading.main_thread():
        for number in stop_signals():  # so that what was begun is undone
            signal.signal(number, signal.default_int_handler)
    arguments = spread(sys.argv[1:] if argv is None else argv) or ["--help"]
    try:
        logs.configure()
        code = app(arguments, prog_name="braincast", standalone_mode=False)
    except BraincastError as error:
        _complain(str(error))
        return 2
    except _UsageError as error:
        _complain(_usage(error))
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 1
    return code if isinstance(code, int) else 0


def _complain(text: str) -> None:
    err.print(f"[bold red]braincast:[/] {escape(text)}", soft_wrap=True)


def _usage(error: Exception) -> str:
    """Return in a line what is wrong with the arguments, and where to look."""
    said = " ".join(error.format_message().split()).rstrip(".")  # type: ignore[attr-defined]
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "braincast"
    return f"{said[:1].lower()}{said[1:]}; see {command} --help"


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
