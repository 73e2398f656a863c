"""MNE-LSL's own chain, fed without a network."""

from __future__ import annotations

import time
from uuid import uuid4

import numpy as np
from mne_lsl.lsl import StreamInfo, StreamOutlet
from mne_lsl.stream import StreamLSL
from numpy.typing import NDArray

from streaming.window import SlidingWindows

__all__ = ["seconds_of_mne_lsl"]


class _Fed:
    """An inlet that has the next chunk at hand; StreamLSL asks it for no more than this."""

    def __init__(self, data: NDArray[np.float32], sfreq: float, n_times: int) -> None:
        self.n_channels = len(data)
        self._chunks = [
            np.ascontiguousarray(data[:, first : first + n_times].T)
            for first in range(0, data.shape[1], n_times)
        ]
        self._next = 0
        self._sfreq = sfreq

    def pull_chunk(self, **_: object) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        chunk = self._chunks[self._next]
        self._next += 1
        return chunk, np.arange(len(chunk)) / self._sfreq

    def close_stream(self) -> None:
        """Nothing is open."""


def seconds_of_mne_lsl(
    data: NDArray[np.float32], sfreq: float, n_times: int, windows: SlidingWindows | None
) -> float:
    """Return how long MNE-LSL takes for its average reference, notch and band-pass.

    Its `StreamLSL` is connected to a stream without samples, set up as in `_assembly`, and then
    given chunks from memory in place of the inlet's, so that only its own code is timed. It
    neither decimates, scales, nor looks at quality; its buffer holds 2 s.

    Parameters
    ----------
    data : array of shape (n_channels, n_samples)
        The recording, in volts.
    sfreq : float
        Its rate, in Hz.
    n_times : int
        Samples in a chunk.
    windows : SlidingWindows or None
        How often how much is taken from its buffer with `get_data`; None: nothing is.
    """
    name = uuid4().hex
    info = StreamInfo(name, "EEG", len(data), sfreq, "float32", name)
    info.set_channel_names([f"E{n}" for n in range(len(data))])
    info.set_channel_types("eeg")
    info.set_channel_units("V")
    outlet = StreamOutlet(info)
    stream = StreamLSL(2.0, name=name).connect(acquisition_delay=None, timeout=20)
    stream.set_eeg_reference("average")
    second_order = {"order": 2, "ftype": "butter", "output": "sos"}
    stream.notch_filter(50.0, notch_widths=2.0, iir_params=dict(second_order))
    stream.filter(0.5, 30.0, iir_params=dict(second_order))
    inlet = stream._inlet  # noqa: SLF001 - no public way to hand it samples
    stream._inlet = _Fed(data, sfreq, n_times)  # noqa: SLF001
    hop = round(windows.hop * sfreq) if windows else data.shape[1]
    due = hop
    start = time.thread_time()
    for first in range(0, data.shape[1], n_times):
        stream.acquire()
        while windows and due <= first + n_times:
            stream.get_data(windows.duration)
            due += hop
    seconds = time.thread_time() - start
    stream._inlet = inlet  # noqa: SLF001
    stream.disconnect()
    del outlet
    return seconds
