from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.anchor import Anchor

SFREQ = 250.0


@given(
    targets=st.lists(st.floats(-0.5, 0.5), min_size=1, max_size=30),
    slope=st.floats(-0.9, 1.0),
    n_times=st.integers(1, 50),
)
def test_instants_increase_whatever_it_follows(
    targets: list[float], slope: float, n_times: int
) -> None:
    anchor, last = Anchor(SFREQ, 0.0), -np.inf
    for n, target in enumerate(targets):
        drift = slope * n_times / SFREQ
        anchor.follow(target, drift, n_times, n_before=n * n_times)
        first = anchor.t + n * n_times / SFREQ
        assert first > last
        last = first + (n_times - 1) / SFREQ


def test_it_comes_to_its_target_and_says_how_far_that_is() -> None:
    anchor = Anchor(SFREQ, 0.0)
    away = [anchor.follow(0.003, 0.0, 10, n_before=1000 + 10 * n) for n in range(20)]
    assert away == sorted(away, reverse=True)
    assert away[-1] == 0.0
    assert anchor.t == pytest.approx(0.003)
