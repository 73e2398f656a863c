"""Commands around signals: what is there, and sending some."""

from __future__ import annotations

import json
import math
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from decoder.console import err, out, progress_bar, stopped_by_signals, when_input_ends
from streaming.errors import ConfigError

if TYPE_CHECKING:
    from streaming.outlet import Output, StreamDescription

__all__ = ["replay", "sample", "simulate", "streams"]


To = Annotated[
    str,
    typer.Option(help="`lsl`, or a FieldTrip buffer to open: `fieldtrip://127.0.0.1:1972`."),
]


def streams(
    timeout: Annotated[float, typer.Option(min=0, help="How long to look [s].")] = 2.0,
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


FaultOption = Annotated[
    list[str] | None,
    typer.Option(
        help="Inject a fault, such as `drop@10:2s`; may be repeated.", metavar="FAULT"
    ),
]
FaultsOption = Annotated[Path | None, typer.Option(help="YAML with a list of faults.")]
FaultLogOption = Annotated[
    Path | None, typer.Option(help="Write what the faults did, as JSON lines.")
]


def replay(
    recordings: Annotated[
        list[Path],
        typer.Argument(help="XDF, or any file that MNE reads; several are sent at once."),
    ],
    name: Annotated[str, typer.Option(help="Name of the LSL stream.")] = "",
    speed: Annotated[
        str, typer.Option(help="1 is the pace of the recording; `max`: as fast as can be.")
    ] = "1",
    loop: Annotated[bool, typer.Option("--loop", help="Begin again at the end.")] = False,
    start: Annotated[float, typer.Option(min=0, help="Where to begin [s].")] = 0.0,
    stop: Annotated[float, typer.Option(min=0, help="Where to stop [s].")] = math.inf,
    wait: Annotated[
        float, typer.Option(min=0, help="Seconds to wait for somebody to receive it first.")
    ] = 0.0,
    enter: Annotated[
        bool, typer.Option("--enter", help="Begin when the Enter key is pressed.")
    ] = False,
    fault: FaultOption = None,
    faults: FaultsOption = None,
    fault_log: FaultLogOption = None,
    to: To = "lsl",
) -> None:
    """Send recordings as if they were live, annotations as markers: over LSL, or as a buffer.

    Streams of XDF keep their names, types, formats and descriptions. The kinds of faults:
    drop, stall, jitter, bunch, step, drift, disconnect, nan, flat, saturate, pop, line.
    """
    from streaming.replay import play
    from streaming.sources.faults import read_schedule
    from streaming.sources.opening import open_playable

    if name and len(recordings) > 1:
        msg = (
            f"--name names one stream, but there are {len(recordings)} recordings: leave it out"
        )
        raise ConfigError(msg)
    schedule = read_schedule(faults, fault or ())
    playables = [open_playable(r, name=name, start=start, stop=stop) for r in recordings]
    total = max(playable.duration for playable in playables)
    streams = [stream for playable in playables for stream in playable.streams]
    pace, stopped = _speed(speed), stopped_by_signals()
    with output_to(to, streams) as output, progress_bar() as bar:
        task = bar.add_task("sending", total=None if loop else total)

        def tell(seconds: float) -> None:
            if seconds == 0:  # they are there
                what = ", ".join(stream.name for stream in streams)
                err.print(f"sending {escape(what)} ({total:.0f} s); Ctrl-C stops")
            bar.update(task, completed=seconds)

        n_sent = play(
            playables,
            output,
            speed=pace,
            loop=loop,
            wait_for_consumer=wait,
            hold=partial(_until_enter, stopped) if enter else _at_once,
            schedule=schedule,
            truth=fault_log,
            stop=stopped,
            progress=tell,
        )
    err.print(f"{n_sent} samples were sent")


def _at_once() -> None:
    """Wait for nothing."""


def _until_enter(stop: threading.Event) -> None:
    """Wait for the Enter key, or the end of the input, or `stop`."""
    pressed = threading.Event()

    def read() -> None:
        os.read(0, 1)  # not through sys.stdin, whose lock would be held at the end
        pressed.set()

    err.print("press Enter to begin")
    threading.Thread(target=read, daemon=True).start()
    while not pressed.wait(0.05) and not stop.is_set():
        pass


def _speed(text: str) -> float:
    try:
        speed = math.inf if text == "max" else float(text)
    except ValueError:
        speed = 0.0
    if not speed > 0:
        msg = f"--speed must be a positive number or max, got {text!r}"
        raise ConfigError(msg)
    return speed


def simulate(
    name: Annotated[str, typer.Option(help="Name of the LSL stream.")] = "simulated",
    snr: Annotated[
        str, typer.Option(help="`easy`, `realistic`, or `none` (no information).")
    ] = ("easy"),
    meg: Annotated[
        bool, typer.Option("--meg", help="MEG with 306 sensors instead of EEG.")
    ] = False,
    channels: Annotated[
        int | None, typer.Option(min=1, help="Number of electrodes; 32 if not given.")
    ] = None,
    sfreq: Annotated[
        float | None, typer.Option(min=1, help="Sampling rate, in Hz; 250, or 1000 for MEG.")
    ] = None,
    subject_seed: Annotated[int, typer.Option(min=0, help="Which person.")] = 1,
    session_seed: Annotated[int, typer.Option(min=0, help="Which session of that person.")] = 1,
    soa: Annotated[
        float, typer.Option(min=0.05, help="Mean time from onset to onset [s].")
    ] = 0.8,
    drift: Annotated[
        float, typer.Option(min=0, help="How fast responses change, in degrees a minute.")
    ] = 0.0,
    lead: Annotated[float, typer.Option(min=0, help="Time before the first [s].")] = 3.0,
    trials: Annotated[
        int, typer.Option(min=0, help="Stimuli to show; 0: live forever, 1000 saved.")
    ] = 0,
    save: Annotated[
        Path | None,
        typer.Option(help="Record a calibration session to this folder instead of sending."),
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Record with --save what would be sent instead.")
    ] = False,
    fault: FaultOption = None,
    faults: FaultsOption = None,
    fault_log: FaultLogOption = None,
    to: To = "lsl",
    with_stdin: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Send a simulated participant as if it were live, or record one with --save.

    Somebody who does not exist looks at 300 things; 200 of them are shown in calibration.
    """
    from streaming.sources.simulated import SimulatedSettings

    with nullcontext() if with_stdin else err.status("imagining a participant ..."):
        from decoder.simulation import live_participant, save_calibration, save_live

        settings = SimulatedSettings(
            snr=snr,  # type: ignore[arg-type]  # checked there
            subject_seed=subject_seed,
            session_seed=session_seed,
            n_channels=channels or (306 if meg else 32),
            sfreq=sfreq or (1000.0 if meg else 250.0),
            meg=meg,
            soa=soa,
            drift=drift,
            lead=lead,
        )
        if save is not None:
            save_as = save_live if live else save_calibration
            save_as(settings, trials or 1000, save)
            typer.echo(save)
            return
        source = live_participant(settings, n_trials=trials or None)
    from streaming.outlet import describe_signal
    from streaming.replay import publish
    from streaming.sources.faults import read_schedule

    stop = stopped_by_signals()
    if with_stdin:  # whoever started us holds the other end: when it dies, we end
        when_input_ends(stop.set)
    else:
        err.print(f"sending {escape(name)}, simulated, {snr}; Ctrl-C stops")
    schedule = read_schedule(faults, fault or ())
    with output_to(to, [describe_signal(source.spec, name)]) as output:
        publish(
            source,
            output,
            name=name,
            chunk_size=10,
            schedule=schedule,
            truth=fault_log,
            stop=stop,
        )


@contextmanager
def output_to(to: str, streams: Sequence[StreamDescription]) -> Iterator[Output | None]:
    """Open the buffer that one signal is sent to; None for LSL, which takes any streams."""
    if to == "lsl":
        yield None
        return
    from streaming.description import describe
    from streaming.fieldtrip_protocol import Address
    from streaming.fieldtrip_server import FieldTripServer

    address = Address.parse(to)
    signals = [stream for stream in streams if stream.is_signal]
    if len(signals) != 1:
        msg = f"a buffer takes one signal, and there are {len(signals)}: send over LSL"
        raise ConfigError(msg)
    (signal,) = signals
    described = describe(signal.sfreq, signal.type, signal.channels())
    with closing(FieldTripServer(described, address)) as server:
        yield server
