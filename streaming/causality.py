"""Check on a recording's own samples that a chain neither looks ahead nor depends on cuts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from streaming.errors import EvaluationError
from streaming.signal import Chunk
from streaming.transform import Transform

__all__ = ["check_causal"]

_PIECE = 37  # samples; any number that is no round share of the signal
_SEED = 0


def check_causal(make: Callable[[], Transform], chunk: Chunk, name: str = "the chain") -> None:
    """Refuse a transform whose past output changes with the future, or with how it is fed.

    A zero-phase filter and statistics over a whole recording do both: offline they see what no
    live decoder can, and their scores describe none.

    Parameters
    ----------
    make : callable
        Gives the transform without state.
    chunk : Chunk
        The beginning of a segment of the recording, in one piece.
    name : str
        What to call it.

    Raises
    ------
    EvaluationError
        With the first time at which the output differs.
    """
    whole, whole_stop = _run(make(), [chunk])
    half = chunk.n_times // 2
    changed = chunk.data.copy()
    rng = np.random.default_rng(_SEED)
    spread = chunk.data.std(axis=1, keepdims=True)
    noise = rng.standard_normal(changed[:, half:].shape)
    changed[:, half:] = changed[:, half:][:, ::-1] + (3 * spread * noise).astype(np.float32)
    other, _ = _run(make(), [_part(chunk, changed, 0, chunk.n_times)])
    _, known = _run(make(), [_part(chunk, chunk.data, 0, half)])
    _compare(whole[:, :known], other[:, :known], chunk, name, "when only later samples change")
    starts = range(0, chunk.n_times, _PIECE)
    pieces = [_part(chunk, chunk.data, at, at + _PIECE) for at in starts]
    cut, cut_stop = _run(make(), pieces)
    if cut_stop != whole_stop:
        msg = (
            f"{name} gives {cut_stop} samples when fed in pieces, {whole_stop} in one; mend it"
        )
        raise EvaluationError(msg)
    _compare(whole, cut, chunk, name, "when the same samples come in pieces")


def _run(transform: Transform, chunks: list[Chunk]) -> tuple[NDArray[np.float32], int]:
    """Return the output, and its number of samples."""
    transform.prepare(chunks[0].spec)
    data = np.concatenate([transform(chunk).data for chunk in chunks], axis=1)
    return data, data.shape[1]


def _part(chunk: Chunk, data: NDArray[np.float32], start: int, stop: int) -> Chunk:
    """Return some samples of a chunk, as they would have come."""
    return Chunk(
        np.ascontiguousarray(data[:, start:stop]),
        chunk.spec,
        chunk.segment,
        chunk.first + start,
        chunk.t_anchor,
    )


def _compare(
    one: NDArray[np.float32],
    other: NDArray[np.float32],
    chunk: Chunk,
    name: str,
    when: str,
) -> None:
    """Refuse outputs that are not the same, bit for bit."""
    differs = np.flatnonzero((one != other).any(axis=0) & ~np.isnan(one + other).all(axis=0))
    if len(differs):
        share = differs[0] / max(one.shape[1], 1)
        msg = (
            f"{name} is not causal: its output {share:.0%} into the stretch that was checked "
            f"({chunk.n_times / chunk.spec.sfreq:.0f} s) changes {when}; leave out what looks "
            "ahead, as zero-phase filters and statistics over a whole recording do"
        )
        raise EvaluationError(msg)
