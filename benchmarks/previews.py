"""What pictures cost the text, and how soon after it the first one is there.

A process sends noise of 64 channels over LSL, 1,000 samples a second. ``braincast serve``
decodes 20 windows of one second a second, with and without ``--preview braincast-preview`` by
turns: each decode is replaced while its picture is in the making, so that pictures are made all
the time. Latency counts from the moment when the newest sample of a window was handed to LSL
until the one client has the text. Then a decode a second is pictured, and the client notes how
long after the text its first and its final picture come.

Run with ``python -m benchmarks previews``, which takes three minutes; ``--quick`` is a first
look, ``--json`` for programs.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks._rig import HOP, WINDOW, noise_model, spec_of
from benchmarks._service import Heard, Service, calm_folder, is_decode, serving
from benchmarks._watching import percentiles
from benchmarks.latency import Sender, noise_sender, ratios
from models.checkpoint import save_model
from models.spaces import PACKAGED_SPACE
from streaming.lsl_clock import lsl_clock
from streaming.window import SlidingWindows

__all__ = ["After", "after_text", "main"]

GENERATOR = "braincast-preview"
N_CHANNELS = 64
SLOW = 1.0
"""Seconds between decodes that have the time to be pictured."""


@dataclass(frozen=True, slots=True, eq=False)
class After:
    """When pictures came.

    Parameters
    ----------
    n_decodes : int
        How many were there to be pictured.
    first, final : array of shape (n_pictured,)
        Seconds from a decode's text to its first picture, and to its final one.
    """

    n_decodes: int
    first: NDArray[np.float64]
    final: NDArray[np.float64]


def after_text(events: Iterable[Heard]) -> After:
    """Tell how long after its text a client had each decode's pictures; the last is not asked.

    Parameters
    ----------
    events : iterable of Heard
        What a client heard, in order; pictures of decodes that are not among it do not count.
    """
    heard = list(events)
    texts = {event.params["decode_id"]: event.t for event in heard if is_decode(event)}
    if texts:
        texts.popitem()  # its pictures may still be to come
    first: dict[str, float] = {}
    final: dict[str, float] = {}
    for event in heard:
        name = event.params["decode_id"] if event.stream == "image" else ""
        if name not in texts:
            continue
        first.setdefault(name, event.t - texts[name])
        if event.params["final"]:
            final[name] = event.t - texts[name]
    return After(len(texts), np.array([*first.values()]), np.array([*final.values()]))


def _is_ready(event: Heard) -> bool:
    params = event.params
    return event.stream == "state" and (params["what"], params["state"]) == ("preview", "ready")


def _hear(service: Service, seconds: float, *, pictured: bool) -> list[Heard]:
    """Return what the client hears for so many seconds, once pictures can be made."""
    listener = service.listener
    begin = listener.wait_for(_is_ready if pictured else is_decode, since=0.0).t + 1.0
    while lsl_clock() < begin + seconds:
        listener.wait_for(is_decode, since=lsl_clock())
    return [event for event in list(listener.events) if event.t > begin]


def _turn(
    sender: Sender, model: Path, folder: Path, seconds: float, *, pictured: bool
) -> list[Heard]:
    options = ("--preview", GENERATOR) if pictured else ()
    with serving(model, sender.name, folder, *options) as service:
        events = _hear(service, seconds, pictured=pictured)
        service.stop()
    return events


def _latency(sender: Sender, events: list[Heard]) -> NDArray[np.float64]:
    """Return seconds from the newest sample of each decode to the client."""
    ages = [e.t - sender.pushed(e.params["t_end"]) for e in events if is_decode(e)]
    return np.array(ages)


def _measure(rounds: int, seconds: float, work: Path) -> dict[str, Any]:
    plain = noise_model(spec_of(N_CHANNELS))
    model = replace(plain, candidates=replace(plain.candidates, space=PACKAGED_SPACE))
    for name, hop in (("fast", HOP), ("slow", SLOW)):
        save_model(replace(model, windowing=SlidingWindows(WINDOW, hop)), work / name)
    sides: dict[bool, list[NDArray[np.float64]]] = {False: [], True: []}
    with noise_sender(N_CHANNELS) as sender:
        for number in range(rounds):
            for pictured, latencies in sides.items():
                folder = work / f"{number}-{pictured}"
                arguments = (sender, work / "fast", folder, seconds)
                latencies.append(_latency(sender, _turn(*arguments, pictured=pictured)))
        events = _turn(sender, work / "slow", work / "slow-session", 4 * seconds, pictured=True)
    after = after_text(events)
    text = {
        "with" if pictured else "without": _row(np.concatenate(latencies))
        for pictured, latencies in sides.items()
    }
    pictures = {"first": _row(after.first), "final": _row(after.final)}
    cost = ratios(sides[True], sides[False])
    return {"text": text, "ratio": cost, "n_decodes": after.n_decodes, "pictures": pictures}


def _row(seconds: NDArray[np.float64]) -> dict[str, float]:
    return {"n": len(seconds), **percentiles((1000 * seconds).tolist())}


def _tables(found: dict[str, Any]) -> list[Table]:
    columns = ("p50", "p95", "p99")
    text = Table("text, 20 decodes a second", "decodes", box=box.MARKDOWN)
    pictures = Table("picture, a decode a second", "decodes", box=box.MARKDOWN)
    for table in (text, pictures):
        for column in (*columns, "max"):
            table.add_column(f"{column} [ms]", justify="right")
    for side, row in found["text"].items():
        cells = [f"{row[c]:.1f}" for c in (*columns, "max")]
        text.add_row(f"{side} previews", f"{row['n']}", *cells)
    text.add_row("with / without", "", *(f"{found['ratio'][c]:.3f}" for c in columns), "")
    for which, row in found["pictures"].items():
        cells = [f"{row[c]:.0f}" for c in (*columns, "max")]
        pictures.add_row(
            f"{which}, after its text", f"{row['n']} of {found['n_decodes']}", *cells
        )
    return [text, pictures]


def main() -> None:
    """Print what text costs with previews and without, and when pictures come."""
    parser = argparse.ArgumentParser(prog="previews", description="Pictures beside text.")
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    rounds, seconds = (1, 3.0) if options.quick else (3, 9.0)
    with calm_folder() as work:
        found = _measure(rounds, seconds, work)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    console = Console(width=120)
    for table in _tables(found):
        console.print(table)


if __name__ == "__main__":
    main()
