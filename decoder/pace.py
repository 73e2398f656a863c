"""How long a model takes on this machine."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import count

import numpy as np

from decoder.events import TextDecoded
from decoder.session import Session
from models.checkpoint import Model
from streaming.signal import Chunk, Marker
from streaming.window import SlidingWindows

__all__ = ["Pace", "measure_pace"]

_CHUNK = 0.01
"""Seconds of signal at a time, as amplifiers send it."""

_N_DECODES = 50

_LONGEST = 5.0
"""Seconds after which to stop on a slow machine."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What decoding costs.

    Parameters
    ----------
    median, p95 : float
        From the samples that complete a window to its decode, in seconds.
    n : int
        Decodes that were measured.
    hop : float
        Time there is for each, in seconds: the hop of sliding windows, the length of locked
        ones.
    load : float
        Share of one core that the chain and the decodes take.
    """

    median: float
    p95: float
    n: int
    hop: float
    load: float


def measure_pace(model: Model) -> Pace:
    """Decode noise as fast as it goes, in the session that decodes live.

    Parameters
    ----------
    model : Model
        What decodes.
    """
    spec, windowing = model.spec, model.windowing
    if isinstance(windowing, SlidingWindows):
        hop = windowing.hop
    else:
        hop = windowing.tmax - windowing.tmin
    shown = [row.marker for row in model.stimuli.rows if row.role == "stimulus"]
    session = Session(model, spec, "doctor", np.inf)
    size = max(1, spec.to_samples(_CHUNK))
    each = max(size, spec.to_samples(hop))
    rng = np.random.default_rng(0)
    took: list[float] = []
    spent, n_times = 0.0, 0
    began = time.perf_counter()
    for first in count(0, size):
        noise = 1e-5 * rng.standard_normal((len(spec.ch_names), size))
        chunk = Chunk(noise.astype(np.float32), spec, 0, first, 0.0)
        start = time.perf_counter()
        events = session.feed(chunk, 0.0)
        end = time.perf_counter()
        spent += end - start
        n_times += size
        if any(isinstance(e, TextDecoded) and not e.abstained for e in events):
            took.append(end - start)
        if first // each != (first + size) // each and shown:  # sliding windows need none
            session.feed(Marker(shown[0], first / spec.sfreq, 0, first), 0.0)
        if len(took) >= _N_DECODES or end - began > _LONGEST:
            break
    median, p95 = np.percentile(took, [50, 95]).tolist() if took else (np.inf, np.inf)
    return Pace(median, p95, len(took), hop, spent * spec.sfreq / n_times)
