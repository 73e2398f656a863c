"""How fast a session stops, and what setting candidates costs the decodes meanwhile.

`braincast serve` decodes 64 channels at 1 kHz, a window of one second 20 times a second, and
records. A session is stopped by request, by a file, and by an LSL marker, and by a file while
the decoder hangs (SIGSTOP, for two seconds): measured is the time from the cause until a client
has read that it stopped, until the last decode that it read, and until the recording was
written to for the last time. Before that, words are embedded while it decodes: the latency of
the decodes before, and meanwhile.

Each is done 30 times, which takes ten minutes: after each stop another recording begins, and
the filters settle. Run with ``python -m benchmarks control``; ``--quick`` is a first look,
``--json`` for programs.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from websockets.sync.client import ClientConnection, connect

from benchmarks._counting import counting_spec, sending
from benchmarks._rig import HOP, WINDOW, noise_model, spec_of, unit_of
from benchmarks._service import PATIENCE, Heard, Service, calm_folder, is_decode, serving
from decoder.client import split_url
from decoder.console import progress_bar
from models.checkpoint import save_model
from models.spaces import PACKAGED_SPACE
from streaming.lsl_clock import lsl_clock
from streaming.outlet import MarkerOutlet
from streaming.window import SlidingWindows

__all__ = ["main"]

HANG = 2.0
"""Seconds that the decoder hangs: less than the 5 s after which another takes over."""

N_STOPS = 30
"""Stops of each kind: the worst of them is what counts."""

N_CHANGES = 10
"""Changes of candidates."""

AFTER = 0.5
"""Seconds in which nothing more may come, nor be written, after a stop was told."""

N_WORDS = 200
"""Candidates of a request."""


class Operator:
    """A client that asks.

    Parameters
    ----------
    ws : ClientConnection
        Its connection.
    token : str
        Makes it the operator.
    """

    def __init__(self, ws: ClientConnection, token: str) -> None:
        self._ws = ws
        self.ask("authorize", token=token)

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Return what is answered.

        Raises
        ------
        RuntimeError
            If that is an error.
        """
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        self._ws.send(json.dumps(request))
        answer: dict[str, Any] = json.loads(self._ws.recv(PATIENCE))
        if "result" not in answer:
            raise RuntimeError(answer["error"]["message"])
        result: dict[str, Any] = answer["result"]
        return result


def _is_stopped(event: Heard) -> bool:
    about = event.params.get("what"), event.params.get("state")
    return event.stream == "state" and about == ("session", "stopped")


def _newest_write(session: Path) -> float:
    """Return when a recording was written to last, in Unix time."""
    return max(path.stat().st_mtime for path in session.glob("raw*.xdf"))


def _one_stop(
    service: Service, operator: Operator, cause: Callable[[], None], *, hang: bool = False
) -> dict[str, float]:
    """Stop once, resume, and return milliseconds from the cause to each consequence."""
    heard = service.listener
    heard.wait_for(is_decode, lsl_clock())
    decoder = service.pid_of("decode")
    if hang:
        os.kill(decoder, signal.SIGSTOP)
    t, t_unix = lsl_clock(), time.time()
    cause()
    if hang:
        time.sleep(HANG)
        os.kill(decoder, signal.SIGCONT)
    stopped = heard.wait_for(_is_stopped, t)
    time.sleep(AFTER)
    texts = [event.t - t for event in heard.events if event.stream == "text" and event.t > t]
    found = {
        "told": 1000 * (stopped.t - t),
        "last decode": 1000 * max(texts, default=0.0),
        "recorded": 1000 * max(_newest_write(service.session) - t_unix, 0.0),
    }
    for path in service.folder.glob("stop"):
        path.unlink()
    operator.ask("control", action="resume")
    return found


def _stops(
    service: Service,
    operator: Operator,
    outlet: MarkerOutlet,
    n: int,
    progress: Callable[[], None],
) -> Any:
    def by_request() -> None:
        operator.ask("control", action="stop")

    file = service.folder / "stop"
    causes: dict[str, Callable[[], None]] = {
        "request": by_request,
        "file": file.touch,
        "marker": lambda: outlet.push("braincast.stop", lsl_clock()),
    }
    found: dict[str, list[dict[str, float]]] = {name: [] for name in causes}
    for _ in range(n):
        for name, cause in causes.items():
            found[name].append(_one_stop(service, operator, cause))
            progress()
    hung = found["file, while the decoder hangs"] = []
    for _ in range(n):
        hung.append(_one_stop(service, operator, file.touch, hang=True))
        progress()
    return found


