"""Calibration with a live stream."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from decoder.config import SourceConfig
from decoder.console import err, interruptible, stopped_by_signals
from decoder.options import Record, Run, Subject, Task, Visit, takes_source
from decoder.options_fit import Said, takes_what_is_shown

if TYPE_CHECKING:
    from decoder.fitting import FitSettings

__all__ = ["calibrate"]


@takes_source
@takes_what_is_shown
def calibrate(
    said: Said,
    source: SourceConfig,
    output: Annotated[Path, typer.Option("--output", "-o", help="The new model folder.")],
    minutes: Annotated[
        float | None,
        typer.Option(min=0, help="End after so many minutes of stimuli."),
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="End after so many run_end markers.")] = 1,
    record: Record = Path("sessions"),
    subject: Subject = None,
    session: Visit = None,
    task: Task = None,
    run: Run = None,
    report: Annotated[
        bool, typer.Option(help="Put evaluation.json and report.html into the model folder.")
    ] = True,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the model that is there.")
    ] = False,
) -> None:
    """Calibrate a decoder with a live stream, and see meanwhile what it is worth.

    The stream is recorded as by `serve`. Trials, the quality of the signal, accuracy so far and
    what more minutes would bring are shown until the run_end marker, --minutes, the key f or
    Ctrl-C; then the recording is fitted and evaluated as by `fit`. Whatever happens, the
    recording is kept, and `fit` takes it.
    """
    from decoder.calibrating import Plan, taking_in
    from decoder.commands_fit import fit_and_tell
    from decoder.config import BidsConfig, Config, SessionConfig
    from decoder.dashboard import shown_live
    from decoder.keys import pressed_keys
    from models.checkpoint import check_vacant
    from streaming.errors import BraincastError, SessionError

    settings = of_stream(said.settings(), source)
    check_vacant(output, overwrite=overwrite)
    with err.status("reading what is shown ..."):
        settings.pool(settings.table())  # what is wrong with them is said before anybody waits
    config = Config(
        source=source,
        session=SessionConfig(record=record),
        bids=BidsConfig.of(subject=subject, session=session, task=task, run=run),
        timing=settings.timing,
    )
    stop = stopped_by_signals()
    plan = Plan(settings=settings, minutes=minutes, n_runs=runs)
    with taking_in(config, plan, stop) as (folder, calibration):
        err.print(f"recording to {escape(str(folder.path))}", highlight=False)
        with shown_live(err) as view, pressed_keys() as pressed:
            why = calibration.run(stop, view, pressed)
    kept = f"the recording is kept in {folder.path}"
    if why == "withdrawn":
        err.print(f"the participant stopped: nothing is fitted; {escape(kept)}")
        raise typer.Exit(1)
    err.print(f"{_REASONS[why]}; fitting", highlight=False)
    recordings = calibration.recordings()
    with interruptible():
        try:
            fit_and_tell(recordings, output, settings, report=report, overwrite=overwrite)
        except (BraincastError, KeyboardInterrupt, OSError, MemoryError) as error:
            err.print(
                f"nothing was fitted; {escape(kept)}: give "
                f"{escape(' '.join(map(str, recordings)))} to braincast fit",
                soft_wrap=True,
            )
            if isinstance(error, MemoryError):
                msg = "there is not enough memory to fit; end other programs, or fit elsewhere"
                raise SessionError(msg) from error
            if isinstance(error, OSError):
                msg = f"cannot fit ({error.strerror or error}); free the disk, and fit then"
                raise SessionError(msg) from error
            raise


_REASONS = {
    "run_end": "the last run is over",
    "minutes": "the minutes are full",
    "key": "ended by a key",
    "stopped": "stopped",
    "source": "the stream is over",
}


def of_stream(settings: FitSettings, source: SourceConfig) -> FitSettings:
    """Return the settings of a fit with how the recording of a stream is to be read.

    Parameters
    ----------
    settings : FitSettings
        What is shown, and what to make of it.
    source : SourceConfig
        What is recorded.
    """
    from dataclasses import replace

    from streaming.triggers import TriggerChannel

    named = source.source_id or source.name
    trigger = None
    if source.trigger_channel is not None:
        trigger = TriggerChannel(source.trigger_channel, source.trigger_mask)
    return replace(
        settings,
        unit=source.unit,
        streams=source.streams or ((named,) if named else ()),
        trigger=trigger,
    )
