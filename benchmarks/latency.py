"""From the newest sample to a client: our service beside MNE-LSL + NumPy + FastAPI.

A process sends noise over LSL in chunks of 10 samples, 1,000 samples a second. The service
(``braincast serve``) and an assembly of the peers (`benchmarks._assembly`) each decode 20
windows of one second a second with a model of the same size, and take turns on the same
stream. One client, the same for both, notes when each decode is there. Its latency counts from
the moment when the newest sample of its window was handed to LSL, by the sender's own record.

Run with ``python -m benchmarks latency``; ``--quick`` is a first look, ``--json`` for programs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table
from websockets.asyncio.client import ClientConnection, connect

from benchmarks import _assembly
from benchmarks._rig import (
    CHUNK,
    SFREQ,
    markers_of,
    noise_model,
    send_noise,
    spec_of,
    unit_of,
    write_arrays,
)
from benchmarks._service import calm_folder
from decoder.client import split_url
from models.checkpoint import save_model
from streaming.lsl_clock import lsl_clock

__all__ = ["SIDES", "Sender", "main", "noise_sender", "ratios"]

SIDES = {
    "braincast": "braincast",
    "polled": "assembly, polled",
    "timer": "assembly, timer",
}
"""What is compared: us, and the assembly with two ways to decide when to decode."""

PERCENTILES = (50, 95, 99)

_WARM_UP = 1.0
_SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True, slots=True)
class Sender:
    """The process that sends, and what it says of it.

    Parameters
    ----------
    name : str
        Name of the stream.
    t_first : shared float
        Timestamp of sample 0.
    t_pushed : shared array
        When each chunk was handed to LSL.
    """

    name: str
    t_first: Any
    t_pushed: Any

    def pushed(self, t_sample: float) -> float:
        """Return when the sample with a timestamp was handed to LSL."""
        sample = round((t_sample - self.t_first.value) * SFREQ)
        return float(self.t_pushed[sample // CHUNK])


@dataclass(frozen=True, slots=True)
class Block:
    """What one side did in one turn.

    Parameters
    ----------
    latency : array of shape (n_decodes,)
        From the newest sample to the client, in seconds.
    stages : dict
        What the service itself says of each decode, by stage, in milliseconds.
    """

    latency: NDArray[np.float64]
    stages: dict[str, list[float]] = field(default_factory=dict)


@contextmanager
def noise_sender(n_channels: int) -> Iterator[Sender]:
    """Send noise, and a marker a second, from another process.

    Parameters
    ----------
    n_channels : int
        See `benchmarks._rig.spec_of`.
    """
    sender = Sender(f"noise-{uuid4().hex}", _SPAWN.Value("d", 0.0), _SPAWN.Array("d", 2**16))
    arguments = (sender.name, n_channels, sender.t_first, sender.t_pushed)
    process = _SPAWN.Process(target=send_noise, args=arguments, daemon=True)
    process.start()
    try:
        yield sender
    finally:
        process.terminate()
        process.join()


@contextmanager
def _service(model: Path, name: str) -> Iterator[str]:
    """Start our service and yield the address that it prints."""
    command = [sys.executable, "-P", "-m", "decoder", "serve", "--model", str(model)]
    command += ["--name", name, "--markers", markers_of(name), "--port", "0", "--no-record"]
    root = str(Path(__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": root}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            url = process.stdout.readline().strip()
            if not url:
                msg = f"the service did not start: {process.stderr.read()}"
                raise RuntimeError(msg)
            yield url
        finally:
            process.terminate()


@contextmanager
def _peers(arrays: Path, name: str, unit: float) -> Iterator[str]:
    """Start the assembly of the peers and yield its address."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    process = _SPAWN.Process(
        target=_assembly.serve, args=(name, arrays, unit, port), daemon=True
    )
    process.start()
    try:
        yield f"ws://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.join()


async def _open(address: str) -> ClientConnection:
    """Connect as soon as somebody listens."""
    for _ in range(400):
        try:
            return await connect(address, compression=None)
        except OSError:
            await asyncio.sleep(0.1)
    msg = f"nothing listens at {address} after 40 s"
    raise RuntimeError(msg)


Read = Callable[[dict[str, Any]], float | None]
"""Returns the timestamp of the newest sample of a message; None if it holds no decode."""


async def _listen(
    address: str, hello: list[str], read: Read, seconds: float
) -> list[tuple[float, dict[str, Any]]]:
    """Return when each decode was there, and the decode, for so many seconds."""
    received: list[tuple[float, dict[str, Any]]] = []
    end = np.inf
    async with await _open(address) as ws:
        for line in hello:
            await ws.send(line)
        while (text := await ws.recv()) and (now := lsl_clock()) < end:
            message = json.loads(text)
            if read(message) is not None:
                end = min(end, now + _WARM_UP + seconds)
                received.append((now, message))
    return [entry for entry in received if entry[0] > end - seconds]


def _of_ours(message: dict[str, Any]) -> float | None:
    if message.get("method") != "text" or message["params"]["abstained"]:
        return None
    return float(message["params"]["t_end"])


def _of_peers(message: dict[str, Any]) -> float:
    return float(message["t_newest"])


