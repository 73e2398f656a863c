from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.ring import Ring

DATA = np.arange(2 * 100, dtype=np.float32).reshape(2, 100)


@given(
    lengths=st.lists(st.integers(0, 17), max_size=12),
    capacity=st.integers(1, 9),
    begin=st.integers(0, 20),
)
def test_a_ring_holds_the_newest_samples(lengths: list[int], capacity: int, begin: int) -> None:
    ring = Ring(2, capacity)
    ring.clear(begin)
    data = np.arange(2 * sum(lengths), dtype=np.float32).reshape(2, -1)
    for part in np.split(data, np.cumsum(lengths)[:-1], axis=1) if lengths else []:
        ring.write(part)
    n_held = min(data.shape[1], capacity)
    assert (ring.start, ring.stop) == (begin + data.shape[1] - n_held, begin + data.shape[1])
    newest = ring.read(ring.start, ring.stop)
    np.testing.assert_array_equal(newest, data[:, data.shape[1] - n_held :])
    assert newest.base is not None  # a view


@pytest.mark.parametrize(("start", "stop"), [(4, 8), (5, 11), (9, 8)])
def test_samples_that_are_not_there_are_refused(start: int, stop: int) -> None:
    ring = Ring(2, 5)
    ring.write(DATA[:, :10])
    with pytest.raises(IndexError, match=f"samples {start} to {stop} are not among 5 to 10"):
        ring.read(start, stop)


def test_a_cleared_ring_goes_on_from_the_index_it_is_told() -> None:
    ring = Ring(2, 5)
    ring.write(DATA[:, :10])
    ring.clear(3)
    ring.write(DATA[:, :2])
    np.testing.assert_array_equal(ring.read(3, 5), DATA[:, :2])
