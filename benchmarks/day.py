"""A whole day in the lab: the commands of a tutorial, one by one, and what came of it.

Follows ``docs/tutorial/a-day-in-the-lab.md`` command by command, in processes of their own,
over LSL. Then prints what became of each session, accuracy before and after drift with
adaptation off and on, and, from the benchmark `calibration`, minutes of calibration on day 1,
on day 2, and of somebody new, and, from the benchmark `evidence`, how often there seems to be
evidence where nothing is. Run with ``python -m benchmarks day``; ``--quick`` shows fewer
trials, ``--no-minutes`` leaves out the last two tables, ``--keep FOLDER`` keeps all that was
recorded.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks import calibration, evidence
from benchmarks._day import Day, blocks
from decoder.account import Account
from decoder.accounting import read_account
from decoder.folder import SessionFolder
from decoder.score import wilson
from decoder.verify import verify_session

__all__ = ["SERVED", "Served", "follow", "main"]

SERVED = {
    "decode": "the morning: two dead electrodes, an amplifier that goes",
    "drift": "the afternoon: drift, adaptation off",
    "follow": "the afternoon again: adaptation on",
    "decode-tuesday": "Tuesday, a tenth of the calibration",
    "decode-bob": "somebody else",
}
"""The blocks of the tutorial that decode."""

QUICK = {
    "--trials 450": "--trials 120",
    "--trials 300": "--trials 100",
    "--trials 200": "--trials 60",
    "--minutes 3.5": "--minutes 1.2",
}
"""What is typed instead for a first look."""


@dataclass(frozen=True, slots=True)
class Served:
    """A session of the day.

    Parameters
    ----------
    label : str
        The block that it is of.
    account : Account
        What became of it.
    n_verified : int
        Events that came out again when it was fed again.
    difference : str
        The first that did not; empty if all did.
    """

    label: str
    account: Account
    n_verified: int
    difference: str


def follow(day: Day) -> list[Served]:
    """Follow the whole tutorial, and return the sessions that decoded."""
    found = []
    for label in blocks():
        if label == "photodiode":
            day.python(label)
            continue
        day.run(label)
        if label in SERVED:
            path = day.session()
            verdict = verify_session(path)
            account = read_account(SessionFolder(path))
            found.append(Served(label, account, verdict.n_equal, verdict.difference))
    return found


def _sessions(sessions: Sequence[Served]) -> Table:
    table = Table("session", box=box.MARKDOWN)
    for name in (
        "decoded of",
        "lost [s]",
        "shown in calibration: n",
        "top-1 of 300",
        "never shown: n",
        "top-5 of 300",
        "sets with the truth, promised 80 %",
        "evidence: shown, never shown [log10 to 1]",
        "verified",
    ):
        table.add_column(name, justify="right")
    for one in sessions:
        a = one.account
        lost = sum(loss.duration for loss in a.losses if loss.reason != "revised")
        cells = [f"{a.windows.count('decoded')} of {len(a.windows.t)}", f"{lost:.1f}"]
        for protocol, place in (("closed_set", 1), ("zero_shot", 5)):
            ranks = _ranks(a, protocol)[1]
            cells += [f"{len(ranks)}", _share(ranks <= place)]
        held = np.concatenate([said.held for said in a.coverage]) if a.coverage else None
        cells.append("none" if held is None else _share(held))
        cells.append(", ".join(_bets(a, protocol) for protocol in ("closed_set", "zero_shot")))
        cells.append(one.difference or f"{one.n_verified} events")
        table.add_row(SERVED[one.label], *cells)
    return table


def _ranks(account: Account, protocol: str) -> tuple[np.ndarray, np.ndarray]:
    """Return when each truth was told, in seconds, and its place, over all models."""
    scores = [score for score in account.scores if score.protocol == protocol]
    if not scores:
        return np.empty(0), np.empty(0, np.intp)
    return (
        np.concatenate([score.t for score in scores]),
        np.concatenate([score.rank for score in scores]),
    )


def _bets(account: Account, protocol: str) -> str:
    said = [
        f"{one.log10_e[-1]:.1f}"
        for one in account.evidence
        if one.protocol == protocol and len(one.log10_e)
    ]
    return said[-1] if said else "none"


def _share(happened: np.ndarray) -> str:
    n, hits = len(happened), int(happened.sum())
    if not n:
        return "none"
    low, high = wilson(hits, n)
    return f"{hits / n:.1%} ({low:.0%} to {high:.0%})"


def _drift(sessions: Sequence[Served]) -> Table:
    table = Table("adaptation", box=box.MARKDOWN)
    for name in ("first third, top-1 of 300", "last third", "models swapped in", "alarms"):
        table.add_column(name, justify="right")
    for one in sessions:
        if one.label not in {"drift", "follow"}:
            continue
        _, ranks = _ranks(one.account, "closed_set")
        first, _, last = np.array_split(ranks, 3)
        happened = [(h.what, h.state) for h in one.account.happened]
        table.add_row(
            "off" if one.label == "drift" else "on",
            _share(first == 1),
            _share(last == 1),
            f"{happened.count(('model', 'swapped'))}",
            f"{happened.count(('drift', 'alarm'))}",
        )
    return table


def _minutes(*, quick: bool) -> Table:
    table = Table("calibration", "80 % of the final accuracy after [min]", box=box.MARKDOWN)
    for day in calibration.days(quick=quick):
        reached = "never" if day.minutes is None else f"{day.minutes:.2f}"
        table.add_row(day.name, reached)
    return table


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="day")
    parser.add_argument("--quick", action="store_true", help="a first look: fewer trials")
    parser.add_argument("--no-minutes", action="store_true", help="leave out the last tables")
    parser.add_argument("--keep", type=Path, help="an empty folder for all that is recorded")
    options = parser.parse_args()
    console = Console(width=220, markup=False)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name) if options.keep is None else options.keep
        work.mkdir(exist_ok=True)
        day = Day(work, QUICK if options.quick else {})
        began = time.monotonic()
        sessions = follow(day)
        took = time.monotonic() - began
        console.print(f"the day took {took / 60:.1f} min:", ", ".join(_times(day)))
        console.print(_sessions(sessions))
        console.print(_drift(sessions))
        reports = [line for said in day.said["look"] for line in said if "report.html" in line]
        console.print(f"report: {Path(reports[0]).stat().st_size / 1e6:.1f} MB")
    if not options.no_minutes:
        console.print(_minutes(quick=options.quick))
        evidence.main(["--power", "0"])


def _times(day: Day) -> list[str]:
    return [f"{re.sub('-', ' ', label)} {t:.0f} s" for label, t in day.seconds.items()]


if __name__ == "__main__":
    main()
