from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from streaming.filters import BandpassSettings, Filter
from streaming.repair import Repair, RepairSettings
from streaming.signal import Chunk, SignalSpec
from tests.laws import Output, noise, run

SPEC = SignalSpec(250.0, ("Cz", "Pz"))


def repair(data: NDArray[np.float32], *more: NDArray[np.float32]) -> list[Output]:
    parts = [Chunk(part, SPEC, n) for n, part in enumerate((data, *more))]
    return run(Repair(RepairSettings()), parts)


def test_finite_samples_stay_as_they_are() -> None:
    data = noise(2, 100)
    (out,) = repair(data)
    np.testing.assert_array_equal(out.data, data)
    assert not out.bad.any()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38, -1e6])
def test_a_bad_stretch_is_held_marked_and_left_without_a_step(value: float) -> None:
    data = noise(2, 100)
    data[1, 40:50] = value
    (out,) = repair(data)
    np.testing.assert_array_equal(out.data[0], data[0])
    np.testing.assert_array_equal(out.data[1, :40], data[1, :40])
    np.testing.assert_array_equal(out.data[1, 40:51], np.full(11, data[1, 39]))
    steps = np.diff(out.data[1, 50:]), np.diff(data[1, 50:])
    np.testing.assert_allclose(*steps, atol=1e-8)
    assert np.flatnonzero(out.bad).tolist() == list(range(40, 50))


def test_a_channel_that_begins_with_nan_does_not_ring() -> None:
    data = np.full((2, 500), 0.05, np.float32)
    data[0, :100] = np.nan
    (out,) = repair(data)
    (filtered,) = run(Filter(BandpassSettings(low=0.1, high=30.0)), [Chunk(out.data, SPEC)])
    assert np.abs(filtered.data).max() < 1e-6


def test_the_next_segment_is_as_measured() -> None:
    first, second = noise(2, 100), noise(2, 100, seed=1)
    first[0, 50:] = np.nan
    np.testing.assert_array_equal(repair(first, second)[1].data, second)


def test_what_a_source_marked_stays_marked() -> None:
    data, bad = noise(2, 10), np.zeros(10, bool)
    data[0, 3], bad[7] = np.nan, True
    (out,) = run(Repair(RepairSettings()), [Chunk(data, SPEC, bad=bad)])
    assert np.flatnonzero(out.bad).tolist() == [3, 7]
