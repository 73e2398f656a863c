"""Senders whose clock is set."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.examples import examples
from tests.streaming.clocks import (
    START,
    error_of,
    live_of,
    run_clock,
    run_live,
    truth_of,
)


def test_a_clock_that_is_set_back_starts_a_segment_without_a_loss() -> None:
    stamps = truth_of(10)
    stamps[1000:] -= 300.0
    run = run_clock(stamps, [10])
    (gap,) = run.gaps
    assert gap.duration == 0.0
    assert run.segment.count(0) == 1000
    np.testing.assert_allclose(run.t, stamps, atol=1e-6)


def test_a_clock_that_is_set_back_just_after_a_loss_starts_another_segment() -> None:
    stamps = truth_of(10)
    stamps[1000:] += 0.5
    stamps[1100:] -= 3.0
    run = run_clock(stamps, [10])
    assert [round(g.duration, 3) for g in run.gaps] == [0.5, 0.0]
    np.testing.assert_allclose(run.t, stamps, atol=1e-6)


@examples(10)
@given(
    block=st.integers(1, 32),
    late=st.floats(0, 0.02),
    step=st.one_of(st.floats(0.05, 3), st.floats(-3, -0.15)),
    seed=st.integers(0, 1000),
)
@example(block=14, late=0.014977696573736859, step=1.0, seed=276)
def test_a_clock_that_is_set_is_no_loss_where_arrivals_tell(
    block: int, late: float, step: float, seed: int
) -> None:
    at = 60 * 250 // block * block
    live = live_of(75, block, late, 50.0, seed)
    live.stamps[at:] += step
    run = run_live(live)
    (gap,) = run.gaps
    assert (gap.reason, gap.duration) == ("clock", 0.0)
    live.truth[at:] += step
    error = error_of(run, live.truth, at)
    assert np.percentile(error[at + 250 : at + 5 * 250], 95) < 1.5e-3


def test_a_clock_that_is_set_while_samples_are_lost() -> None:
    live = live_of(40, 10, 0.0, 0.0, 0, slice(5000, 5250))
    live.stamps[5000:] += 0.5
    (gap,) = run_live(live).gaps
    assert gap.reason == "clock"
    assert gap.duration == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("step", [0.01, 0.018])
def test_a_clock_that_is_set_by_little_is_followed(step: float) -> None:
    live = live_of(60, 10, 0.0, 0.0, 0)
    live.stamps[10_000:] += step
    run = run_live(live)
    assert not run.gaps
    live.truth[10_000:] += step
    assert error_of(run, live.truth, 10_000)[10_000 + 375 :].max() < 1e-3


def test_a_recording_that_is_sent_faster_loses_what_it_lost() -> None:
    """Timestamps run ahead of arrivals, which then tell nothing of steps."""
    live = live_of(40, 10, 0.0, 0.0, 0, slice(5000, 5250))
    live.received[:] = START + (live.stamps - START) / 4
    (gap,) = run_live(live).gaps
    assert (gap.reason, round(gap.duration, 3)) == ("lost", 1.0)
