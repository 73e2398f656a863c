"""Second-order sections, run in blocks of samples as products of matrices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import sos2zpk, sosfilt, sosfilt_zi

from streaming.signal import Chunk

__all__ = ["DELAY_FREQ", "SETTLED", "Sections", "delay_of", "settling_of"]

SETTLED = 0.05
"""What share of a wrong start may be left when a filter counts as settled.

A segment starts at the steady state for its first sample, so the start is wrong by the
distance of that sample from the signal's level: tens of microvolts of EEG. Five percent of
it is 1-3 uV, less than the noise of a single trial, and too slow to survive the baseline.
"""

DELAY_FREQ = 10.0
"""Frequency at which group delays are stated, in Hz: evoked responses are around it."""

_ON_CIRCLE = 1e-6

_BLOCK = 8
"""Samples in a block, at least."""

_N_BLOCKS = 16
"""Blocks in memory at once: 306 channels and 7 sections fill 1 MB."""


class Sections:
    """Second-order sections whose state lives from chunk to chunk.

    The state after a block of samples and the output within it are linear in the state before
    and the samples, so a block is one product of matrices. That is the same filter in another
    order of sums, and faster than the recursion sample by sample: 306 channels, 100 samples,
    7 sections and every tenth output take 109 us, `scipy.signal.sosfilt` 309 us. Blocks lie
    where the index of a sample says, and all products have one shape, so that how the stream
    is cut changes nothing. State is float64, and errs by less than 1e-12 V at 0.1 Hz, 1 kHz
    and 50 mV of offset; float32 sections err by 243 uV there.

    Each segment starts at the steady state for its first sample, so that the DC offset of an
    amplifier, often 1000 times the EEG, does not ring through the first seconds.

    Parameters
    ----------
    sos : array of shape (n_sections, 6)
        The filter, as `scipy.signal` designs it.
    factor : int
        Of how many outputs the last is kept; what is not kept is not computed.
    """

    def __init__(self, sos: NDArray[np.float64], factor: int = 1) -> None:
        self._factor = factor
        self._n_in = factor * -(-_BLOCK // factor)
        self._n_out = self._n_in // factor
        self._matrix = _block_matrix(sos, self._n_in, factor)
        self._n_state = 2 * len(sos)
        self._steady = sosfilt_zi(sos).reshape(-1, 1)  # (n_state, 1), for an input of 1
        self._segment: int | None = None
        # Of each block: samples, state before them, and the output of the block before. So the
        # operands of a product lie together, and so do its results. Block 0 is the open one.
        self._blocks: NDArray[np.float64]  # (_N_BLOCKS + 1, n_in + n_state + n_out, n_channels)

    def __call__(self, chunk: Chunk) -> NDArray[np.float32]:
        """Return the outputs that `chunk` completes, shape (n_channels, n_outputs)."""
        if chunk.n_times == 0:
            return np.zeros(chunk.data.shape, np.float32)
        lead = chunk.first % self._n_in
        if chunk.segment != self._segment:
            self._segment = chunk.segment
            self._begin(chunk.data[:, 0], lead)
        n_at_once = _N_BLOCKS * self._n_in - lead
        if chunk.n_times <= n_at_once:
            return self._filter(chunk.data, lead)
        parts = [self._filter(chunk.data[:, :n_at_once], lead)]
        for at in range(n_at_once, chunk.n_times, _N_BLOCKS * self._n_in):
            piece = chunk.data[:, at : at + _N_BLOCKS * self._n_in]
            parts.append(self._filter(piece, 0))
        return np.concatenate(parts, axis=1)

    def _begin(self, sample: NDArray[np.float32], lead: int) -> None:
        """Take the steady state for `sample`, as if it had come since the block's start."""
        n_rows = self._n_in + self._n_state + self._n_out
        self._blocks = np.zeros((_N_BLOCKS + 1, n_rows, len(sample)))
        self._blocks[0, :lead] = sample
        self._blocks[0, self._n_in : self._n_in + self._n_state] = self._steady * sample

    def _filter(self, data: NDArray[np.float32], lead: int) -> NDArray[np.float32]:
        """Return the outputs of samples of which the first is the block's sample `lead`."""
        n_in, n_operands, factor = self._n_in, self._n_in + self._n_state, self._factor
        blocks, samples = self._blocks, data.T
        end = lead + len(samples)
        n_full, n_open = divmod(end, n_in)
        skipped, n_outputs = lead // factor, end // factor - lead // factor
        if n_full == 0:
            blocks[0, lead:end] = samples
        else:
            blocks[0, lead:n_in] = samples[: n_in - lead]
            if n_full > 1:
                whole = samples[n_in - lead : n_full * n_in - lead]
                blocks[1:n_full, :n_in] = whole.reshape(n_full - 1, n_in, -1)
            if n_open:
                blocks[n_full, :n_open] = samples[n_full * n_in - lead :]
        n_products = n_full
        if n_outputs and end // factor > n_full * self._n_out:
            # What is not there yet counts as zero, and no output before it depends on it.
            blocks[n_full, n_open:n_in] = 0.0
            n_products += 1
        for k in range(n_products):
            np.dot(self._matrix, blocks[k, :n_operands], out=blocks[k + 1, n_in:])
        if n_full:
            blocks[0, :n_operands] = blocks[n_full, :n_operands]
        if n_outputs == 0:
            return np.zeros((len(data), 0), np.float32)
        found = (
            blocks[1 : n_products + 1, n_operands:].transpose(2, 0, 1).astype(np.float32, "C")
        )
        return found.reshape(len(data), -1)[:, skipped : skipped + n_outputs]


