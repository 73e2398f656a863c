from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.fill import Filler
from streaming.signal import Bad, Chunk, Gap, SignalSpec

SPEC = SignalSpec(100.0, ("Cz", "Pz"))
DATA = np.random.default_rng(0).standard_normal((2, 40)).astype(np.float32)


def fed(first: int, stop: int, segment: int = 0) -> Chunk:
    return Chunk(DATA[:, first:stop], SPEC, segment, first, 5.0)


def primed(reason: str = "filled") -> Filler:
    filler = Filler()
    assert filler(fed(0, 10)).n_times == 10
    filler.expect(Gap(5.1, 0.03, reason))  # type: ignore[arg-type]
    return filler


@given(size=st.integers(1, 20))
def test_a_line_joins_what_is_on_both_sides(size: int) -> None:
    filler = primed()
    empty = fed(13, 13)
    assert filler(empty) is empty  # and waits for more
    after = fed(13, 13 + size)
    before = after.data.copy()
    filled = filler(after)
    assert (filled.first, filled.n_times) == (10, size + 3)
    assert filled.t0 == pytest.approx(5.1)
    x = np.array([9, 13])
    for row, values in zip(DATA, filled.data, strict=True):
        expected = np.interp([10, 11, 12], x, row[x])
        np.testing.assert_allclose(values[:3], expected, rtol=1e-6)
    np.testing.assert_array_equal(filled.data[:, 3:], before)
    assert filled.bad is not None
    assert filled.bad.tolist() == [Bad.FILLED] * 3 + [0] * size
    np.testing.assert_array_equal(after.data, before)
    assert filler(fed(13 + size, 40)).bad is None


def test_what_is_bad_stays_bad() -> None:
    bad = np.full(4, Bad.SAMPLES, np.uint8)
    filled = primed()(Chunk(DATA[:, 12:16], SPEC, 0, 12, 5.0, bad))
    assert filled.bad is not None
    assert filled.bad.tolist() == [Bad.FILLED] * 2 + [Bad.SAMPLES] * 4


@pytest.mark.parametrize("segment", [0, 1])
def test_nothing_is_made_up_where_samples_are_missing_for_another_reason(segment: int) -> None:
    after = fed(13, 20, segment)
    assert primed("overrun")(after) is after
    if segment:
        assert primed()(after) is after
