from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.delays import THRESHOLD, UNSURE, Delays, Deliveries, Lateness

SFREQ = 250.0


@given(
    sizes=st.lists(st.integers(1, 12), min_size=1, max_size=30),
    cuts=st.lists(st.integers(1, 20), min_size=1, max_size=5),
)
def test_a_delivery_is_the_newest_of_samples_that_bear_the_same_timestamp(
    sizes: list[int], cuts: list[int]
) -> None:
    ends = np.cumsum(sizes)
    late = 0.001 * (1 + np.arange(len(sizes)) % 2)  # stamps increase
    x = np.arange(ends[-1]) / SFREQ
    stamps = np.repeat((ends - 1) / SFREQ + late, sizes)
    deliveries, got, at, n = Deliveries(), [], 0, 0
    while at < len(x):
        part = slice(at, at + cuts[n % len(cuts)])
        got += list(zip(*deliveries.add(stamps[part], x[part]), strict=True))
        at, n = part.stop, n + 1
    expected = list(zip((ends - 1) / SFREQ, late, strict=True))
    np.testing.assert_allclose([*got, deliveries.pending], expected, atol=1e-12)


def test_a_block_whose_timestamps_were_made_from_one_is_one_delivery() -> None:
    x = np.arange(30) / SFREQ
    late = np.repeat([0.003, 0.001, 0.002], 10)
    at, _ = Deliveries().add(x + late, x)
    assert len(at) == 3


def test_nothing_in_nothing_out() -> None:
    deliveries = Deliveries()
    assert [len(a) for a in deliveries.add(np.empty(0), np.empty(0))] == [0, 0]
    assert np.isnan(deliveries.pending).all()
    delays = Delays()
    delays.add(np.empty(0), 0.0)
    assert not delays.learned


def test_exact_deliveries_let_short_losses_be_seen_and_late_ones_do_not() -> None:
    lateness = Lateness(SFREQ)
    assert lateness.threshold == THRESHOLD
    for _ in range(12):
        lateness.add(np.zeros(25), 250)
    assert lateness.threshold == pytest.approx(0.008)
    lateness.add(np.array([0.05]), 10)  # at once
    assert lateness.threshold == pytest.approx(0.055)
    for _ in range(60):
        lateness.add(np.full(25, 0.02), 250)
    assert lateness.threshold == pytest.approx(UNSURE)
    for _ in range(60):
        lateness.add(np.full(25, 0.5), 250)
    assert lateness.threshold == THRESHOLD
