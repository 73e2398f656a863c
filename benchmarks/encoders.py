"""How long each encoder takes to fit and to decode.

Fits: 5,000 trials of 63 channels and one second at 250 Hz, of 200 things embedded in 384
dimensions, with all that `braincast fit` chooses by cross-validation; covariances are for few
channels and classes and get 1,000 trials of 8 channels and 4 classes. Decodes: one window on
one thread, in a tight loop and every 50 ms, when caches are cold. Run with
``python -m benchmarks.encoders [name ...] [--trials 5000]``.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

from models.encoder import ENCODERS, Encoder
from models.trials import Course, Trials
from streaming.signal import Chunk, SignalSpec, Window

__all__ = ["decode_times", "main", "simulated_trials"]

SFREQ = 250.0
N_TIMES = 250


def simulated_trials(n: int, n_channels: int, n_classes: int, n_dims: int) -> Trials:
    """Return trials in five runs, whose responses follow the embedding.

    Parameters
    ----------
    n, n_channels, n_classes, n_dims : int
        Sizes; windows have 250 samples.
    """
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((n_classes, n_dims)).astype(np.float32)
    courses = np.cumsum(rng.standard_normal((n_dims, n_channels, 10)), axis=-1)
    responses = np.tensordot(vectors, courses, axes=1) / np.sqrt(n_dims)
    shown = rng.integers(n_classes, size=n)
    windows = rng.standard_normal((n, n_channels, N_TIMES), dtype=np.float32)
    windows += 0.1 * np.repeat(responses, N_TIMES // 10, axis=-1)[shown].astype(np.float32)
    return Trials(windows, vectors[shown], np.arange(n) * 5 // n, SFREQ)


def decode_times(encoder: Encoder, trials: Trials, pause: float, n: int) -> np.ndarray:
    """Return how long decodes take, in ms.

    Parameters
    ----------
    encoder : Encoder
        Fitted.
    trials : Trials
        Whose windows to decode.
    pause : float
        Between two decodes, in seconds.
    n : int
        How many.
    """
    spec = SignalSpec(SFREQ, tuple(f"c{k}" for k in range(trials.windows.shape[1])))
    windows = [Window(Chunk(data, spec), "locked/0") for data in trials.windows[:50]]
    encoder.encode(windows[0])
    times = np.zeros(n)
    for k in range(n):
        time.sleep(pause)
        start = time.perf_counter()
        encoder.encode(windows[k % len(windows)])
        times[k] = 1000 * (time.perf_counter() - start)
    return times


def main() -> None:
    """Print a row for each encoder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(ENCODERS))
    parser.add_argument("--trials", type=int, default=5000)
    parser.add_argument("--decodes", type=int, default=400)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("| encoder | trials | channels | fit [s], wall | CPU | epochs | ", end="")
    print("decode [ms], tight loop p50 | p99 | every 50 ms p50 | p99 |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name in arguments.names:
        few = name == "riemann"
        n = min(arguments.trials, 1000) if few else arguments.trials
        trials = simulated_trials(n, *((8, 4, 384) if few else (63, 200, 384)))
        told: list[float] = []
        wall, cpu = time.perf_counter(), time.process_time()
        encoder = ENCODERS[name].fit(trials, Course(told.append))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        cells = [name, str(n), str(trials.windows.shape[1]), f"{wall:.1f}", f"{cpu:.1f}"]
        cells.append(str(len(told) - 1 or ""))
        for pause in (0.0, 0.05):
            times = decode_times(encoder, trials, pause, arguments.decodes)
            cells += [f"{q:.2f}" for q in np.percentile(times, [50, 99])]
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
