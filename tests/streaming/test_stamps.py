from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.stamps import InOrder, blank_unusable


def test_what_is_no_timestamp_is_blank() -> None:
    stamps = np.array([1.0, 0.0, -3.0, np.nan, np.inf, 2.0])
    np.testing.assert_array_equal(np.isnan(blank_unusable(stamps)), [0, 1, 1, 1, 1, 0])


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
