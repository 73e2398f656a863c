"""`kill -9`: of the whole service, of its decoder, of its ingest, of the sender."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from rich import box
from rich.table import Table

from benchmarks._accounts import Account, read_account
from benchmarks._counting import Sender, counting_spec, sending
from benchmarks._rig import spec_of, unit_of
from benchmarks._service import Heard, Service, is_decode, serving
from decoder.folder import open_folder
from decoder.reading import read_log
from decoder.verify import verify_session
from streaming.lsl_clock import lsl_clock

__all__ = ["decoder_part", "ingest_part", "service_part", "source_part"]

_HOURS = 3600.0

_BASE = 500_000
"""What a sender that was started again adds to its numbers."""


def summary(values: Sequence[float]) -> str:
    """Return median and worst of durations in seconds."""
    return f"{np.median(values):.2f} (worst {max(values):.2f})" if len(values) else ""


def _table(rows: Sequence[tuple[str, Any]]) -> Table:
    table = Table("what", "measured", box=box.MARKDOWN)
    for what, measured in rows:
        table.add_row(what, str(measured))
    return table


def _missing_events(service: Service) -> int:
    """Return how many events a client saw that the log does not hold as the client saw them."""
    logged = {m["params"]["seq"]: m for m in read_log(open_folder(service.session))}
    missing = 0
    for event in service.listener.events:
        found = logged.get(event.params["seq"])
        missing += found is None or found["params"] != event.params
    return missing


def _broken_seq(service: Service) -> int:
    seqs = [m["params"]["seq"] for m in read_log(open_folder(service.session))]
    return sum(a != b for a, b in zip(seqs, range(1, len(seqs) + 1), strict=True))


def _repeated_ids(service: Service) -> int:
    log = read_log(open_folder(service.session))
    ids = [m["params"]["decode_id"] for m in log if m["method"] == "text"]
    return len(ids) - len(set(ids))


def _holes(account: Account) -> int:
    """Return how many samples are missing or there twice from the first to the last."""
    return int(np.sum(np.abs(np.diff(account.counts) - 1)))


# -- the whole service --


@dataclass(frozen=True, slots=True)
class _Killed:
    """A session that was killed.

    Parameters
    ----------
    unrecorded : float
        From the last recorded sample to the kill, in seconds.
    holes, unlogged : int
        Samples missing within the recording; events that a client saw and the log lacks.
    n_seen, n_events : int
        Events that a client saw, and those that came out again when fed again.
    difference : str
        The first that did not.
    """

    unrecorded: float
    holes: int
    unlogged: int
    n_seen: int
    n_events: int
    difference: str


def _kill_service(
    model: Path, name: str, folder: Path, seconds: float
) -> tuple[Service, float]:
    with serving(model, name, folder) as service:
        service.listener.wait_for(lambda _: True, since=0.0)
        time.sleep(seconds)
        pids = service.pids()
        t_killed = lsl_clock()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        service.process.wait()
        return service, t_killed


def service_part(model: Path, work: Path, *, quick: bool) -> tuple[Any, Table]:
    """Kill all processes of sessions at random moments, two sessions at a time."""
    n, draw = (2 if quick else 10), random.Random(2)
    name, spec = f"faults-{uuid4().hex}", spec_of(64)
    moments = [draw.uniform(0.0, 9.0) for _ in range(n)]
    folders = [work / f"{k}" for k in range(n)]
    with (
        sending(name, counting_spec(spec), unit_of(spec), _HOURS, wait=0.0),
        ThreadPoolExecutor(2) as pool,
    ):
        killed = list(
            pool.map(lambda k: _kill_service(model, name, folders[k], moments[k]), range(n))
        )
    results = []
    for service, t_killed in killed:
        account = read_account(service.session)
        verdict = verify_session(service.session)
        results.append(
            _Killed(
                unrecorded=round(t_killed - float(account.stamps[-1]), 3),
                holes=_holes(account),
                unlogged=_missing_events(service),
                n_seen=len(service.listener.events),
                n_events=verdict.n_equal,
                difference=verdict.difference,
            )
        )
    table = _table(
        [
            ("sessions killed, all processes at once", n),
            (
                "last recorded sample before the kill [s]",
                summary([r.unrecorded for r in results]),
            ),
            ("samples missing within the recordings", sum(r.holes for r in results)),
            ("events that clients saw", sum(r.n_seen for r in results)),
            ("of these not in `events.jsonl`", sum(r.unlogged for r in results)),
            ("sessions that verify", f"{sum(not r.difference for r in results)} of {n}"),
        ]
    )
    return [asdict(result) for result in results], table


# -- the decoder --


def _is_settling(event: Heard) -> bool:
    return event.stream == "state" and event.params["state"] == "settling"


def _says_missed(event: Heard) -> bool:
    return "while decoding was restarted" in event.params.get("detail", "")


def decoder_part(model: Path, work: Path, *, quick: bool) -> tuple[Any, Table]:
    """Kill the decoder of one session again and again."""
    n = 2 if quick else 10
    name, spec = f"faults-{uuid4().hex}", spec_of(64)
    again, valid, told = [], [], 0
    with (
        sending(name, counting_spec(spec), unit_of(spec), _HOURS),
        serving(model, name, work) as service,
    ):
        listener = service.listener
        listener.wait_for(is_decode, since=0.0)
        for _ in range(n):
            t_killed = lsl_clock()
            os.kill(service.pid_of("decode"), signal.SIGKILL)
            missed = listener.wait_for(_says_missed, t_killed)  # before its decodes
            first = listener.wait_for(lambda e: e.stream == "text", missed.t)
            decode = listener.wait_for(is_decode, missed.t)
            told += 1
            again.append(first.t - t_killed)
            valid.append(decode.t - t_killed)
        service.stop()
    account, verdict = read_account(service.session), verify_session(service.session)
    result = {
        "n": n,
        "again": [round(t, 2) for t in again],
        "valid": [round(t, 2) for t in valid],
        "told": told,
        "holes": _holes(account),
        "unlogged": _missing_events(service),
        "broken_seq": _broken_seq(service),
        "repeated_ids": _repeated_ids(service),
        "n_events": verdict.n_equal,
        "difference": verdict.difference,
    }
    table = _table(
        [
            ("kills of the decoder in one session", n),
            ("windows again after [s]", summary(again)),
            ("decodes that are not withheld again after [s]", summary(valid)),
            ("reconnecting clients told what was missed", f"{told} of {n}"),
            ("samples missing in the recording", result["holes"]),
            ("events that the client saw and the log lacks", result["unlogged"]),
            ("breaks of `seq`", result["broken_seq"]),
            ("decode ids that come twice", result["repeated_ids"]),
            ("verified", verdict.difference or f"{verdict.n_equal} events"),
        ]
    )
    return result, table


# -- the ingest --


def ingest_part(model: Path, work: Path, *, quick: bool) -> tuple[Any, Table]:
    """Kill the ingest of one session again and again."""
    n = 2 if quick else 10
    name, spec = f"faults-{uuid4().hex}", spec_of(64)
    draw = random.Random(3)
    said, kills = [], []
    with (
        sending(name, counting_spec(spec), unit_of(spec), _HOURS),
        serving(model, name, work) as service,
    ):
        listener = service.listener
        listener.wait_for(is_decode, since=0.0)
        for _ in range(n):
            t_killed = lsl_clock()
            os.kill(service.pid_of("ingest"), signal.SIGKILL)
            said.append(listener.wait_for(_is_away, t_killed).t - t_killed)
            kills.append(t_killed)
            back = listener.wait_for(_is_live, t_killed)
            listener.wait_for(is_decode, back.t)
            time.sleep(draw.uniform(0.0, 1.0))
        service.stop()
    account, verdict = read_account(service.session), verify_session(service.session)
    breaks = np.flatnonzero(np.diff(account.counts) != 1)
    lost = int(account.counts[-1] - account.counts[0] + 1 - len(account.counts))
    firsts = account.counts[breaks + 1]  # the first sample of each recording but the first
    fed = {int(count): t for t, count, _ in account.fed}
    samples = [fed[int(c)] - t for c, t in zip(firsts, kills, strict=True)]
    valid = [
        next(d.t_emit for d in account.decodes if d.first >= c) - fed[int(c)] for c in firsts
    ]
    result = {
        "n": n,
        "said": [round(t, 3) for t in said],
        "samples": [round(t, 2) for t in samples],
        "valid": [round(t, 2) for t in valid],
        "recordings": len(breaks) + 1,
        "lost": lost,
        "ledger": account.n_ledger,
        "spanning": sum(decode.spans for decode in account.decodes),
        "broken_seq": _broken_seq(service),
        "unlogged": _missing_events(service),
        "n_events": verdict.n_equal,
        "difference": verdict.difference,
    }
    table = _table(
        [
            ("kills of the ingest in one session", n),
            ("clients told after [s]", summary(said)),
            ("samples again after [s]", summary(samples)),
            ("first decode after the first of these samples [s]", summary(valid)),
            ("samples lost, and by the ledger", f"{lost}, {account.n_ledger}"),
            ("decodes over a hole", result["spanning"]),
            ("breaks of `seq`", result["broken_seq"]),
            ("events that the client saw and the log lacks", result["unlogged"]),
            ("verified", verdict.difference or f"{verdict.n_equal} events"),
        ]
    )
    return result, table


def _is_live(event: Heard) -> bool:
    return (event.stream, event.params.get("what"), event.params.get("state")) == (
        "state",
        "source",
        "live",
    )


# -- the sender --


def source_part(model: Path, work: Path, *, quick: bool) -> tuple[Any, Table]:
    """Kill the sender and start it again, again and again, with one session going on."""
    n = 2 if quick else 20
    name, spec = f"faults-{uuid4().hex}", spec_of(64)
    draw = random.Random(4)
    back = []
    with ExitStack() as stack:

        def send(first: int, wait: float) -> Sender:
            arguments = (name, counting_spec(spec), unit_of(spec), _HOURS)
            return stack.enter_context(sending(*arguments, first=first, wait=wait))

        sender = send(0, 60.0)
        service = stack.enter_context(serving(model, name, work))
        listener = service.listener
        listener.wait_for(is_decode, since=0.0)
        for k in range(1, n + 1):
            t_killed = lsl_clock()
            sender.process.kill()
            listener.wait_for(_is_away, t_killed)
            time.sleep(draw.uniform(0.0, 3.0))
            t_again = lsl_clock()
            sender = send(k * _BASE, 0.0)
            listener.wait_for(is_decode, t_again)
            back.append(float(sender.t_there.value))
        service.stop()
    account, verdict = read_account(service.session), verify_session(service.session)
    samples, valid = [], []
    for k, t_there in enumerate(back, 1):
        ours = account.fed[account.fed[:, 1] // _BASE == k]
        decode = next(d for d in account.decodes if d.first // _BASE == k)
        samples.append(float(ours[0, 0]) - t_there)
        valid.append(decode.t_emit - float(ours[0, 2]))
    n_spanning = sum(decode.spans for decode in account.decodes)
    result = {
        "n": n,
        "samples": [round(t, 2) for t in samples],
        "valid": [round(t, 2) for t in valid],
        "spanning": n_spanning,
        "n_events": verdict.n_equal,
        "difference": verdict.difference,
    }
    table = _table(
        [
            ("kills of the sender in one session", n),
            ("samples again after its streams are back [s]", summary(samples)),
            ("first decode after the first of these samples [s]", summary(valid)),
            ("decodes over a hole", n_spanning),
            ("verified", verdict.difference or f"{verdict.n_equal} events"),
        ]
    )
    return result, table


def _is_away(event: Heard) -> bool:
    return event.stream == "state" and event.params["state"] == "lost"
