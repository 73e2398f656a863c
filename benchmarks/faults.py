"""Do everything on purpose that goes wrong, and account for each sample.

``braincast serve`` records and decodes a stream of 64 channels at 1 kHz, over LSL, whose last
channel counts its samples, while

- the sender injects faults (`streaming.sources.faults`), whose log is the truth;
- the service, its decoder, its ingest or the sender is killed (``kill -9``).

Run with ``python -m benchmarks faults``; ``--quick`` is a first look, ``--json`` for programs,
``--soak MINUTES`` watches memory and clock for longer.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks import _kills, _load
from benchmarks._accounts import Account, lost_in_truth, read_account, read_truth
from benchmarks._counting import counting_spec, sending
from benchmarks._rig import SFREQ, WINDOW, save_noise_model, spec_of, unit_of
from benchmarks._service import PATIENCE, Heard, calm_folder, serving
from decoder.verify import verify_session
from streaming.sources.faults import parse_fault

__all__ = ["FAULTS", "Outcome", "main"]

HOP = 0.1

FAULTS: dict[str, tuple[str, ...]] = {
    "none": (),
    "drop 2 s": ("drop@6:2s",),
    "drop 200 ms": ("drop@6:200ms",),
    "drop 50 ms": ("drop@6:50ms",),
    "drop 30 ms": ("drop@6:30ms",),
    "drop 15 ms": ("drop@14:15ms",),
    "drop 15 ms, jitter": (
        "jitter@0:end:20ms",
        "drop@26:15ms",
        "line@34:1s:1uV:channels=E3",  # so long it takes until the loss is found
    ),
    "stall": ("stall@6:3s",),
    "jitter": ("jitter@6:4s:20ms",),
    "bunch": ("bunch@6:4s:12",),
    "step back": ("step@6:-0.5s",),
    "step": ("step@6:0.5s",),
    "drift": ("drift@0:end:100ppm",),
    "disconnect": ("disconnect@6:3s",),
    "nan": ("nan@6:500ms:channels=E3,E7",),
    "flat": ("flat@6:2s:channels=E3,E7",),
    "saturate": ("saturate@6:2s:5mV:channels=E3,E7",),
    "line": ("line@6:2s:50uV:channels=E3,E7",),
    "together": (
        "jitter@0:end:20ms",
        "drift@0:end:100ppm",
        "line@3:end:20uV:channels=E1,E2",
        "drop@6:500ms",
        "flat@9:1s:channels=E3",
        "nan@10:200ms:channels=E3,E7",
        "stall@11:3s",
        "disconnect@18:2s",
        "saturate@19:3s:5mV:channels=E5",
        "step@28:0.5s",
        "drop@35:2s",
    ),
}
"""The sessions: what goes wrong in each, in seconds since its first sample."""

QUICK = ("drop 2 s", "disconnect")

_AFTER = 6.0
"""Seconds that a session goes on after its last fault: settling and window are 3.9 s."""

_INTERRUPTING = {"drop", "stall", "step", "disconnect", "nan"}

_AT_ONCE = 5
"""Sessions at a time: each needs about a sixth of a core."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a session with faults.

    Parameters
    ----------
    faults : str
        Which.
    n_taken, n_lost, n_unheard, n_recorded : int
        Samples: those that were taken; of these those that the injector swallowed, and those
        that it sent after an outage before the service was there again; those in the recording.
    n_wrong : int
        Samples that are otherwise missing, or recorded and not sent, or twice.
    n_ledger : int
        Samples that are lost by the session's own gaps.
    n_decodes, n_spanning : int
        Decodes, and those whose window has a hole.
    after : dict of str to float
        From the end of each fault to the first decode of samples after it alone, in seconds.
    n_events : int
        Events that came out again when the session was fed again.
    difference : str
        The first that did not.
    """

    faults: str
    n_taken: int
    n_lost: int
    n_unheard: int
    n_recorded: int
    n_wrong: int
    n_ledger: int
    n_decodes: int
    n_spanning: int
    after: dict[str, float]
    n_events: int
    difference: str


def _run(label: str, model: Path, work: Path) -> tuple[str, Path, Path]:
    """Let one session run, and return its label, its folder and the log of the truth."""
    faults = FAULTS[label]
    name, folder = f"faults-{uuid4().hex}", work / label.replace(" ", "-")
    truth = work / f"{folder.name}.jsonl"
    spec = counting_spec(spec_of(64))
    ends = [_end_of(text) for text in faults]
    seconds = max([6.0, *ends]) + _AFTER
    arguments = (name, spec, unit_of(spec_of(64)), seconds)
    with (
        sending(*arguments, faults=faults, truth=truth, held=True) as sender,
        serving(model, name, folder) as service,
    ):
        sender.go.set()
        sender.process.join(PATIENCE)
        if sender.process.exitcode != 0:
            msg = f"the sender of {label!r} did not come to its end"
            raise RuntimeError(msg)
        _, total = read_truth(truth)
        service.listener.wait_for(_is_lost, since=total["t_0"] + seconds - 0.5)
        service.stop()
        return label, service.session, truth


def _is_lost(event: Heard) -> bool:
    return event.stream == "state" and event.params["state"] in {"lost", "stalled"}


def _end_of(text: str) -> float:
    fault = parse_fault(text)
    return fault.at if np.isinf(fault.end) else fault.end


def _judge(label: str, session: Path, truth: Path) -> Outcome:
    faults, total = read_truth(truth)
    account = read_account(session)
    lost = lost_in_truth(faults)
    sent = np.setdiff1d(np.arange(total["n_taken"]), lost)
    n_unheard = sum(
        _next_recorded(line, account.counts) - line["first"] - line["n_samples"]
        for line in faults
        if line["kind"] == "disconnect"
    )
    n_wrong = len(np.setxor1d(sent, account.counts)) - n_unheard
    n_wrong += len(account.counts) - len(np.unique(account.counts))
    after = [_until_decode(line, faults, total, account) for line in faults]
    verdict = verify_session(session)
    return Outcome(
        faults=label,
        n_taken=total["n_taken"],
        n_lost=len(lost),
        n_unheard=n_unheard,
        n_recorded=len(account.counts),
        n_wrong=n_wrong,
        n_ledger=account.n_ledger,
        n_decodes=len(account.decodes),
        n_spanning=sum(decode.spans for decode in account.decodes),
        after={line["fault"]: t for line, t in zip(faults, after, strict=True) if t},
        n_events=verdict.n_equal,
        difference=verdict.difference,
    )


def _until_decode(
    fault: dict[str, Any],
    faults: Sequence[dict[str, Any]],
    total: dict[str, Any],
    account: Account,
) -> float | None:
    """Return the seconds from the end of a fault to the first decode of what came after it.

    None where the session ends with the fault, or another interrupts it too soon after.
    """
    end = fault["first"] + (0 if fault["kind"] == "step" else fault["n_samples"])
    soon = end + _AFTER * SFREQ
    others = (f["first"] for f in faults if f["kind"] in _INTERRUPTING and f is not fault)
    if end >= total["n_taken"] or any(fault["first"] <= other < soon for other in others):
        return None
    decode = next((d for d in account.decodes if d.first >= end), None)
    return round(decode.t_emit - total["t_0"] - end / SFREQ, 2) if decode else np.inf


def _next_recorded(fault: dict[str, Any], counts: NDArray[np.int64]) -> int:
    """Return the number of the first sample that was recorded after a fault began."""
    return int(counts[np.searchsorted(counts, fault["first"])])


def _sessions(labels: Sequence[str], model: Path, work: Path) -> list[Outcome]:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        # the longest is last in the table and starts first
        running = [pool.submit(_run, label, model, work) for label in reversed(labels)]
        return [_judge(*session.result()) for session in reversed(running)]


def _table(outcomes: Sequence[Outcome]) -> Table:
    table = Table("fault", box=box.MARKDOWN)
    for column in (
        "taken",
        "swallowed",
        "sent to nobody",
        "recorded",
        "unexplained",
        "ledger",
        "decodes",
        "over a hole",
        "first decode after [s]",
        "verified",
    ):
        table.add_column(column, justify="right")
    for o in outcomes:
        table.add_row(
            o.faults,
            *map(str, (o.n_taken, o.n_lost, o.n_unheard, o.n_recorded, o.n_wrong, o.n_ledger)),
            f"{o.n_decodes}",
            f"{o.n_spanning}",
            ", ".join(f"{seconds:.2f}" for seconds in o.after.values()),
            o.difference or f"{o.n_events} events",
        )
    return table


def main() -> None:
    """Print a table of what was done and what came of it."""
    parser = argparse.ArgumentParser(prog="faults", description="What goes wrong, on purpose.")
    parser.add_argument("--quick", action="store_true", help="a few of each")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--only", nargs="+", choices=_PARTS, default=_PARTS, help="which parts")
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="watch memory and clock")
    options = parser.parse_args()
    results: dict[str, Any] = {}
    console = Console(width=140, quiet=options.json, markup=False)
    with calm_folder() as work:
        model = work / "model"
        settling = save_noise_model(64, HOP, model)
        results["limit"] = round(WINDOW + HOP + settling, 2)
        console.print(f"window + hop + settling: {results['limit']:.2f} s")
        if options.soak is not None:
            soak = _load.soak(model, 60 * options.soak, work / "soak")
            results["soak"] = asdict(soak)
            console.print(_load.soak_table(soak))
        else:

            def run(part: str) -> tuple[Any, Table]:
                return _PARTS[part](model, work / part, quick=options.quick)

            # A first look takes all at once; what is measured is then worse.
            with ThreadPoolExecutor(len(_PARTS) if options.quick else 1) as pool:
                for part, (result, table) in zip(
                    options.only, pool.map(run, options.only), strict=True
                ):
                    results[part] = result
                    console.print(table)
    if options.json:
        print(json.dumps(results, indent=2))


def _faults_part(model: Path, work: Path, *, quick: bool) -> tuple[Any, Table]:
    work.mkdir()
    outcomes = _sessions(QUICK if quick else tuple(FAULTS), model, work)
    return [asdict(outcome) for outcome in outcomes], _table(outcomes)


_PARTS = {
    "faults": _faults_part,
    "service": _kills.service_part,
    "decoder": _kills.decoder_part,
    "ingest": _kills.ingest_part,
    "source": _kills.source_part,
    "load": _load.load_part,
}


if __name__ == "__main__":
    main()
