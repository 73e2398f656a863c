"""Commands around a session: before it, and what to do with it after."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from decoder.config import SourceConfig
from decoder.console import err, out
from decoder.options import Run, Subject, Task, takes_source

__all__ = ["doctor", "export", "report", "timing", "verify"]


@takes_source
def doctor(
    source: SourceConfig,
    model: Annotated[
        Path | None, typer.Option("--model", "-m", help="A model folder to check as well.")
    ] = None,
    record: Annotated[Path, typer.Option(help="Where sessions will be kept.")] = Path(
        "sessions"
    ),
    seconds: Annotated[
        float, typer.Option(help="How long to look at the streams [s].", min=1)
    ] = 6.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check this machine before a participant sits down; exits with 1 if something is wrong."""
    from decoder.doctor import Plan, checks

    found = []
    with err.status("looking ...") as status:
        for check in checks(Plan(model, record, source, seconds)):
            found.append(check)
            status.update(f"looking ... {escape(check.what)}: {check.verdict}")
    if as_json:
        typer.echo(json.dumps([asdict(check) for check in found], indent=2))
    else:
        table = Table("", "what", "found")
        for check in found:
            mark = {"go": "[green]go[/]", "note": "[yellow]note[/]", "no": "[bold red]NO[/]"}
            table.add_row(mark[check.verdict], escape(check.what), escape(check.found))
        out.print(table)
    if any(check.verdict == "no" for check in found):
        raise typer.Exit(1)


def verify(
    session: Annotated[Path, typer.Argument(help="A session's folder.")],
) -> None:
    """Feed a session again from its own recording and compare every decode, bit for bit.

    On another machine, or with other versions of libraries, last digits may differ: then the
    decisions and the best candidates must be the same, and probabilities nearly so. Exits with
    1 at the first difference.
    """
    from decoder.folder import SessionFolder
    from decoder.verified import keep_verdict
    from decoder.verify import verify_session

    with err.status("feeding the session again ..."):
        verdict = verify_session(session)
    try:
        keep_verdict(SessionFolder(session), verdict)
    except OSError as error:
        err.print(f"the report will not say so: {escape(str(error))}", soft_wrap=True)
    if verdict.difference:
        err.print(f"[bold red]different:[/] {escape(verdict.difference)}", soft_wrap=True)
        raise typer.Exit(1)
    short = "; the recording ends before the log, as after a crash" if verdict.cut_short else ""
    previews = verdict.about_previews
    if not verdict.n_close:
        typer.echo(f"{verdict.n_equal} events came out again, bit for bit{short}{previews}")
        return
    typer.echo(
        f"equivalent, other machine: of {verdict.n_equal + verdict.n_close} events "
        f"{verdict.n_close} came out within the tolerances, the others bit for bit{short}"
        f"{previews} ({verdict.environment})"
    )


def report(
    session: Annotated[Path, typer.Argument(help="A session's folder.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The page; report.html in that folder."),
    ] = None,
) -> None:
    """Write what became of a session as a page: signal, decodes, accuracy, latency, losses.

    The session must be over. In its own folder the report is listed by the page of `serve`.
    """
    from decoder.session_report import report_session

    with err.status("reading the session ..."):
        path = report_session(session, output)
    typer.echo(path)


def export(
    session: Annotated[Path, typer.Argument(help="A session's folder.")],
    bids: Annotated[Path, typer.Option("--bids", help="The dataset; made if not there.")],
    anonymise: Annotated[
        bool,
        typer.Option("--anonymise", help="Keep nothing that names a person, machine or day."),
    ] = False,
    subject: Subject = None,
    visit: Annotated[
        str | None, typer.Option("--session", help="Which visit: a BIDS label, such as 01.")
    ] = None,
    task: Task = None,
    run: Run = None,
) -> None:
    """Add a session to a BIDS dataset: signal, events, decodes, and the original recording.

    The labels are those that `serve` was told, unless given here.
    """
    from decoder.bids import export_bids

    said = {"subject": subject, "session": visit, "task": task, "run": run}
    with err.status("writing ..."):
        done = export_bids(session, bids, said, anonymise=anonymise)
    err.print(
        f"{done.n_times} samples with {done.n_gaps} gaps, {done.n_events} events, "
        f"{done.n_decodes} decodes; {done.n_outside} markers lie outside the recording"
    )
    typer.echo(done.path)


@takes_source
def timing(
    source: SourceConfig,
    recording: Annotated[
        Path | None,
        typer.Argument(help="A session's folder or a recording; without, a live stream."),
    ] = None,
    channel: Annotated[
        str, typer.Option(help="Channel of the photodiode, TTL line or trigger.")
    ] = "",
    events: Annotated[
        list[str] | None,
        typer.Option(help="Markers that have a pulse, such as `--events face house`; all."),
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=1, help="How long to look at a stream [s].")
    ] = 60.0,
    loop: Annotated[
        bool,
        typer.Option(
            "--loop", help="The pulse is sent with the marker: this is the device's delay."
        ),
    ] = False,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Timing file; the plot gets its name.")
    ] = Path("timing.json"),
) -> None:
    """Measure when stimuli really begin, against a photodiode, TTL line or trigger channel.

    Saves what `serve --timing` and `fit --timing` take. Exits with 1 if the offset varies by
    more than 5 ms (SD): then there is nothing to correct with.
    """
    from decoder.rehearsal import read_for
    from decoder.sources import open_source
    from decoder.timing import collect, measure, plot, recorded
    from streaming.lsl_clock import lsl_clock
    from streaming.timing import Timing, write_timing

    if recording is not None:
        spec, items = recorded(recording)
        held = collect(items, spec, channel, events or ())
    else:
        with err.status("looking for the stream ..."):
            live = open_source(source, None)
        with closing(live), err.status(f"measuring for {seconds:g} s ..."):
            items = read_for(live, seconds, lsl_clock)
            held = collect(items, live.spec, channel, events or ())
    measured = measure(held)
    plot(held, measured, output.with_suffix(".png"))
    found = measured.summary()
    table = Table("what", "found")
    for what, value in found.items():
        table.add_row(what.replace("_", " "), f"{value:g}")
    out.print(table)
    if not measured.good:
        err.print(
            f"[bold red]no go:[/] the offset varies by {1000 * measured.jitter:.1f} ms (SD), "
            "more than 5 ms; send markers with the time of the screen's flip, and look at "
            f"{escape(str(output.with_suffix('.png')))}"
        )
        raise typer.Exit(1)
    delay = measured.offset if loop else None
    write_timing(output, Timing(measured.offset, delay, measured.trigger), found)
    typer.echo(output)
