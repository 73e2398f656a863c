"""What is said beside faults of electrodes, and what an eye on the unusual costs and keeps.

A session of a simulated participant, with faults of one kind after the other. Then recordings:
a model of all runs but one decodes that one in a real session, as it is, and with electrodes
that die, saturate, pop, hum or give no numbers, one every eleven seconds. Each with and without
`models.usual`, on the same samples. Run with ``python -m benchmarks trust``; ``--quick`` shows
one simulated participant alone.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.real import DATA, RECORDINGS, Recordings
from decoder.events import Evidence, TextDecoded
from decoder.fitting import FitSettings, fit_recordings, read_windows
from decoder.session import Session
from decoder.simulation import (
    CANDIDATES,
    RECORDING,
    STIMULI,
    live_participant,
    save_calibration,
)
from models.checkpoint import Model
from models.fit import fit_model
from streaming.signal import Chunk, SignalSpec
from streaming.sources.effects import alter_rows
from streaming.sources.faults import Fault, parse_fault
from streaming.sources.opening import open_recording
from streaming.sources.simulated import SimulatedSettings
from streaming.sources.source import Item, Source

__all__ = ["KINDS", "Said", "faulted", "main", "said_by", "scattered"]

SURE = 0.9

KINDS = (
    "flat@{t:.2f}:4s:channels={name}",
    "saturate@{t:.2f}:4s:2mV:channels={name}",
    "pop@{t:.2f}:2s:2mV:channels={name}",
    "line@{t:.2f}:2s:500uV:channels={name}",
    "nan@{t:.2f}:500ms:channels={name}",
)
"""What happens to a channel, in turn."""

SIMULATED = {
    "none": (),
    "two electrodes die for 40 s": ("flat@100:40s:channels=Cz,Pz",),
    "one is off for a second": ("flat@100:1s:channels=Cz",),
    "one saturates for 20 s": ("saturate@100:20s:5mV:channels=Oz",),
    "five pops of 5 mV": tuple(
        f"pop@{t}:2s:5mV:channels={name}"
        for t, name in ((60, "Fz"), (90, "O1"), (120, "C3"), (150, "T8"), (180, "Pz"))
    ),
    "five pops of 0.3 mV": tuple(
        f"pop@{t}:2s:300uV:channels={name}"
        for t, name in ((60, "Fz"), (90, "O1"), (120, "C3"), (150, "T8"), (180, "Pz"))
    ),
    "three bursts of 50 Hz": tuple(
        f"line@{t}:2s:500uV:channels={name}"
        for t, name in ((60, "Fz"), (90, "O1"), (120, "C3"))
    ),
    "no numbers for 5 s": ("nan@100:5s:channels=Pz",),
}


@dataclass(frozen=True, slots=True)
class Said:
    """What a session said.

    Parameters
    ----------
    decodes : tuple of TextDecoded
        All, the withheld ones too.
    evidence : dict of str to float
        The power of ten of each stake at the end, by protocol.
    """

    decodes: tuple[TextDecoded, ...]
    evidence: dict[str, float]

    def counts(self) -> tuple[int, int, int, int, int]:
        """Return how many were decoded, right, sure, sure and wrong, and unusual."""
        made = [(d.top[0].p, d.truth.rank) for d in self.decodes if d.top and d.truth]
        right = sum(rank == 1 for _, rank in made)
        wrong = sum(p > SURE and rank > 1 for p, rank in made)
        unusual = sum(d.abstained == "unusual" for d in self.decodes)
        return len(made), right, sum(p > SURE for p, _ in made), wrong, unusual


def faulted(items: Iterable[Item], faults: Sequence[Fault]) -> Iterator[Item]:
    """Yield what a source delivers, with faults of channels."""
    for item in items:
        if not isinstance(item, Chunk) or not faults:
            yield item
            continue
        rows = item.data.T
        t = (item.first + np.arange(item.n_times)) / item.spec.sfreq
        for fault in faults:
            now = fault.covers(t)
            if now.any():
                columns = [item.spec.ch_names.index(name) for name in fault.channels]
                levels = np.full(len(columns), fault.amount)
                rows = rows.copy()
                rows[now] = alter_rows(fault, rows[now], t[now], columns, levels)
        yield replace(item, data=np.ascontiguousarray(rows.T))


def scattered(spec: SignalSpec, seconds: float, seed: int) -> list[Fault]:
    """Return a fault of a channel every eleven seconds, of each of `KINDS` in turn."""
    rng = np.random.default_rng(seed)
    times = np.arange(15.0, seconds - 6, 11.0) + rng.uniform(-1, 1)
    names = rng.choice(spec.ch_names, len(times))
    return [
        parse_fault(KINDS[n % len(KINDS)].format(t=t, name=name))
        for n, (t, name) in enumerate(zip(times.tolist(), names.tolist(), strict=True))
    ]


def read_all(source: Source) -> list[Item]:
    """Return all that a source delivers."""
    items = []
    while (item := source.read(0)) is not None:
        items.append(item)
    source.close()
    return items


def said_by(model: Model, items: Sequence[Item], faults: Sequence[Fault] = ()) -> Said:
    """Return what a session of a model says of a recording."""
    spec = next(item.spec for item in items if isinstance(item, Chunk))
    session = Session(model, spec, "S", freshness=1e9)
    decodes, evidence = [], dict[str, float]()
    for item in faulted(items, faults):
        t = item.t_end if isinstance(item, Chunk) else item.t
        for event in session.feed(item, t):
            if isinstance(event, TextDecoded):
                decodes.append(event)
            elif isinstance(event, Evidence) and event.available:
                evidence[event.protocol] = event.log10_e
    return Said(tuple(decodes), evidence)


def _row(name: str, watched: str, said: Sequence[Said]) -> str:
    n, right, sure, wrong, unusual = np.sum([one.counts() for one in said], axis=0)
    of = sum(len(one.decodes) for one in said)
    end = ", ".join(f"{one:.1f}" for each in said for one in each.evidence.values())
    return (
        f"| {name} | {watched} | {n} of {of} | {unusual} | {right / n:.1%} | {sure} "
        f"| {wrong} | {end or 'none'} |"
    )


def simulated(seed: int) -> Iterator[str]:
    """Yield rows of a participant whose electrodes fail."""
    settings = SimulatedSettings(subject_seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        save_calibration(settings, 600, root)
        what = FitSettings(stimuli=root / STIMULI, candidates=root / CANDIDATES)
        model = fit_recordings([root / RECORDING], root / "model", what).model
    items = read_all(live_participant(settings, n_trials=300))
    for name, texts in SIMULATED.items():
        faults = [parse_fault(text) for text in texts]
        for watched, by in (("no", replace(model, usual=())), ("yes", model)):
            yield _row(f"simulated {seed}: {name}", watched, [said_by(by, items, faults)])


def recorded(name: str, recordings: Recordings) -> Iterator[str]:
    """Yield rows of a person each of whose runs is decoded by a model of the others."""
    paths = sorted(DATA.glob(recordings.pattern))
    settings = FitSettings(events=recordings.labels, drop=recordings.drop)
    table = settings.table()
    windows = read_windows(paths, settings, settings.windows(table), lambda _: None)
    said: dict[tuple[str, str], list[Said]] = {}
    for run, path in enumerate(paths):
        kept = windows.take(windows.files != run)
        model = fit_model(kept, settings.pool(table), encoder="auto").model
        items = read_all(open_recording(path))
        n_times = sum(item.n_times for item in items if isinstance(item, Chunk))
        faults = scattered(model.spec, n_times / model.spec.sfreq, run)
        for what, injected in (("none", []), ("one every 11 s", faults)):
            for watched, by in (("no", replace(model, usual=())), ("yes", model)):
                found = said_by(by, items, injected)
                said.setdefault((what, watched), []).append(replace(found, evidence={}))
    for (what, watched), found_all in said.items():
        yield _row(f"{name}: {what}", watched, found_all)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="trust", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one simulated participant alone")
    parser.add_argument("--people", nargs="+", type=int, default=[1, 2, 3])
    options = parser.parse_args()
    print("| faults | unusual withheld | decoded | unusual ", end="")
    print("| top-1 | sure | sure, wrong | evidence |")
    print("|---|---|---|---|---|---|---|---|")
    for seed in options.people[:1] if options.quick else options.people:
        for row in simulated(seed):
            print(row, flush=True)
    for name, recordings in RECORDINGS.items() if not options.quick else ():
        if len(list(DATA.glob(recordings.pattern))) < 3:
            continue  # one of two runs is no calibration
        for row in recorded(name, recordings):
            print(row, flush=True)


if __name__ == "__main__":
    main()
