"""What `benchmarks.calibration` reads off its curves."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.calibration import Point, curve, minutes_to_reach
from decoder.resampling import Score
from models.fit import fit_model
from tests.decoder.trials import problem


def points(*values: float) -> list[Point]:
    return [
        Point(float(minutes), 10 * minutes, Score(value, 0.5, 0.0, 1.0))
        for minutes, value in enumerate(values, 1)
    ]


def test_minutes_are_counted_until_a_score_stays() -> None:
    assert minutes_to_reach(points(0.6, 0.8, 0.9), 0.7) == pytest.approx(1.5)
    assert minutes_to_reach(points(0.9, 0.6, 0.8), 0.7) == pytest.approx(2.5)
    assert minutes_to_reach(points(0.9, 0.95), 0.7) == 1.0
    assert minutes_to_reach(points(0.6, 0.65), 0.7) is None


def test_a_curve_rises_and_begins_higher_with_an_older_model() -> None:
    p = problem(n=480, n_concepts=3, signal=0.15)
    early = np.arange(480) < 240
    first, second = p.dataset.take(early), p.dataset.take(~early)
    model = fit_model(first, p.candidates).model
    anew = curve(second, p.candidates, (20, 120), 80)
    warm = curve(second, p.candidates, (20, 120), 80, parent=model)
    assert [point.n_trials for point in anew] == [20, 120]
    assert anew[1].minutes == pytest.approx(120 * 2 / 60)
    assert anew[1].score.value > anew[0].score.value
    assert warm[0].score.value > anew[0].score.value
