"""300 clients at 20 decodes a second, 30 of which read slowly and 10 never.

`braincast serve` decodes 64 channels at 1 kHz, a window of one second 20 times a second, and
records; a plain FastAPI application sends an event of the same size as often, with a loop of
`send_json` over its clients, and decodes nothing. Both serve the same crowd, one process on the
same machine, one after the other. An event's age is what the LSL clock reads when a client has
read it, less its `t_emit`; "before" are the seconds in which the crowd connects. Computing time
tells what a crowd costs on a busy machine too.

Run with ``python -m benchmarks clients``; ``--quick`` is a first look, ``--json`` for programs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import socket
import time
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks._counting import counting_spec, sending
from benchmarks._crowd import Crowd, Group, gather
from benchmarks._rig import HOP, save_noise_model, spec_of, unit_of
from benchmarks._service import calm_folder, is_decode, serving
from benchmarks._watching import cpu_of, latency_in, memory_of, percentiles
from decoder.client import split_url
from streaming.lsl_clock import lsl_clock

__all__ = ["main"]

SLOW = 4096
"""Bytes a second that slow clients read: a sixth of what is sent."""

_SPAWN = multiprocessing.get_context("spawn")


def _groups(share: float) -> list[Group]:
    """Return 300 clients, or a share of them."""
    text = {"streams": ["text"]}
    latest, rate = text | {"policy": "latest"}, text | {"policy": "rate", "rate": 5}
    groups = [
        Group("lossless", 130, text),
        Group("latest", 100, latest),
        Group("5 a second", 30, rate),
        Group("slow, lossless", 10, text, SLOW),
        Group("slow, latest", 10, latest, SLOW),
        Group("slow, 5 a second", 10, rate, SLOW),
        Group("never, lossless", 5, text, 0),
        Group("never, latest", 5, latest, 0),
    ]
    return [
        Group(g.name, max(1, int(g.n * share)), g.subscribe, g.bytes_a_second) for g in groups
    ]


def _plain_groups(share: float, *, slow: bool) -> list[Group]:
    groups = [Group("all", 260 if slow else 300, None)]
    if slow:
        groups += [Group("slow", 30, None, SLOW), Group("never", 10, None, 0)]
    return [Group(g.name, max(1, int(g.n * share)), None, g.bytes_a_second) for g in groups]


def _crowd(port: int, pid: int, token: str, groups: list[Group], seconds: float) -> Crowd:
    """Let a crowd listen, from a process of its own."""
    out = _SPAWN.Queue()
    process = _SPAWN.Process(target=gather, args=(port, pid, token, groups, seconds, out))
    process.start()
    try:
        crowd: Crowd = out.get(timeout=seconds + 120)
    finally:
        process.terminate()
        process.join()
    return crowd


# -- the plain loop --


def _plain(fd: int, event: dict[str, Any]) -> None:
    """Send an event to all, 20 times a second, as one does."""
    app, clients = FastAPI(), set[WebSocket]()

    @app.websocket("/v1/ws")
    async def listen(ws: WebSocket) -> None:
        await ws.accept()
        clients.add(ws)
        try:
            while True:
                await ws.receive_text()
        except WebSocketDisconnect:
            clients.discard(ws)

    async def send() -> None:
        params, seq = event["params"], 0
        while True:
            t_next = lsl_clock() + HOP
            seq += 1
            event["params"] = {**params, "seq": seq, "t_emit": lsl_clock()}
            for ws in tuple(clients):
                try:
                    await ws.send_json(event)
                except (RuntimeError, WebSocketDisconnect):
                    clients.discard(ws)
            await asyncio.sleep(max(0.0, t_next - lsl_clock()))

    async def serve() -> None:
        sending_to_all = asyncio.create_task(send())
        config = uvicorn.Config(app, log_level="error", lifespan="off")
        await uvicorn.Server(config).serve(sockets=[socket.socket(fileno=fd)])
        sending_to_all.cancel()

    asyncio.run(serve())


@contextmanager
def _plain_serving(event: dict[str, Any]) -> Iterator[tuple[int, int]]:
    """Run the plain application in a process of its own; gives its port and the process."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as sock:
        fork = multiprocessing.get_context("fork")
        process = fork.Process(target=_plain, args=(os.dup(sock.fileno()), event))
        process.start()
        try:
            assert process.pid is not None
            yield sock.getsockname()[1], process.pid
        finally:
            process.kill()
            process.join()


# -- what came --


def _row(crowd: Crowd, name: str) -> dict[str, Any]:
    """Return what a group got: ages in milliseconds, and how many events it did not get."""
    joined = list(zip(crowd.ages[name], crowd.n_early[name], strict=True))
    ages = [1000 * age for client, n_early in joined for age in client[n_early:]]
    early = [1000 * age for client, n_early in joined for age in client[:n_early]]
    # Of what any of the group got, from a client's first to its last.
    everything = sorted({seq for client in crowd.seqs[name] for seq in client})
    lost = sum(
        bisect_right(everything, seqs[-1]) - bisect_left(everything, seqs[0]) - len(seqs)
        for seqs in crowd.seqs[name]
        if seqs
    )
    repeated = sum(len(c) - len(set(c)) + (c != sorted(c)) for c in crowd.seqs[name])
    return {
        "clients": len(crowd.seqs[name]),
        "events": len(ages),
        **percentiles(ages),
        "early p99": percentiles(early)["p99"],
        "not got": lost,
        "twice or out of order": repeated,
        "closed": Counter(crowd.closed[name]),
    }


