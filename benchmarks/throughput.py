"""How many samples a second pass the standard chain and the windows on one core.

Beside it, `scipy.signal.sosfilt` over the whole recording at once with the same sections: the
price of working on chunks as they come. Run with ``python -m benchmarks.throughput``.
"""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, cheby2, iirnotch, sosfilt

from streaming.chain import standard_chain
from streaming.signal import Chunk, SignalSpec
from streaming.window import SlidingWindows, Windower

__all__ = ["main"]

_SFREQ = 1000.0
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
    print("channels  chunk    us/chunk  Msamples*channels/s  share of a core live")
    for n_channels in (64, 306):
        rng = np.random.default_rng(0)
        data = (2e-5 * rng.standard_normal((n_channels, 20_000))).astype(np.float32)
        for n_times in (1, 10, 100, data.shape[1]):
            n_used = min(data.shape[1], 4000 * n_times)
            seconds = _seconds_in_chunks(data[:, :n_used], n_times)
            per_chunk, rate = seconds / (n_used / n_times), n_channels * n_used / seconds
            share = seconds / (n_used / _SFREQ)
            print(
                f"{n_channels:8d}  {n_times:5d}  {per_chunk * 1e6:10.0f}  {rate / 1e6:19.1f}"
                f"  {share:20.2%}"
            )
        rate = data.size / _seconds_of_scipy(data) / 1e6
        print(f"{n_channels:8d}  sosfilt alone, whole: {rate:16.1f}")


if __name__ == "__main__":
    main()
