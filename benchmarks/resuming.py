"""Clients that are cut off at random and resume, while the decoder is killed (`kill -9`).

`braincast serve` decodes 64 channels at 1 kHz 20 times a second. Each of four clients is cut
off 50 times without a word, connects again and resumes with `from_seq`; meanwhile the process
that decodes is killed three times. In the end what each client got is held against the log,
event by event.

Run with ``python -m benchmarks resuming``; ``--quick`` is a first look.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

from rich import box
from rich.console import Console
from rich.table import Table
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from benchmarks._counting import counting_spec, sending
from benchmarks._rig import HOP, save_noise_model, spec_of, unit_of
from benchmarks._service import PATIENCE, Service, calm_folder, is_decode, serving
from decoder.client import split_url
from decoder.server.wire import LOGGED
from streaming.lsl_clock import lsl_clock

__all__ = ["main"]


def _ask(ws: ClientConnection, method: str, **params: Any) -> dict[str, Any]:
    ws.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
    result: dict[str, Any] = json.loads(ws.recv(PATIENCE))["result"]
    return result


class _Resumer:
    """A client that is cut off, and comes back."""

    def __init__(self, url: str, seed: int) -> None:
        self.address, self.token = split_url(url)
        self.got: list[dict[str, Any]] = []
        self.n_cuts = 0
        self._draw = random.Random(seed)

    @property
    def last(self) -> int:
        """The last event that it got."""
        return int(self.got[-1]["params"]["seq"]) if self.got else 0

    def run(self, n_cuts: int, done: threading.Event, until: list[int]) -> None:
        """Listen; be cut off so often, then go on until the event that `until` holds came."""
        while not (done.is_set() and self.last >= until[0]):
            try:
                with connect(self.address, compression=None, open_timeout=PATIENCE) as ws:
                    _ask(ws, "authorize", token=self.token)
                    answer = _ask(ws, "subscribe", streams=LOGGED, from_seq=self.last + 1)
                    assert answer["missed"] == 0, answer
                    self._listen(ws, n_cuts, done, until)
            except (OSError, EOFError, WebSocketException):  # killed, maybe in a handshake
                time.sleep(0.05)

    def _listen(
        self, ws: ClientConnection, n_cuts: int, done: threading.Event, until: list[int]
    ) -> None:
        ends = time.monotonic() + self._draw.uniform(0.0, 1.5)
        while not (done.is_set() and self.last >= until[0]):
            if self.n_cuts < n_cuts and time.monotonic() >= ends:
                self.n_cuts += 1
                ws.socket.shutdown(socket.SHUT_RDWR)
                return
            self.got.append(json.loads(ws.recv(PATIENCE)))


def _kill(service: Service, n: int) -> None:
    draw = random.Random(0)
    for _ in range(n):
        time.sleep(draw.uniform(3.0, 8.0))
        os.kill(service.pid_of("decode"), signal.SIGKILL)
        service.listener.wait_for(is_decode, since=lsl_clock() + 0.5)


def _run(n_clients: int, n_cuts: int, n_kills: int, work: Path) -> Table:
    model, name, spec = work / "model", f"resuming-{uuid4().hex}", spec_of(64)
    save_noise_model(64, HOP, model)
    done, until = threading.Event(), [0]
    with (
        sending(name, counting_spec(spec), unit_of(spec), 3600.0, wait=0.0),
        serving(model, name, work / "service") as service,
        ThreadPoolExecutor(n_clients) as pool,
    ):
        service.listener.wait_for(is_decode, since=0.0)
        clients = [_Resumer(service.listener.url, seed) for seed in range(n_clients)]
        running = [pool.submit(client.run, n_cuts, done, until) for client in clients]
        _kill(service, n_kills)
        while any(client.n_cuts < n_cuts for client in clients) and not any(
            one.done() for one in running
        ):
            time.sleep(0.1)
        log = service.session / "events.jsonl"
        until[0] = len(log.read_bytes().split(b"\n")) - 1
        done.set()
        for one in running:
            one.result(PATIENCE)
        lines = log.read_text().splitlines()
        service.stop()
    table = Table("client", box=box.MARKDOWN)
    for column in ("cuts", "kills", "events", "missing", "twice or out of order", "changed"):
        table.add_column(column, justify="right")
    for number, client in enumerate(clients, 1):
        seqs = [message["params"]["seq"] for message in client.got]
        whole = list(range(1, client.last + 1))
        missing = len(set(whole) - set(seqs))
        disordered = len(seqs) - len(set(seqs)) + (seqs != sorted(seqs))
        logged = map(json.loads, lines)
        changed = sum(a != b for a, b in zip(client.got, logged, strict=False))
        counts = (client.n_cuts, n_kills, len(seqs), missing, disordered, changed)
        table.add_row(f"{number}", *map(str, counts))
    return table


def main() -> None:
    """Print what each client got."""
    parser = argparse.ArgumentParser(prog="resuming", description="Cut off and come back.")
    parser.add_argument("--quick", action="store_true", help="one client, 5 cuts, one kill")
    options = parser.parse_args()
    size = (1, 5, 1) if options.quick else (4, 50, 3)
    with calm_folder() as folder:
        Console(width=120).print(_run(*size, folder))


if __name__ == "__main__":
    main()
