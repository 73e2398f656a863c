"""Hostile messages, frames, openings, tokens and paths, at a service that decodes.

`braincast serve` decodes 64 channels at 1 kHz 20 times a second and records. A client listens
to all of it, without loss, while the service is attacked; after each attack it must have the
same processes and have printed no traceback. An answer that the protocol does not allow, or
that tells anything to who has no token, ends the run.

Run with ``python -m benchmarks fuzz``; ``--quick`` is a hundredth of it.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks import _attack
from benchmarks._counting import counting_spec, sending
from benchmarks._hostile import FRAMES, HANDSHAKES
from benchmarks._rig import HOP, save_noise_model, spec_of, unit_of
from benchmarks._service import Service, is_decode, serving
from benchmarks._watching import latency_in, memory_of
from decoder.client import split_url
from decoder.tokens import TokenFile
from streaming.lsl_clock import lsl_clock

__all__ = ["main"]


def _attacks(
    port: int, token: str, tokens: TokenFile, share: float
) -> dict[str, Callable[[], Counter[str]]]:
    """Return what is tried, by what the table calls it."""
    roles = [None, tokens.create("viewer", "v"), tokens.create("participant", "p"), token]
    wrong = ["", "Bearer", "Bearer wrong", f"Basic {token}", f"Bearer {token}x", token]
    n = round(100_000 * share)
    return {
        "messages": lambda: _attack.messages(port, roles, n),
        "guesses of tokens": lambda: _attack.tokens(port, max(5, round(500 * share))),
        f"{len(FRAMES)} malformed frames, bombs, pieces": lambda: _attack.frames(port),
        f"{len(HANDSHAKES)} openings: hosts, origins, headers": lambda: _attack.handshakes(
            port
        ),
        "REST: paths, tokens, hosts, methods": lambda: _attack.paths(port, wrong),
        "200 connections held open": lambda: _attack.hold_open(port, 200, 5.0),
    }


def _state(service: Service) -> tuple[list[int], bool]:
    return service.pids(), "Traceback" in service.errors


def _holes(service: Service) -> int:
    """Return how many events the listening client lacks."""
    seqs = [e.params["seq"] for e in service.listener.events if e.stream in {"text", "state"}]
    return len(seqs) - len(set(seqs)) + (seqs != sorted(seqs))


def _run(share: float, work: Path) -> None:
    model, name, spec = work / "model", f"fuzz-{uuid4().hex}", spec_of(64)
    save_noise_model(64, HOP, model)
    tokens = TokenFile(work / "tokens.json")
    table = Table("what was tried", "what came of it", "s", box=box.MARKDOWN)
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
        for title, attack in _attacks(port, token, tokens, share).items():
            t = time.monotonic()
            came = attack()
            said = ", ".join(f"{n} {what}" for what, n in sorted(came.items()))
            table.add_row(title, said, f"{time.monotonic() - t:.0f}")
            assert _state(service) == before, service.errors[-2000:]
        t_last = lsl_clock()
        service.listener.wait_for(is_decode, since=t_last)
        log, n_connections = service.session / "events.jsonl", service.listener.n_connections
        after = memory_of(pid)
        service.stop()
    Console(width=160).print(table)
    for when, t0, t1 in (("before", t_alone, t_first), ("attacked", t_first, t_last)):
        for stage, values in latency_in(log, t0, t1).items():
            print(when, stage, {k: round(v, 2) for k, v in values.items()})
    print(f"events that the listener lacks or got twice: {_holes(service)}; its connections: ")
    print(f"{n_connections}; memory of decode: {memory:.0f} -> {after:.0f} MB")
    print(f"load: {os.getloadavg()[0]:.1f}")


def main() -> None:
    """Attack, and print the table."""
    parser = argparse.ArgumentParser(prog="fuzz", description="Attack a running service.")
    parser.add_argument("--quick", action="store_true", help="a hundredth of it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        quiet = Path(folder) / "lsl_api.cfg"
        quiet.write_text("[log]\nlevel = -2\n")
        os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", LSLAPICFG=str(quiet))
        _run(0.01 if options.quick else 1.0, Path(folder))


if __name__ == "__main__":
    main()
