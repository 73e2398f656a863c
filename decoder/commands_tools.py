"""Commands around a session: before it, and what to do with it after."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from decoder.commands_decode import Run, Subject, Task
from decoder.console import err, out

__all__ = ["doctor", "export", "verify"]


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