def _measure(
    sender: Sender, address: str, hello: list[str], read: Read, seconds: float
) -> tuple[NDArray[np.float64], list[dict[str, Any]]]:
    received = asyncio.run(_listen(address, hello, read, seconds))
    newest = [read(message) for _, message in received]
    latency = [
        now - sender.pushed(t)
        for (now, _), t in zip(received, newest, strict=True)
        if t is not None
    ]
    return np.array(latency), [message for _, message in received]


def _our_turn(sender: Sender, folder: Path, seconds: float) -> Block:
    with _service(folder, sender.name) as url:
        address, token = split_url(url)
        calls = [
            ("authorize", {"token": token}),
            ("subscribe", {"streams": ["text"], "policy": "latest"}),
        ]
        hello = [
            json.dumps({"jsonrpc": "2.0", "id": n, "method": method, "params": params})
            for n, (method, params) in enumerate(calls)
        ]
        latency, messages = _measure(sender, address, hello, _of_ours, seconds)
    said = [message["params"]["latency_ms"] for message in messages]
    return Block(latency, {stage: [one[stage] for one in said] for stage in said[0]})


def _compare(
    n_channels: int, rounds: int, seconds: float, work: Path
) -> list[dict[str, Block]]:
    """Let the sides take turns, and return the blocks of each round."""
    spec = spec_of(n_channels)
    model = noise_model(spec)
    folder, arrays = work / f"{n_channels}", work / f"{n_channels}.npz"
    save_model(model, folder)
    write_arrays(model, arrays)
    blocks = []
    with noise_sender(n_channels) as sender:
        for _ in range(rounds):
            turns = {"braincast": _our_turn(sender, folder, seconds)}
            with _peers(arrays, sender.name, unit_of(spec)) as address:
                for pace in ("polled", "timer"):
                    latency, _ = _measure(sender, f"{address}/{pace}", [], _of_peers, seconds)
                    turns[pace] = Block(latency)
            blocks.append(turns)
    return blocks


def ratios(ours: list[NDArray[Any]], theirs: list[NDArray[Any]]) -> dict[str, float]:
    """Return our latency over theirs: for each percentile, the median over the rounds.

    Parameters
    ----------
    ours, theirs : list of array
        Latencies of each round.

    Examples
    --------
    >>> ratios([np.array([1.0])], [np.array([4.0])])
    {'p50': 0.25, 'p95': 0.25, 'p99': 0.25}
    """
    of_rounds = [
        np.percentile(a, PERCENTILES) / np.percentile(b, PERCENTILES)
        for a, b in zip(ours, theirs, strict=True)
    ]
    middle = np.median(of_rounds, axis=0)
    return {f"p{p}": float(value) for p, value in zip(PERCENTILES, middle, strict=True)}


def _summary(blocks: list[dict[str, Block]]) -> dict[str, Any]:
    summary: dict[str, Any] = {}
    for side in SIDES:
        of_side = [turns[side] for turns in blocks]
        latency = 1000 * np.concatenate([block.latency for block in of_side])
        values = zip(PERCENTILES, np.percentile(latency, PERCENTILES), strict=True)
        summary[side] = {"n": len(latency), **{f"p{p}": float(v) for p, v in values}}
        if side != "braincast":
            ours = [turns["braincast"].latency for turns in blocks]
            summary[side]["ratio"] = ratios(ours, [block.latency for block in of_side])
        for stage in of_side[0].stages:
            said = np.concatenate([block.stages[stage] for block in of_side])
            values = zip(PERCENTILES, np.percentile(said, PERCENTILES), strict=True)
            stages = summary[side].setdefault("stages", {})
            stages[stage] = {f"p{p}": float(v) for p, v in values}
    return summary


def _tables(results: dict[int, dict[str, Any]]) -> list[Table]:
    columns = [f"p{p}" for p in PERCENTILES]
    table = Table("channels", "side", "decodes", box=box.MARKDOWN)
    stages = Table("channels", "stage", box=box.MARKDOWN)
    for column in columns:
        table.add_column(f"{column} [ms]", justify="right")
        stages.add_column(f"{column} [ms]", justify="right")
    for column in columns:
        table.add_column(f"ours / it, {column}", justify="right")
    for n_channels, summary in results.items():
        for side, title in SIDES.items():
            row = summary[side]
            cells = [f"{row[c]:.2f}" for c in columns]
            cells += [f"{row['ratio'][c]:.3f}" if "ratio" in row else "" for c in columns]
            table.add_row(f"{n_channels}", title, f"{row['n']}", *cells)
        for stage, row in summary["braincast"]["stages"].items():
            stages.add_row(f"{n_channels}", stage, *(f"{row[c]:.2f}" for c in columns))
    return [table, stages]


def main() -> None:
    """Print a table for 64 and 306 channels."""
    parser = argparse.ArgumentParser(prog="latency", description="From sample to client.")
    parser.add_argument("--quick", action="store_true", help="64 channels, one short round")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    rounds, seconds = (1, 3.0) if options.quick else (3, 7.0)
    with calm_folder() as work:
        results = {
            n_channels: _summary(_compare(n_channels, rounds, seconds, work))
            for n_channels in ((64,) if options.quick else (64, 306))
        }
    if options.json:
        print(json.dumps(results, indent=2))
        return
    console = Console(width=120)
    for table in _tables(results):
        console.print(table)


if __name__ == "__main__":
    main()