def _latencies(events: list[Heard]) -> dict[str, float]:
    total = [e.params["latency_ms"]["total"] for e in events if is_decode(e)]
    p50, p99 = np.percentile(total, [50, 99])
    return {"n": len(total), "p50": p50, "p99": p99, "worst": max(total)}


def _candidates(
    service: Service, operator: Operator, n: int, progress: Callable[[], None]
) -> Any:
    """Return latencies of decodes before words are embedded, and meanwhile."""
    heard, t = service.listener, lsl_clock()
    heard.wait_for(is_decode, t)
    time.sleep(10.0 if n > 1 else 3.0)  # alone
    t_begin, took = lsl_clock(), []
    for number in range(n):
        words = [
            {"id": f"{number} {k}", "text": f"thing {number * N_WORDS + k}"}
            for k in range(N_WORDS)
        ]
        began = time.monotonic()
        operator.ask("setCandidates", candidates=words)
        took.append(time.monotonic() - began)
        progress()
    t_end = lsl_clock()
    before = [e for e in heard.events if t < e.t < t_begin]
    meanwhile = [e for e in heard.events if t_begin < e.t < t_end]
    return {
        "took": took,
        "before": _latencies(before),
        "meanwhile": _latencies(meanwhile),
    }


def measure(n_stops: int, n_changes: int) -> dict[str, Any]:
    """Measure so many stops of each of the four kinds, and so many changes of candidates."""
    name, spec = f"control-{uuid4().hex[:6]}", spec_of(64)
    with calm_folder() as folder:
        model = noise_model(spec)
        candidates = replace(model.candidates, space=PACKAGED_SPACE)
        windowing = SlidingWindows(WINDOW, HOP)
        save_model(replace(model, candidates=candidates, windowing=windowing), folder / "model")
        outlet = MarkerOutlet(f"{name} stops")
        stop_file = str(folder / "run" / "stop")
        more = ("--stop-file", stop_file, "--markers", f"{name} stops")
        with (
            sending(name, counting_spec(spec), unit_of(spec), 3600.0),
            serving(folder / "model", name, folder / "run", *more) as service,
        ):
            url, token = split_url(service.listener.url)
            with connect(url, open_timeout=PATIENCE) as ws, progress_bar() as bar:
                operator = Operator(ws, token)
                task = bar.add_task("candidates", total=n_changes)
                step = partial(bar.advance, task)
                found = {"candidates": _candidates(service, operator, n_changes, step)}
                task = bar.add_task("stops", total=4 * n_stops)
                step = partial(bar.advance, task)
                found["stops"] = _stops(service, operator, outlet, n_stops, step)
    return found


def _tables(found: dict[str, Any]) -> list[Table]:
    stops = Table(
        "stopped by", "n", "told, ms", "last decode, ms", "recorded, ms", box=box.MARKDOWN
    )
    for name, rows in found["stops"].items():
        cells = [
            f"{np.median(values):.0f} (worst {max(values):.0f})"
            for values in ([row[key] for row in rows] for key in rows[0])
        ]
        stops.add_row(name, str(len(rows)), *cells)
    latency = Table("decodes", "n", "p50, ms", "p99, ms", "worst, ms", box=box.MARKDOWN)
    for name in ("before", "meanwhile"):
        row = found["candidates"][name]
        latency.add_row(
            name, str(row["n"]), *(f"{row[key]:.1f}" for key in ("p50", "p99", "worst"))
        )
    return [stops, latency]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks control", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one of each")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    found = measure(1, 1) if options.quick else measure(N_STOPS, N_CHANGES)
    if options.json:
        print(json.dumps(found))
        return
    console = Console(width=120)
    for table in _tables(found):
        console.print(table)
    first, *others = found["candidates"]["took"]
    print(
        f"{N_WORDS} words took {first:.1f} s the first time, with the network to be opened",
        end="",
    )
    print(f", then {np.median(others):.2f} s" if others else "")


if __name__ == "__main__":
    main()