def _block_matrix(sos: NDArray[np.float64], n_in: int, factor: int) -> NDArray[np.float64]:
    """Return what maps samples and state of a block to the next state and the outputs.

    Parameters
    ----------
    sos : array of shape (n_sections, 6)
        The sections, in the transposed direct form II as in `scipy.signal.sosfilt`.
    n_in, factor : int
        Samples in a block, and of how many outputs the last is kept.

    Returns
    -------
    array of shape (n_state + n_in / factor, n_in + n_state)
        Rows are the state, then the outputs; columns the samples, then the state.
    """
    n_state = 2 * len(sos)
    n_columns = n_in + n_state
    state = np.eye(n_state, n_columns, n_in)
    outputs = []
    for now in range(n_in):
        passed = np.zeros(
            n_columns
        )  # from section to section: the sample, in the end the output
        passed[now] = 1.0
        after = np.empty_like(state)
        for n, (b0, b1, b2, _, a1, a2) in enumerate(sos):
            out = b0 * passed + state[2 * n]
            after[2 * n] = b1 * passed - a1 * out + state[2 * n + 1]
            after[2 * n + 1] = b2 * passed - a2 * out
            passed = out
        state = after
        if (now + 1) % factor == 0:
            outputs.append(passed)
    return np.concatenate([state, outputs])


def settling_of(sos: NDArray[np.float64], sfreq: float) -> float:
    """Return how long a wrong start is felt, in seconds.

    That is the time until the response to a step stays within `SETTLED` of its final value, or
    the slowest oscillation of the filter has faded to `SETTLED`, whichever is longer: a step
    hardly shakes a notch, but the mains do.

    Parameters
    ----------
    sos : array of shape (n_sections, 6)
        The filter.
    sfreq : float
        Rate that it runs at, in Hz.
    """
    slowest = np.abs(sos2zpk(sos)[1]).max()
    n_faded = int(np.ceil(np.log(SETTLED) / np.log(slowest)))
    step = sosfilt(sos, np.ones(4 * n_faded))
    final = np.prod(sos[:, :3].sum(axis=1) / sos[:, 3:].sum(axis=1))
    n_level = int(np.flatnonzero(np.abs(step - final) > SETTLED).max(initial=-1)) + 1
    return max(n_faded, n_level) / sfreq


def delay_of(sos: NDArray[np.float64], sfreq: float) -> float:
    """Return the group delay at `DELAY_FREQ`, in seconds.

    Parameters
    ----------
    sos : array of shape (n_sections, 6)
        The filter.
    sfreq : float
        Rate that it runs at, in Hz.
    """
    zeros, poles, _ = sos2zpk(sos)
    at = np.exp(2j * np.pi * DELAY_FREQ / sfreq)
    # A zero on the unit circle delays by -1/2 sample; the general term is singular there.
    moving = zeros[np.abs(np.abs(zeros) - 1) > _ON_CIRCLE]
    n_samples = (poles / (at - poles)).real.sum() - (moving / (at - moving)).real.sum()
    return float(n_samples + (len(zeros) - len(moving)) / 2) / sfreq