def _cost(crowd: Crowd, alone: float = 0.0) -> dict[str, float]:
    """Return what a crowd costs a process, beside the share of a core it needs `alone`."""
    times = (crowd.t_begin, crowd.t_first, crowd.t_last)
    connecting, steady = (
        crowd.cpu[n + 1] - crowd.cpu[n] - alone * (times[n + 1] - times[n]) for n in (0, 1)
    )
    n_clients = sum(len(clients) for clients in crowd.seqs.values())
    n_events = sum(
        len(client) - n_early
        for name, clients in crowd.seqs.items()
        for client, n_early in zip(clients, crowd.n_early[name], strict=True)
    )
    return {
        "core": steady / (times[2] - times[1]) + alone,
        "us per event": 1e6 * steady / n_events,
        "ms per connection": 1e3 * connecting / n_clients,
    }


def _measure(share: float, seconds: float, work: Path) -> dict[str, Any]:
    model, name, spec = work / "model", f"clients-{uuid4().hex}", spec_of(64)
    save_noise_model(64, HOP, model)
    with (
        sending(name, counting_spec(spec), unit_of(spec), 3600.0, wait=0.0),
        serving(model, name, work / "service") as service,
    ):
        decode = service.listener.wait_for(is_decode, since=0.0)
        address, token = split_url(service.listener.url)
        port, pid = int(address.split(":")[2].split("/")[0]), service.pid_of("decode")
        alone: list[tuple[float, float]] = []
        crowds: list[Crowd] = []
        memory, cost = [memory_of(pid)], []
        for _ in range(2):
            before = cpu_of(pid)
            alone.append((lsl_clock(), lsl_clock() + seconds / 2))
            time.sleep(seconds / 2)
            core = (cpu_of(pid) - before) / (lsl_clock() - alone[-1][0])
            crowds.append(_crowd(port, pid, token, _groups(share), seconds))
            cost.append({"core alone": core, **_cost(crowds[-1], core)})
            memory.append(memory_of(pid))
        log = service.session / "events.jsonl"
        event = {"jsonrpc": "2.0", "method": "text", "params": decode.params}
        service.stop()
    quiet = [latency_in(log, *when) for when in alone]
    crowded = [latency_in(log, crowd.t_first, crowd.t_last) for crowd in crowds]
    plain = {}
    for title, slow in (("plain, all read", False), ("plain, 40 do not", True)):
        with _plain_serving(dict(event)) as (port, pid):
            crowd = _crowd(port, pid, "", _plain_groups(share, slow=slow), seconds)
        plain[title] = _row(crowd, "all") | _cost(crowd)
    return {
        "groups": [{g.name: _row(crowd, g.name) for g in _groups(share)} for crowd in crowds],
        "latency": {"alone": quiet, "crowd": crowded},
        "memory": memory,
        "cost": cost,
        "plain": plain,
    }


def _tables(found: dict[str, Any]) -> list[Table]:
    ages = Table("clients", "", box=box.MARKDOWN)
    for column in (
        "events",
        "p50 [ms]",
        "p95 [ms]",
        "p99 [ms]",
        "oldest [ms]",
        "p99 before [ms]",
        "not got",
        "closed",
    ):
        ages.add_column(column, justify="right")
    rows = [
        *((n, r) for turn in found["groups"] for n, r in turn.items()),
        *found["plain"].items(),
    ]
    for name, row in rows:
        numbers = [f"{row[c]:.2f}" for c in ("p50", "p95", "p99", "max", "early p99")]
        closed = ", ".join(f"{n} with {code}" for code, n in row["closed"].items())
        cells = [f"{row['events']}", *numbers, f"{row['not got']}", closed]
        ages.add_row(f"{row['clients']}", name, *cells)
    stages = Table("decoder", "stage", box=box.MARKDOWN)
    for column in ("p50 [ms]", "p95 [ms]", "p99 [ms]"):
        stages.add_column(column, justify="right")
    for when, turns in found["latency"].items():
        for turn in turns:
            for stage in ("decode", "total"):
                values = [f"{turn[stage][c]:.2f}" for c in ("p50", "p95", "p99")]
                stages.add_row(when, stage, *values)
    costs = Table("process", box=box.MARKDOWN)
    for column in ("a core", "of it, alone", "a client's event [us]", "connecting [ms]"):
        costs.add_column(column, justify="right")
    decode = [("decode", cost) for cost in found["cost"]]
    for name, row in (*decode, *found["plain"].items()):
        costs.add_row(
            name,
            f"{row['core']:.3f}",
            f"{row.get('core alone', 0.0):.3f}",  # the plain loop does nothing else
            f"{row['us per event']:.1f}",
            f"{row['ms per connection']:.2f}" if name == "decode" else "",
        )
    return [ages, stages, costs]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="clients", description="Many clients at once.")
    parser.add_argument("--quick", action="store_true", help="a tenth of the clients, shortly")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    with calm_folder() as work:
        found = _measure(0.1 if options.quick else 1.0, 6.0 if options.quick else 20.0, work)
    found["load"] = os.getloadavg()[0]
    if options.json:
        print(json.dumps(found, indent=2))
        return
    console = Console(width=140)
    for table in _tables(found):
        console.print(table)
    memory = ", ".join(f"{value:.0f}" for value in found["memory"])
    print(f"memory of decode [MB]: {memory}; load {found['load']:.1f}")


if __name__ == "__main__":
    main()
