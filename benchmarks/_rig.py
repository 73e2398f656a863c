"""What the benchmarks of latency share: a model of a real size, and somebody who sends."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import count
from multiprocessing.sharedctypes import Synchronized, SynchronizedArray
from pathlib import Path
from typing import Any

import numpy as np

from models.candidates import Candidates
from models.checkpoint import Model, save_model
from models.ridge import RidgeEncoder
from models.stimuli import Stimulus, StimulusTable
from models.trials import Trials
from streaming.chain import standard_chain
from streaming.lsl_clock import lsl_clock
from streaming.outlet import MarkerOutlet, SignalOutlet
from streaming.signal import SignalSpec
from streaming.window import SlidingWindows

__all__ = [
    "CHUNK",
    "HOP",
    "SFREQ",
    "WINDOW",
    "markers_of",
    "noise_model",
    "save_noise_model",
    "send_noise",
    "spec_of",
    "unit_of",
    "write_arrays",
]

SFREQ = 1000.0
CHUNK = 10
WINDOW, HOP = 1.0, 0.05

_N_DIMS = 384  # of all-MiniLM-L6-v2
_N_CANDIDATES = 300
_N_TRIALS = 40


def spec_of(n_channels: int) -> SignalSpec:
    """Return 306 channels of a MEG, or any other number of electrodes."""
    if n_channels == 306:
        names = tuple(f"MEG{n:04d}" for n in range(306))
        return SignalSpec(SFREQ, names, ("grad", "grad", "mag") * 102)
    return SignalSpec(SFREQ, tuple(f"E{n}" for n in range(n_channels)))


def markers_of(name: str) -> str:
    """Return the name of the stream of markers beside a signal."""
    return f"{name} markers"


def unit_of(spec: SignalSpec) -> float:
    """Return the size of the signal: a picotesla, or 20 microvolts."""
    return 1e-12 if "mag" in spec.ch_types else 2e-5


def noise_model(spec: SignalSpec) -> Model:
    """Fit a ridge with 32 spatial components to noise, with 300 candidates to choose from."""
    rng = np.random.default_rng(0)
    chain = standard_chain(spec.ch_names, spec.sfreq, ch_types=spec.ch_types)
    spec_out = chain.prepare(spec)
    words = tuple(f"thing {n}" for n in range(_N_CANDIDATES))
    vectors = rng.standard_normal((_N_CANDIDATES, _N_DIMS)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    candidates = Candidates(
        ids=words,
        texts=words,
        glyphs=("",) * len(words),
        trained=(True,) * len(words),
        vectors=vectors,
        space="noise",
    )
    shape = (_N_TRIALS, len(spec.ch_names), spec_out.to_samples(WINDOW))
    windows = rng.standard_normal(shape, dtype=np.float32)
    targets = vectors[np.arange(_N_TRIALS)]
    groups = np.arange(_N_TRIALS) % 2
    return Model(
        spec=spec,
        transforms=chain.to_json(),
        windowing=SlidingWindows(duration=WINDOW, hop=HOP),
        encoder=RidgeEncoder.fit(Trials(windows, targets, groups, spec_out.sfreq)),
        candidates=candidates,
        centre=targets.mean(axis=0),
        temperature=0.1,
        stimuli=StimulusTable([Stimulus(w, "stimulus", candidate_id=w) for w in words]),
        protocol="closed_set",
        training={},
        scores={},
    )


def save_noise_model(n_channels: int, hop: float, folder: Path) -> float:
    """Save the model of noise with another hop, and return its settling time in seconds."""
    spec = spec_of(n_channels)
    model = replace(noise_model(spec), windowing=SlidingWindows(WINDOW, hop))
    chain = model.chain()
    chain.prepare(spec)
    save_model(model, folder)
    return chain.settling


def write_arrays(model: Model, path: Path) -> None:
    """Write the matrices of a model to an npz file, for who does not use our code."""
    arrays: dict[str, Any] = dict(model.encoder.arrays())
    arrays |= {"candidates": model.candidates.vectors, "centre": model.centre}
    np.savez(path, **arrays)


def send_noise(
    name: str,
    n_channels: int,
    t_first: Synchronized[float],
    t_pushed: SynchronizedArray[float],
) -> None:
    """Send chunks of noise, and a marker a second, until terminated: a process of its own.

    Parameters
    ----------
    name : str
        Name of the LSL stream.
    n_channels : int
        See `spec_of`.
    t_first : shared float
        Gets the timestamp of sample 0; 0 until it is known. Sample ``i`` is stamped
        ``t_first + i / SFREQ``, as by an amplifier with a good clock.
    t_pushed : shared array of float
        Gets the instant at which each chunk was handed to LSL.
    """
    spec = spec_of(n_channels)
    rng = np.random.default_rng(1)
    noise = (unit_of(spec) * rng.standard_normal((100, n_channels, CHUNK))).astype(np.float32)
    markers = MarkerOutlet(markers_of(name))
    outlet = SignalOutlet(spec, name)
    start = lsl_clock() + 0.1
    t_first.value = start
    for n in count():
        stamps = start + np.arange(n * CHUNK, (n + 1) * CHUNK) / SFREQ
        time.sleep(max(float(stamps[-1]) - lsl_clock(), 0.0))
        t_pushed[n % len(t_pushed)] = lsl_clock()
        outlet.push(noise[n % len(noise)], stamps)
        if n % 100 == 0:
            markers.push("thing 0", float(stamps[0]))
