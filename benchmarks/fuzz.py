"""Hostile messages, frames, openings, tokens and paths, at a service that decodes.

`braincast serve` decodes 64 channels at 1 kHz 20 times a second and records. A client listens
to all of it, without loss, while the service is attacked; after each attack it must have the
same processes and have printed no traceback. An answer that the protocol does not allow, or
that tells anything to who has no token, ends the run. Latencies are those that the service says
of the decodes it made meanwhile, from the newest sample to the event.

Run with ``python -m benchmarks fuzz``; ``--quick`` is a hundredth of it.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import Counter
from collections.abc import Callable
from itertools import dropwhile, pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks import _attack
from benchmarks._counting import counting_spec, sending
from benchmarks._hostile import FRAMES, HANDSHAKES, drawn, requests, token_guesses
from benchmarks._rig import HOP, save_noise_model, spec_of, unit_of
from benchmarks._service import Service, calm_folder, is_decode, serving
from benchmarks._watching import latency_in, memory_of
from decoder.client import split_url
from decoder.tokens import TokenFile
from streaming.lsl_clock import lsl_clock

__all__ = ["main"]


def _attacks(
    port: int,
    token: str,
    tokens: TokenFile,
    texts: list[str],
    guesses: list[Any],
    n_rest: int,
) -> dict[str, Callable[[], Counter[str]]]:
    """Return what is tried, by what the table calls it."""
    roles = [None, tokens.create("viewer", "v"), tokens.create("participant", "p"), token]
    wrong = ["", "Bearer", "Bearer wrong", f"Basic {token}", f"Bearer {token}x", token]
    return {
        "messages": lambda: _attack.messages(port, roles, texts),
        "guesses of tokens": lambda: _attack.tokens(port, guesses),
        f"{len(FRAMES)} malformed frames, bombs, pieces": lambda: _attack.frames(port),
        f"{len(HANDSHAKES)} openings: hosts, origins, headers": lambda: _attack.handshakes(
            port
        ),
        "REST: paths, tokens, hosts, methods": lambda: _attack.paths(port, wrong),
        "REST: what OpenAPI describes": lambda: _attack.described(port, token, n_rest),
        "200 connections held open": lambda: _attack.hold_open(port, 200, 5.0),
    }


def _state(service: Service) -> tuple[list[int], bool]:
    return service.pids(), "Traceback" in service.errors


def _disorder(service: Service) -> int:
    """Return how many events the listener got twice or out of order."""
    seqs = [event.params["seq"] for event in service.listener.events]
    return sum(a >= b for a, b in pairwise(seqs))


def _holes(log: Path, service: Service) -> int:
    """Return how many events of the log the listener lacks, from its first decode on."""
    # Before it comes what is told to who comes late: the last states, of any age.
    events = dropwhile(lambda event: event.stream != "text", service.listener.events)
    seqs = {event.params["seq"] for event in events}
    logged = [json.loads(line) for line in log.read_text().splitlines()]
    wanted = {m["params"]["seq"] for m in logged if m["method"] in {"text", "state"}}
    return len({seq for seq in wanted if min(seqs) <= seq <= max(seqs)} - seqs)


def _run(share: float, work: Path) -> None:
    model, name, spec = work / "model", f"fuzz-{uuid4().hex}", spec_of(64)
    save_noise_model(64, HOP, model)
    tokens = TokenFile(work / "tokens.json")
    texts = drawn(requests, round(100_000 * share) // _attack.BATCH)
    guesses = drawn(token_guesses, round(1000 * share))
    rows: list[tuple[str, Counter[str], float, float]] = []
    with (
        sending(name, counting_spec(spec), unit_of(spec), 36_000.0, wait=0.0),
        serving(model, name, work / "service", "--tokens", str(tokens.path)) as service,
    ):
        service.listener.wait_for(is_decode, since=0.0)
        address, token = split_url(service.listener.url)
        port = int(address.split(":")[2].split("/")[0])
        before = _state(service)
        pid = service.pid_of("decode")
        memory, t_alone = memory_of(pid), lsl_clock()
        time.sleep(20.0 if share == 1.0 else 3.0)
        t_first = lsl_clock()
        arguments = (port, token, tokens, texts, guesses, max(5, round(100 * share)))
        for title, attack in _attacks(*arguments).items():
            t = lsl_clock()
            rows.append((title, attack(), t, lsl_clock()))
            assert _state(service) == before, service.errors[-2000:]
        t_last = lsl_clock()
        service.listener.wait_for(is_decode, since=t_last)
        log = service.session / "events.jsonl"
        assert service.pid_of("decode") == pid  # which was never started again
        after = memory_of(pid)
        service.stop()
    table = Table("what was tried", "what came of it", box=box.MARKDOWN)
    for column in ("s", "p50 [ms]", "p95 [ms]", "p99 [ms]", "max [ms]"):
        table.add_column(column, justify="right")
    for title, came, t0, t1 in [("nothing", Counter[str](), t_alone, t_first), *rows]:
        said = ", ".join(f"{n} {what}" for what, n in sorted(came.items()))
        latency = latency_in(log, t0, t1).get("total", {}).values()
        table.add_row(title, said, f"{t1 - t0:.0f}", *(f"{value:.1f}" for value in latency))
    Console(width=160).print(table)
    listener = service.listener
    print(f"the listener: {len(listener.events)} events,")
    print(f"{_disorder(service)} out of order or twice, {_holes(log, service)} missing")
    print(f"memory of decode: {memory:.0f} -> {after:.0f} MB; load: {os.getloadavg()[0]:.1f}")


def main() -> None:
    """Attack, and print the table."""
    parser = argparse.ArgumentParser(prog="fuzz", description="Attack a running service.")
    parser.add_argument("--quick", action="store_true", help="a hundredth of it")
    options = parser.parse_args()
    with calm_folder() as folder:
        _run(0.01 if options.quick else 1.0, folder)


if __name__ == "__main__":
    main()
