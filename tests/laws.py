"""Helpers to state the laws of the extension points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from streaming.signal import Chunk
from streaming.transform import Transform

__all__ = ["Output", "chunks", "cuts", "noise", "run"]


def noise(n_channels: int, n_times: int, seed: int = 0) -> NDArray[np.float32]:
    """Return white noise of 20 uV on an offset of millivolts, shape (n_channels, n_times)."""
    rng = np.random.default_rng(seed)
    offset = 0.05 * rng.standard_normal((n_channels, 1))
    return (offset + 2e-5 * rng.standard_normal((n_channels, n_times))).astype(np.float32)


def cuts(n_times: int) -> st.SearchStrategy[list[int]]:
    """Draw where to cut `n_times` samples: anywhere, also twice at one place or all over."""
    anywhere = st.lists(st.integers(0, n_times), max_size=12).map(sorted)
    run_of_ones = st.integers(0, n_times - 1).map(
        lambda at: list(range(at, min(at + 40, n_times)))
    )
    return st.one_of(anywhere, run_of_ones)


def chunks(segments: Sequence[Chunk], cuts: Sequence[int] = ()) -> Iterator[Chunk]:
    """Cut each of the segments before the samples in `cuts`; nothing may write to them."""
    for segment in segments:
        for start, stop in zip([0, *cuts], [*cuts, segment.n_times], strict=True):
            data = segment.data[:, start:stop].copy()
            data.flags.writeable = False
            first = segment.first + min(start, segment.n_times)
            bad = None if segment.bad is None else segment.bad[start:stop]
            yield Chunk(data, segment.spec, segment.segment, first, segment.t_anchor, bad)


@dataclass(frozen=True, eq=False)
class Output:
    """What came out of a transform for one segment, put together again."""

    data: NDArray[np.float32]
    bad: NDArray[np.uint8]
    first: int
    t0: float

    def assert_equal(self, other: Output) -> None:
        """Check that both are the same, bit for bit."""
        np.testing.assert_array_equal(self.data, other.data)
        np.testing.assert_array_equal(self.bad, other.bad)
        assert (self.first, self.t0) == (other.first, other.t0)


def run(
    transform: Transform, segments: Sequence[Chunk], cuts: Sequence[int] = ()
) -> list[Output]:
    """Run a stream through `transform`, cut, and check what must hold for every chunk."""
    spec = transform.prepare(segments[0].spec)
    outputs: dict[int, list[Chunk]] = {segment.segment: [] for segment in segments}
    shifts: set[float] = set()  # by which output sample 0 is later than input sample 0
    for chunk in chunks(segments, cuts):
        out = transform(chunk)
        assert out.spec == spec
        assert out.data.dtype == np.float32
        assert out.segment == chunk.segment
        shifts.add(out.t_anchor - chunk.t_anchor)
        if chunk.n_times == 0:
            assert out.n_times == 0
        before = outputs[out.segment]
        if before:
            assert out.first == before[-1].first + before[-1].n_times
        before.append(out)
    assert max(shifts) - min(shifts) < 1e-9
    assert 0 <= min(shifts) < 1 / spec.sfreq
    return [_join(parts) for parts in outputs.values()]


def _join(parts: list[Chunk]) -> Output:
    """Put the chunks of one segment together."""
    bad = [np.zeros(p.n_times, np.uint8) if p.bad is None else p.bad for p in parts]
    data = np.concatenate([p.data for p in parts], axis=-1)
    return Output(data, np.concatenate(bad), parts[0].first, parts[0].t0)
