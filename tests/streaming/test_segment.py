from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from streaming.arrivals import Step
from streaming.delays import Lateness
from streaming.envelope import Envelope, Rise
from streaming.line import Count
from streaming.segment import Known, Past, Segment

SFREQ = 250.0


def _fed(n_times: int, known: Known) -> tuple[Segment, NDArray[np.float64]]:
    stamps = 100 + np.arange(n_times) / SFREQ
    segment = Segment(0, SFREQ, known)
    for part in np.split(stamps, n_times // 10):
        segment.give(part)
    return segment, stamps


def test_it_counts_samples_and_says_when_the_next_is_due() -> None:
    segment, stamps = _fed(500, Known(Lateness(SFREQ)))
    assert segment.n == 500
    assert segment.t_next == pytest.approx(stamps[-1] + 1 / SFREQ)
    segment.skip(5)
    assert segment.t_next == pytest.approx(stamps[-1] + 6 / SFREQ)


def test_samples_are_plausible_up_to_the_last_that_is_on_time() -> None:
    segment, stamps = _fed(5000, Known(Lateness(SFREQ)))
    coming = stamps[-1] + np.arange(1, 6) / SFREQ
    assert segment.n_plausible(coming) == 5
    late = coming + np.array([0.0, 0.3, 0.0, 0.2, 0.4])
    assert segment.n_plausible(late) == 3
    assert segment.jump(coming[:2] + np.array([0.2, 0.4])) == pytest.approx(0.2)
    assert segment.n_plausible(np.array([np.nan, np.nan])) == 2


def test_what_comes_next_is_expected_on_the_grid_or_after_a_step() -> None:
    segment, stamps = _fed(5000, Known(Lateness(SFREQ)))
    after = segment.expect()
    assert after.t == pytest.approx(stamps[-1] + 1 / SFREQ)
    assert after.period == pytest.approx(1 / SFREQ)
    stepped = segment.expect(step=Step(3.0, 0.2e-3))
    assert stepped.t == pytest.approx(stamps[-1] + 1 / SFREQ + 3.0)
    assert (stepped.period, stepped.error) == (0.0, 0.2e-3)


def test_what_is_known_goes_on_in_the_next() -> None:
    known = Known(Lateness(SFREQ))
    segment = Segment(0, SFREQ, known)
    stamps = 100 + np.arange(10_000) / SFREQ * (1 + 80e-6)
    for part in np.split(stamps, 1000):
        segment.give(part)
    segment.end()
    assert known.slope == pytest.approx(80e-6, abs=10e-6)
    assert known.n_seconds > 30


def test_one_that_goes_on_anew_begins_where_timestamps_say() -> None:
    segment, stamps = _fed(5000, Known(Lateness(SFREQ)))
    renewed = segment.renew()
    assert (renewed.number, renewed.n) == (1, 0)
    assert renewed.t_next == pytest.approx(stamps[-1] + 1 / SFREQ)
    coming = stamps[-1] + np.arange(1, 11) / SFREQ
    assert renewed.n_plausible(coming) == 10
    assert renewed.give(coming).away == pytest.approx(0.0)
    assert renewed.t_anchor == pytest.approx(coming[0])


def test_what_is_found_at_once_of_two_losses_is_told_of_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A loss within the segment also lifts its envelope against what was before it."""
    n, envelope = round(SFREQ), Envelope(SFREQ)
    envelope.add(0.0, 100.0, high=100.0, n=1)
    segment = Segment(1, SFREQ, Known(Lateness(SFREQ)), before=Past(envelope, 1000))
    stamps = 100 + np.arange(4 * n) / SFREQ
    for part in np.split(stamps[: 2 * n], 10):
        segment.give(part)
    assert not segment.revisions
    segment.n_told = 20
    monkeypatch.setattr(Envelope, "add", lambda *_, **__: Rise(0.5, 0.9, 3))
    monkeypatch.setattr(Envelope, "count_since", lambda *_: Count(24, 50.0, 0.0))
    segment.give(stamps[2 * n :])
    within, before = segment.revisions
    assert (within.segment, within.first, within.n_times) == (1, round(0.5 * SFREQ) + 1, 3)
    assert (before.first, before.stop, before.n_times) == (0, 1, 1)  # 24 are 20, 3 and one
