from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.stamps import Coarse, InOrder, blank_unusable


def test_what_is_no_timestamp_is_blank() -> None:
    stamps = np.array([1.0, 0.0, -3.0, np.nan, np.inf, 2.0, 1e300])
    np.testing.assert_array_equal(np.isnan(blank_unusable(stamps)), [0, 1, 1, 1, 1, 0, 1])


@given(
    st.lists(st.integers(0, 60), min_size=1, max_size=60),
    st.lists(st.integers(1, 8), min_size=1, max_size=4),
)
def test_what_goes_backwards_is_blank(stamps: list[int], sizes: list[int]) -> None:
    in_order, got, start, n = InOrder(1000), [], 0, 0
    given = np.array(stamps, float)
    while start < len(given):
        got += list(in_order.blank(given[start : start + sizes[n % len(sizes)]]))
        start, n = start + sizes[n % len(sizes)], n + 1
    is_highest = given >= np.maximum.accumulate(given)
    np.testing.assert_array_equal(got, np.where(is_highest, given, np.nan))


def test_what_stays_lower_is_believed() -> None:
    in_order = InOrder(20)
    in_order.blank(np.arange(100, 110.0))
    lower = [in_order.blank(np.array([50.0 + n])) for n in range(40)]
    blank = np.isnan(np.concatenate(lower))
    assert blank[:20].all()
    assert not blank[25:].any()


@pytest.mark.parametrize("stamps", [[], [np.nan, np.nan]])
def test_nothing_says_nothing(stamps: list[float]) -> None:
    in_order = InOrder(5)
    assert np.isnan(in_order.blank(np.array(stamps))).all()
    np.testing.assert_array_equal(in_order.blank(np.array([1.0, np.nan, 2.0])), [1, np.nan, 2])


def _is_coarse(stamps: np.ndarray, arrived: np.ndarray, size: int) -> float:
    coarse = Coarse()
    for at in range(0, len(stamps), size):
        coarse.add(stamps[at : at + size], float(arrived[at : at + size][-1]))
    return coarse.step


@pytest.mark.parametrize("step", [0.1, 1.0, 2.0])
@pytest.mark.parametrize("size", [1, 8, 50])
def test_stamps_in_steps_are_noticed(step: float, size: int) -> None:
    t = 1000.3 + np.arange(2500) / 250
    if step < 2 * size / 250:
        return
    assert _is_coarse(np.floor(t / step) * step, t, size) == pytest.approx(step, abs=1e-6)


def test_blocks_and_bursts_are_no_steps() -> None:
    t = 1000 + np.arange(5000) / 250
    block = np.arange(5000) // 125 * 125 + 124
    assert not _is_coarse(t[block], t[block], 25)  # in pieces, but together
    burst = t.copy()
    burst[1000:1500] = t[1499]
    assert not _is_coarse(burst, np.maximum(t, burst), 8)


def test_a_recording_that_is_sent_slowly_has_no_steps() -> None:
    t = 1000 + np.arange(5000) / 250
    stamps = t[np.arange(5000) // 8 * 8]
    assert not _is_coarse(stamps, 1000 + 5 * (t - 1000), 1)
