"""How many samples a second pass the standard chain and the windows on one core.

Beside it, in turn, MNE-LSL's own chain on the same chunks (average reference, notch and
band-pass), and `scipy.signal.sosfilt` over the whole recording at once with the same sections
as ours: the price of working on chunks as they come. Ratios are medians over the rounds. Run
with ``python -m benchmarks.throughput``.
"""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, cheby2, iirnotch, sosfilt

from benchmarks._mne_lsl import seconds_of_mne_lsl
from streaming.chain import standard_chain
from streaming.signal import Chunk, SignalSpec
from streaming.window import SlidingWindows, Windower

__all__ = ["main"]

_SFREQ = 1000.0
_N_ROUNDS = 5
_WINDOWS = SlidingWindows(duration=0.8, hop=0.05)


def _seconds_in_chunks(data: NDArray[np.float32], n_times: int) -> float:
    """Return how long chain and windows take in chunks of `n_times` samples."""
    spec = SignalSpec(_SFREQ, tuple(f"E{n}" for n in range(len(data))))
    chain = standard_chain(spec.ch_names, spec.sfreq)
    windower = Windower(_WINDOWS, spec, chain.prepare(spec), chain.settling)
    start = time.perf_counter()
    for first in range(0, data.shape[1], n_times):
        windower.feed(chain(Chunk(data[:, first : first + n_times], spec, first=first)))
    return time.perf_counter() - start


def _seconds_of_scipy(data: NDArray[np.float32]) -> float:
    """Return how long the filters of the standard chain take over the whole recording."""
    b, a = iirnotch(50.0, 25.0, fs=_SFREQ)
    sos = np.concatenate(
        [
            np.concatenate([b, a])[None, :],
            butter(2, (0.5, 30.0), "bandpass", output="sos", fs=_SFREQ),
            cheby2(8, 60, 60.0, output="sos", fs=_SFREQ),
        ]
    )
    start = time.perf_counter()
    sosfilt(sos, data)
    return time.perf_counter() - start


def main() -> None:
    """Print a table for 64 and 306 channels at 1 kHz."""
    print(
        "channels  chunk  us/chunk  Msamples*channels/s  of a core, live  x MNE-LSL  x sosfilt"
    )
    for n_channels in (64, 306):
        rng = np.random.default_rng(0)
        data = (2e-5 * rng.standard_normal((n_channels, 20_000))).astype(np.float32)
        for n_times in (1, 10, 100):
            used = data[:, : min(data.shape[1], 2000 * n_times)]
            rounds = []
            for _ in range(_N_ROUNDS):
                ours = _seconds_in_chunks(used, n_times)
                theirs = seconds_of_mne_lsl(used, _SFREQ, n_times)
                rounds.append((ours, theirs / ours, _seconds_of_scipy(used) / ours))
            seconds, faster, of_limit = np.median(rounds, axis=0).tolist()
            print(
                f"{n_channels:8d}  {n_times:5d}  {seconds * n_times / used.shape[1] * 1e6:8.0f}"
                f"  {used.size / seconds / 1e6:19.1f}  {seconds * _SFREQ / used.shape[1]:15.2%}"
                f"  {faster:9.2f}  {of_limit:9.2f}"
            )


if __name__ == "__main__":
    main()
