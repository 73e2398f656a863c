"""Samples that are missing, and those that only seem to be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.clock import DECISION, MAX_FILL
from streaming.envelope import Envelope
from streaming.line import Count
from tests.examples import examples
from tests.streaming.clocks import (
    SFREQ,
    START,
    error_of,
    live_of,
    run_clock,
    run_live,
    stamped,
    truth_of,
)


@examples(15)
@given(size=st.integers(1, 50), lost=st.floats(0.2, 30), at=st.integers(250, 2000))
def test_a_loss_is_found_with_its_place_and_length(size: int, lost: float, at: int) -> None:
    truth = truth_of(10)
    truth[at:] += lost
    run = run_clock(truth, [size])
    ((gap,), (before, after)) = run.gaps, [run.segment.count(s) for s in (0, 1)]
    assert (before, after) == (at, len(truth) - at)
    assert gap.t == pytest.approx(truth[at - 1] + 1 / SFREQ, abs=1e-6)
    assert gap.duration == pytest.approx(lost, abs=1e-6)
    np.testing.assert_allclose(run.t, truth, atol=1e-6)
    assert run.longest_hold <= round(DECISION * SFREQ) + size


@examples(15)
@given(
    block=st.integers(1, 32),
    late=st.floats(0, 0.02),
    ppm=st.floats(-100, 100),
    lost=st.floats(0.2, 30),
    at=st.integers(2500, 4000),
    seed=st.integers(0, 1000),
)
def test_a_loss_is_found_among_late_blocks(
    block: int, late: float, ppm: float, lost: float, at: int, seed: int
) -> None:
    truth = truth_of(30, ppm)
    at -= at % block  # whole blocks are lost
    truth[at:] += lost
    run = run_clock(stamped(truth, block, late, seed), [16])
    (gap,) = run.gaps
    assert run.segment.count(0) == at
    assert gap.duration == pytest.approx(lost, abs=0.025)
    error = np.array(run.t) - truth
    assert np.abs(error[at + 10 * 250 :]).max() < 0.004


@examples(15)
@given(
    block=st.integers(1, 8),
    late=st.floats(0, 0.02),
    ppm=st.floats(-100, 100),
    lost=st.floats(0.028, 0.2),
    at=st.integers(3000, 4000),
    size=st.integers(1, 16),
    seed=st.integers(0, 1000),
)
def test_a_loss_just_longer_than_the_lateness_is_found_live(
    block: int, late: float, ppm: float, lost: float, at: int, size: int, seed: int
) -> None:
    truth = truth_of(20, ppm)
    at -= at % block
    truth[at:] += lost
    run = run_clock(stamped(truth, block, late, seed), [size])
    (gap,) = run.gaps
    assert abs(run.segment.count(0) - at) <= block  # a block may be on time by chance
    assert gap.duration == pytest.approx(lost, abs=0.02)
    assert run.longest_hold <= round((2 * DECISION + late) * SFREQ) + size + 2 * block


@examples(15)
@given(
    n_lost=st.integers(3, 25),
    at=st.integers(3500, 4000),
    size=st.integers(1, 50),
    ppm=st.floats(-100, 100),
)
def test_a_short_loss_is_found_where_timestamps_are_exact(
    n_lost: int, at: int, size: int, ppm: float
) -> None:
    truth = np.delete(truth_of(21, ppm), slice(at, at + n_lost))
    run = run_clock(truth, [size])
    (gap,) = run.gaps
    assert gap.duration == pytest.approx(n_lost / SFREQ, abs=1e-3)
    if n_lost <= MAX_FILL * SFREQ:  # so short that the segment goes on
        assert (gap.reason, run.segment.count(0)) == ("filled", len(truth))
        (after,) = [s for s in run.stretches if s.gap is not None]
        assert after.first == at + n_lost
    else:
        assert (gap.reason, run.segment.count(0)) == ("lost", at)


@examples(15)
@given(
    stall=st.floats(0.05, 3),
    at=st.integers(250, 1500),
    sizes=st.lists(st.integers(1, 300), min_size=1, max_size=4),
)
def test_a_burst_after_a_radio_stall_is_no_loss(
    stall: float, at: int, sizes: list[int]
) -> None:
    truth = truth_of(10)
    stamps = truth.copy()
    burst = slice(at, at + round(stall * SFREQ))
    stamps[burst] = truth[burst][-1]  # all that was stored arrives at once
    run = run_clock(stamps, sizes)
    assert not run.gaps
    np.testing.assert_allclose(run.t, truth, atol=3e-3)  # 2.2 ms if it is at 1 s


def test_a_partial_burst_after_a_stall_is_a_loss_of_what_did_not_come() -> None:
    truth = np.delete(truth_of(10), slice(1000, 1100))
    stamps = truth.copy()
    stamps[1000:1050] = truth[1050]
    run = run_clock(stamps, [10])
    (gap,) = run.gaps
    assert gap.duration == pytest.approx(0.4, abs=0.01)


def test_two_losses_within_the_decision_window_are_two() -> None:
    truth = truth_of(10)
    truth[1000:] += 0.5
    truth[1020:] += 0.7
    run = run_clock(truth, [10])
    assert [round(g.duration, 3) for g in run.gaps] == [0.5, 0.7]
    np.testing.assert_allclose(run.t, truth, atol=1e-6)


@examples(10)
@given(
    block=st.integers(1, 32),
    late=st.floats(0, 0.02),
    ppm=st.floats(-100, 100),
    n_lost=st.integers(50, 4000),
    seed=st.integers(0, 1000),
)
def test_instants_are_right_again_soon_after_a_loss(
    block: int, late: float, ppm: float, n_lost: int, seed: int
) -> None:
    at = 60 * 250 // block * block
    live = live_of(90, block, late, ppm, seed, slice(at, at + n_lost))
    run = run_live(live)
    (gap,) = run.gaps
    assert gap.reason == "lost"
    error = error_of(run, live.truth, at)
    if block <= 16:  # with fewer blocks a second, the number of lost samples is not sure yet
        assert np.percentile(error[at + 250 : at + 5 * 250], 90) < 1e-3
    assert error[at + 11 * 250 :].max() < 2e-3


@examples(10)
@given(
    block=st.integers(1, 20),
    late=st.floats(0.008, 0.02),
    n_lost=st.integers(2, 3),
    ppm=st.floats(-100, 100),
    seed=st.integers(0, 1000),
)
def test_a_loss_that_hides_among_late_blocks_is_found_within_30_s(
    block: int, late: float, n_lost: int, ppm: float, seed: int
) -> None:
    at = 60 * 250 // block * block
    live = live_of(92, block, late, ppm, seed, slice(at, at + n_lost))
    run = run_live(live)
    revised = [r for s in run.stretches for r in s.revisions]
    filled = [round(g.duration * SFREQ) for g in run.gaps]
    assert sum(r.n_times for r in revised) + sum(filled) == n_lost
    for revision in revised:
        assert revision.first <= at + 250
        assert revision.stop > at - 250
    assert set(run.segment) == {0}
    error = error_of(run, live.truth, at)
    assert error[-500:].max() < 2e-3


@examples(10)
@given(
    block=st.integers(1, 32),
    mean=st.floats(0.001, 0.015),
    ppm=st.floats(-100, 100),
    seed=st.integers(0, 1000),
)
def test_late_blocks_are_never_found_to_be_a_loss_later(
    block: int, mean: float, ppm: float, seed: int
) -> None:
    truth, rng = truth_of(120, ppm), np.random.default_rng(seed)
    delay = np.repeat(rng.exponential(mean, len(truth) // block + 1), block)
    stamps = stamped(truth, block, 0.0) + delay[: len(truth)]
    run = run_clock(np.maximum.accumulate(stamps), [block])
    assert not [s for s in run.stretches if s.revisions]


@pytest.mark.parametrize("cut", [250, 83])
def test_a_late_block_of_a_second_is_no_loss(cut: int) -> None:
    """Alone it is longer than a decision takes."""
    truth, rng = truth_of(90, 5.0), np.random.default_rng(0)
    late = np.repeat(rng.uniform(0, 0.02, 90), 250)
    run = run_clock(truth + late, [cut])
    assert not run.gaps
    assert not [s for s in run.stretches if s.revisions]


def test_a_loss_that_is_never_sure_is_counted_once_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At 20 kHz a count takes 20 ms, which is how often such an amplifier delivers."""
    n_counts = 0
    count_since = Envelope.count_since

    def counted(envelope: Envelope, before: Envelope, n_before: int, near: float) -> Count:
        nonlocal n_counts
        n_counts += 1
        return count_since(envelope, before, n_before, near)

    monkeypatch.setattr(Envelope, "count_since", counted)
    sfreq, block = 5000.0, 500
    truth = START + np.arange(round(60 * sfreq)) / sfreq
    truth[round(10 * sfreq) :] += 1.0
    run_clock(stamped(truth, block, 0.05), [block], sfreq)
    assert 20 < n_counts < 75  # in 50 s; in the first, at each delivery
