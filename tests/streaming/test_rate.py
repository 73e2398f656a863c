from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streaming.rate import RateWatch

SFREQ = 250.0


def _said(stamps: NDArray[np.float64], size: int = 8) -> list[str]:
    watch = RateWatch(SFREQ)
    said = [watch.add(stamps[at : at + size]) for at in range(0, len(stamps), size)]
    return [text for text in said if text]


@given(
    factor=st.floats(0.99, 1.01),
    late=st.floats(0, 0.02),
    block=st.integers(1, 64),
    seed=st.integers(0, 1000),
    lost=st.tuples(st.integers(0, 4000), st.floats(-5, 5)),
)
def test_a_rate_that_is_as_said_says_nothing_whatever_is_lost_or_set(
    factor: float, late: float, block: int, seed: int, lost: tuple[int, float]
) -> None:
    n = np.arange(5000)
    stamps = 1000 + (n // block * block) / (factor * SFREQ)
    stamps += np.random.default_rng(seed).uniform(0, late, len(n))[n // block]
    stamps[lost[0] :] += lost[1]
    assert not _said(np.maximum.accumulate(stamps) if lost[1] > 0 else stamps, block)


@pytest.mark.parametrize("factor", [0.5, 0.9, 0.96, 1.04, 1.1, 2.0])
@pytest.mark.parametrize("late", [0.0, 0.02])
def test_another_rate_is_said_once_with_both_numbers_within_seconds(
    factor: float, late: float
) -> None:
    stamps = 1000 + np.arange(round(30 * factor * SFREQ)) / (factor * SFREQ)
    stamps = np.maximum.accumulate(
        stamps + np.random.default_rng(0).uniform(0, late, len(stamps))
    )
    (text,) = _said(stamps)
    measured, nominal = float(text.split()[0]), "and not 250,"
    assert measured == pytest.approx(factor * SFREQ, rel=0.01)
    assert nominal in text
    assert _said(stamps[: round(6 * factor * SFREQ)])


def test_it_is_said_when_it_is_right_again() -> None:
    slow = 1000 + np.arange(2250) / (0.9 * SFREQ)
    right = slow[-1] + np.arange(1, 4000) / SFREQ
    said = _said(np.concatenate([slow, right]))
    assert said[0].startswith("225.0 samples")
    assert said[-1] == "250 samples come a second, as is said"


def test_it_begins_anew_and_nothing_says_nothing() -> None:
    watch = RateWatch(SFREQ)
    assert watch.add(np.empty(0)) == watch.add(np.full(9, np.nan)) == ""
    for n in range(20):
        watch.add(1000 + (250 * n + np.arange(250)) / 225.0)
    assert watch.wrong
    watch.reset()
    assert watch.add(np.array([1.0])) == ""
