from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from decoder.curves import averaging_curve, learning_curve, time_course
from models.heldout import HeldOut
from tests.decoder.trials import problem


def test_averages_of_repeats_grow_as_theory_says() -> None:
    """Of independent noise, n repeats multiply the distance of the classes by root n."""
    p = problem(n=640, signal=0.12)
    points = averaging_curve(p.hold_out())
    assert [point.n_averaged for point in points] == [1, 2, 4, 10]
    assert points[0].n == 640
    single = norm.ppf(points[0].main.value)
    assert 0.2 < single < 1.5
    for point in points:
        expected = norm.cdf(single * np.sqrt(point.n_averaged))
        assert point.main.value == pytest.approx(expected, abs=0.05)
        assert point.n <= 640 // point.n_averaged


def test_averages_of_more_than_there_are_are_left_out() -> None:
    points = averaging_curve(problem(n=40).hold_out())  # about 5 of each in a run
    assert [point.n_averaged for point in points] == [1, 2, 4]


def test_more_calibration_is_better() -> None:
    p = problem(n=640, signal=0.12)
    told: list[float] = []
    points = learning_curve(p, told.append)
    assert [point.n_trials for point in points] == [30, 60, 120, 240, 480]
    assert points[-1].minutes == pytest.approx(480 * 2 / 60)  # one every 2 s
    assert points[0].minutes == pytest.approx(30 * 2 / 60)
    assert points[-1].main.value > points[0].main.value
    assert points[-1].main.value == pytest.approx(averaging_curve(p.hold_out())[0].main.value)
    assert told[-1] == 1.0


def test_what_is_shown_can_be_read_when_it_is_there() -> None:
    points = time_course([problem(signal=0.6)])
    t = np.array([point.t for point in points])
    assert t[0] == pytest.approx(0.015 - 0.05)  # middle of 4 samples, less the delay
    for point in points:
        assert point.q_value is not None
        assert point.p_value is not None
        assert point.q_value >= point.p_value - 1e-9
        assert (point.q_value < 0.05) == (point.t + 0.05 > 0.2)


def test_without_a_random_order_times_have_no_p() -> None:
    p = problem(shown=np.tile(np.repeat([0, 1], 40), 4))
    points = time_course([p])
    assert all(point.p_value is None and point.q_value is None for point in points)


def test_a_story_that_is_heard_again_is_averaged_over_runs() -> None:
    """Eight things, once in each of four runs, in noise; each model never saw what it tells."""
    rng = np.random.default_rng(0)
    truth, groups = np.tile(np.arange(8), 4), np.repeat(np.arange(4), 8)
    similarity = rng.standard_normal((32, 8)).astype(np.float32)
    similarity[np.arange(32), truth] += 1.0
    halves = np.stack([np.arange(8) < 4, np.arange(8) >= 4])
    held_out = HeldOut(
        protocol="zero_shot",
        similarity=similarity,
        truth=truth,
        groups=groups,
        t=np.arange(32.0),
        stim_files=(),
        n_purged=0,
        fold=2 * groups + truth // 4,  # of each run, two models
        pools=np.tile(halves, (4, 1)),
        index=np.arange(32),
        encoders=("track",) * 8,
    )
    points = averaging_curve(held_out)
    assert [(p.n_averaged, p.within_run, p.n) for p in points] == [
        (1, True, 32),
        (2, False, 16),
        (4, False, 8),
    ]
    averaged = similarity.reshape(4, 8, 8).mean(axis=0)
    right = [
        averaged[k, k] == averaged[k, 4 * (k // 4) : 4 * (k // 4) + 4].max() for k in range(8)
    ]
    assert points[-1].top1.value == pytest.approx(np.mean(right))
    assert points[-1].top1.chance == pytest.approx(0.25)
