"""What the service costs: CPU of ingest, the way to the decoder, and memory over time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.table import Table

from benchmarks._accounts import read_account
from benchmarks._counting import counting_spec, sending
from benchmarks._rig import HOP, SFREQ, save_noise_model, spec_of, unit_of
from benchmarks._service import Service, is_decode, serving
from benchmarks._watching import cpu_of, memory_of
from decoder.verify import verify_session

__all__ = ["Soak", "load_part", "soak", "soak_table"]

_HOURS = 3600.0

_DRIFT = 50
"""Millionths by which the amplifier's clock is slow in the soak."""


def load_part(model: Path, work: Path, *, quick: bool) -> tuple[Any, Table]:
    """Measure at 306 channels and 1 kHz, recording, with 20 decodes a second."""
    del model  # of 64 channels
    work.mkdir()
    name, spec = f"faults-{uuid4().hex}", spec_of(306)
    save_noise_model(306, HOP, work / "model")
    arguments = (name, counting_spec(spec), unit_of(spec), _HOURS)
    with sending(*arguments), serving(work / "model", name, work / "session") as service:
        first = service.listener.wait_for(is_decode, since=0.0)
        pids = {what: service.pid_of(what) for what in ("ingest", "decode")}
        t, before = time.monotonic(), {what: cpu_of(pid) for what, pid in pids.items()}
        time.sleep(5.0 if quick else 30.0)
        spent = {what: cpu_of(pid) - before[what] for what, pid in pids.items()}
        duration = time.monotonic() - t
        service.stop()
    queue = [
        event.params["latency_ms"]["queue"]
        for event in service.listener.events
        if is_decode(event) and event.t > first.t
    ]
    cpu = {what: round(100 * seconds / duration, 1) for what, seconds in spent.items()}
    p50, p99 = np.percentile(queue, [50, 99]).round(3).tolist()
    table = Table("306 channels, 1 kHz", "measured", box=box.MARKDOWN)
    table.add_row("CPU of ingest, recording [% of a core]", f"{cpu['ingest']:.1f}")
    table.add_row("CPU of decode [% of a core]", f"{cpu['decode']:.1f}")
    table.add_row("from ingest to decode, median [ms]", f"{p50:.2f}")
    table.add_row("from ingest to decode, p99 [ms]", f"{p99:.2f}")
    result = {"cpu_percent": cpu, "hop_ms": {"p50": p50, "p99": p99}, "n": len(queue)}
    return result, table


@dataclass(frozen=True, slots=True)
class Soak:
    """What came of letting a session run.

    Parameters
    ----------
    minutes : float
        How long.
    memory : dict
        Of each process: MB in the first quarter after the first fifth, at the end (medians),
        and the growth from the one to the other in percent.
    clock_ms : dict
        Errors of the instants of samples, without their median: p95 and largest, in
        milliseconds, in the first and the second half.
    n_wrong : int
        Samples missing in the recording.
    n_events : int
        Events that came out again when the session was fed again.
    difference : str
        The first that did not.
    """

    minutes: float
    memory: dict[str, dict[str, float]]
    clock_ms: dict[str, dict[str, float]]
    n_wrong: int
    n_events: int
    difference: str


def soak(model: Path, seconds: float, work: Path) -> Soak:
    """Run a session with late blocks (up to 20 ms) and a slow amplifier (50 ppm).

    Parameters
    ----------
    model : Path
        A model of 64 channels.
    seconds : float
        How long.
    work : Path
        Gets the session; is made.
    """
    work.mkdir()
    name, spec = f"faults-{uuid4().hex}", spec_of(64)
    faults = ("jitter@0:end:20ms", f"drift@0:end:{_DRIFT}ppm")
    arguments = (name, counting_spec(spec), unit_of(spec), _HOURS)
    with (
        sending(*arguments, faults=faults),
        serving(model, name, work / "session") as service,
    ):
        service.listener.wait_for(is_decode, since=0.0)
        memory = _watch_memory(service, seconds)
        service.stop()
    account, verdict = read_account(service.session), verify_session(service.session)
    _, counts, t = account.fed[account.fed[:, 1] > 20 * SFREQ].T  # as clock.py promises
    error = 1000 * (t - counts / SFREQ * (1 + _DRIFT * 1e-6))
    error -= np.median(error)
    halves = zip(("first half", "second half"), np.array_split(error, 2), strict=True)
    return Soak(
        minutes=round(seconds / 60, 2),
        memory={what: _growth(values) for what, values in memory.items()},
        clock_ms={
            half: {
                "p95": round(float(np.percentile(np.abs(e), 95)), 3),
                "largest": round(float(np.max(np.abs(e))), 3),
            }
            for half, e in halves
        },
        n_wrong=int(np.sum(np.abs(np.diff(account.counts) - 1))),
        n_events=verdict.n_equal,
        difference=verdict.difference,
    )


def _watch_memory(service: Service, seconds: float) -> dict[str, NDArray[np.float64]]:
    pids = {"serve": service.process.pid}
    pids |= {what: service.pid_of(what) for what in ("ingest", "decode")}
    seen: dict[str, list[float]] = {what: [] for what in pids}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for what, pid in pids.items():
            seen[what].append(memory_of(pid))
        time.sleep(0.5)
    return {what: np.array(values) for what, values in seen.items()}


def _growth(values: NDArray[np.float64]) -> dict[str, float]:
    warm = values[len(values) // 5 :]
    quarter = max(len(warm) // 4, 1)
    before, after = float(np.median(warm[:quarter])), float(np.median(warm[-quarter:]))
    percent = 100 * (after / before - 1)
    return {"before": round(before, 1), "after": round(after, 1), "percent": round(percent, 2)}


def soak_table(result: Soak) -> Table:
    """Return a table of it."""
    table = Table(f"{result.minutes:g} minutes", "measured", box=box.MARKDOWN)
    for what, m in result.memory.items():
        text = f"{m['before']:.0f} to {m['after']:.0f} ({m['percent']:+.1f} %)"
        table.add_row(f"memory of {what} [MB]", text)
    for half, error in result.clock_ms.items():
        text = f"p95 {error['p95']:.2f}, largest {error['largest']:.2f}"
        table.add_row(f"error of instants, {half} [ms]", text)
    table.add_row("samples missing in the recording", f"{result.n_wrong}")
    table.add_row("verified", result.difference or f"{result.n_events} events")
    return table
