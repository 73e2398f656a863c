"""How many samples a second pass the chain and the windows on one core.

Two chains: *same steps* are those that MNE-LSL has too, notch, band-pass, average reference and
windows, at the full rate; *standard* is what `braincast fit` takes, which besides watches the
channels, repairs, decimates, scales and clamps. Beside each, in turn and on the same chunks,
MNE-LSL's own notch, band-pass and average reference, with windows and without them, and
`scipy.signal.sosfilt` over the whole recording at once with the sections that ours has. The
samples of a chunk lie together in memory, for both, as streams deliver them. Times are CPU time
of the thread, so that other work on the machine does less harm; ratios are medians over the
rounds. Run with ``python -m benchmarks.throughput``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, cheby2, iirnotch, sosfilt

from benchmarks._mne_lsl import seconds_of_mne_lsl
from streaming.chain import Chain, standard_chain
from streaming.signal import Chunk, SignalSpec
from streaming.window import SlidingWindows, Windower

__all__ = ["main"]

_SFREQ = 1000.0
_N_ROUNDS = 5
_WINDOWS = SlidingWindows(duration=0.8, hop=0.05)

_NOTCH = np.concatenate(iirnotch(50.0, 25.0, fs=_SFREQ))[None, :]
_BAND = butter(2, (0.5, 30.0), "bandpass", output="sos", fs=_SFREQ)
_LOW_PASS = cheby2(8, 60, 60.0, output="sos", fs=_SFREQ)


def _same_steps(_: SignalSpec) -> Chain:
    """Return the chain of the steps that MNE-LSL has."""
    return Chain.from_json(
        [
            {"transform": "notch", "freq": 50.0},
            {"transform": "bandpass", "low": 0.5, "high": 30.0},
            {"transform": "reference"},
        ]
    )


def _standard(spec: SignalSpec) -> Chain:
    """Return the chain of `braincast fit`."""
    return standard_chain(spec.ch_names, spec.sfreq)


_CHAINS: dict[str, tuple[Callable[[SignalSpec], Chain], NDArray[np.float64]]] = {
    "same steps": (_same_steps, np.concatenate([_NOTCH, _BAND])),
    "standard": (_standard, np.concatenate([_NOTCH, _BAND, _LOW_PASS])),
}


def _chunks(data: NDArray[np.float32], spec: SignalSpec, n_times: int) -> list[Chunk]:
    """Cut a recording into chunks each of which lies together, as it comes from a stream."""
    return [
        Chunk(data[:, first : first + n_times].copy(), spec, first=first)
        for first in range(0, data.shape[1], n_times)
    ]


def _seconds_in_chunks(
    make_chain: Callable[[SignalSpec], Chain], data: NDArray[np.float32], n_times: int
) -> float:
    """Return how long chain and windows take in chunks of `n_times` samples."""
    spec = SignalSpec(_SFREQ, tuple(f"E{n}" for n in range(len(data))))
    chain = make_chain(spec)
    windower = Windower(_WINDOWS, spec, chain.prepare(spec), chain.settling)
    chunks = _chunks(data, spec, n_times)
    start = time.thread_time()
    for chunk in chunks:
        windower.feed(chain(chunk))
    return time.thread_time() - start


def _seconds_of_scipy(sos: NDArray[np.float64], data: NDArray[np.float32]) -> float:
    """Return how long the filters of a chain take over the whole recording."""
    start = time.thread_time()
    sosfilt(sos, data)
    return time.thread_time() - start


def _print_steps(data: NDArray[np.float32], n_times: int) -> None:
    """Print what each step of the standard chain takes for a chunk, beside `sosfilt`."""
    spec = SignalSpec(_SFREQ, tuple(f"E{n}" for n in range(len(data))))
    rounds = []
    for _ in range(_N_ROUNDS):
        chain = _standard(spec)
        windower = Windower(_WINDOWS, spec, chain.prepare(spec), chain.settling)
        calls = [*chain._calls, windower.feed]  # noqa: SLF001 - filters in a row are one
        seconds = np.zeros(len(calls) + 1)
        for chunk in _chunks(data, spec, n_times):
            item: Any = chunk
            for n, call in enumerate(calls):
                start = time.thread_time()
                item = call(item)
                seconds[n] += time.thread_time() - start
        seconds[-1] = _seconds_of_scipy(_CHAINS["standard"][1], data)
        rounds.append(seconds)
    each = np.median(rounds, axis=0) * n_times / data.shape[1] * 1e6
    names = ("pick", "watch", "repair", "filters, decimation", "reference", "scale", "clamp")
    for name, us in zip((*names, "windows", "sosfilt"), each, strict=True):
        print(f"{len(data):8d}  {n_times:5d}  {name:20s}{us:8.0f} us", flush=True)


def main() -> None:
    """Print a table for 64 and 306 channels at 1 kHz, and one of what each step takes."""
    print(
        "chain       channels  chunk  us/chunk  Msamples*channels/s  of a core, live  "
        "x MNE-LSL  x it without windows  x sosfilt"
    )
    for name, (make_chain, sos) in _CHAINS.items():
        for n_channels in (64, 306):
            rng = np.random.default_rng(0)
            data = (2e-5 * rng.standard_normal((n_channels, 20_000))).astype(np.float32)
            if name == "standard":
                _print_steps(data, 100)
            for n_times in (1, 10, 100):
                used = data[:, : min(data.shape[1], 2000 * n_times)]
                rounds = []
                for _ in range(_N_ROUNDS):
                    ours = _seconds_in_chunks(make_chain, used, n_times)
                    theirs, without = (
                        seconds_of_mne_lsl(used, _SFREQ, n_times, windows)
                        for windows in (_WINDOWS, None)
                    )
                    limit = _seconds_of_scipy(sos, used)
                    rounds.append((ours, theirs / ours, without / ours, limit / ours))
                seconds, faster, bare, of_limit = np.median(rounds, axis=0).tolist()
                print(
                    f"{name:10s}  {n_channels:8d}  {n_times:5d}"
                    f"  {seconds * n_times / used.shape[1] * 1e6:8.0f}"
                    f"  {used.size / seconds / 1e6:19.1f}"
                    f"  {seconds * _SFREQ / used.shape[1]:15.2%}"
                    f"  {faster:9.2f}  {bare:20.2f}  {of_limit:9.2f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
