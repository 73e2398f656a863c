from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.errors import SourceError
from streaming.join import Join, interpolate, join_data, join_specs
from streaming.signal import SignalSpec

SFREQ = 250.0
A = SignalSpec(SFREQ, ("A1", "A2"))
B = SignalSpec(SFREQ, ("B1", "TRIG"), ("eeg", "stim"))


def test_the_passband_is_as_it_is_said() -> None:
    n = np.arange(2000)
    for share, worst in ((0.1, 0.004), (0.2, 0.052)):
        x = np.sin(2 * np.pi * share * n)[None].astype(np.float32)
        at = np.arange(10, 1900).astype(np.float64) + 0.5
        got = interpolate(x, 0, at, [False])[0]
        want = np.sin(2 * np.pi * share * at)
        gain = float(got @ want / (want @ want))
        assert 1 - worst < gain < 1


@given(st.integers(1, 40))
def test_cutting_changes_nothing(cut: int) -> None:
    rng = np.random.default_rng(0)
    data = [rng.standard_normal((2, 200)).astype(np.float32) for _ in range(2)]
    whole = join_data(Join(10, 80, (12.25,)), data, [0, 0], (A, B))
    parts = [
        join_data(Join(10, cut, (12.25,)), data, [0, 0], (A, B)),
        join_data(Join(10 + cut, 80 - cut, (12.25 + cut,)), data, [0, 0], (A, B)),
    ]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)


def test_what_does_not_fit_is_refused_in_one_line() -> None:
    slow = SignalSpec(500.0, ("C",))
    with pytest.raises(SourceError, match=r"amp1 has 250 Hz and amp2 500 Hz: .* same rate"):
        join_specs(["amp1", "amp2"], [A, slow])
    with pytest.raises(SourceError, match="amp1 and amp2 both have channels A1, A2: give them"):
        join_specs(["amp1", "amp2"], [A, A])


def test_positions_of_one_are_kept() -> None:
    placed = SignalSpec(SFREQ, ("C",), (), (0.1, 0.0, 0.0))
    assert join_specs(["a", "c"], [A, placed]).positions == (0.0,) * 6 + (0.1, 0.0, 0.0)


def test_what_is_infinite_or_unknown_stays_within_the_four_samples_around() -> None:
    x = np.ones((2, 20), np.float32)
    x[0, 10], x[1, 10] = np.inf, np.nan
    at = np.arange(3, 17).astype(np.float64) + 0.5
    got = interpolate(x, 0, at, [False, False])
    np.testing.assert_array_equal(np.isfinite(got), [np.abs(at - 10) > 2] * 2)


def test_of_a_long_recording_only_what_is_needed_is_read() -> None:
    x = np.zeros((1, 1_000_000), np.float32)
    x[0, 500_000:500_004] = (1, 2, 3, 4)
    hours = np.broadcast_to(x, (100_000, x.shape[1]))  # 400 GB if it were copied
    got = interpolate(hours, 0, np.array([500_001.5]), [False] * len(hours))
    np.testing.assert_allclose(got, 2.5)


def test_nothing_in_nothing_out() -> None:
    x = np.zeros((2, 20), np.float32)
    assert interpolate(x, 0, np.empty(0), [False, True]).shape == (2, 0)
