from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import curve_fit

from decoder.curves import learned_parts
from decoder.evaluation import evaluate
from decoder.forecast import (
    Expected,
    Forecast,
    fit_power_law,
    forecast,
    forecast_shares,
    headline,
    suggest,
)
from tests.decoder.trials import problem

MINUTES = np.array([1.0, 2.0, 4.0, 8.0, 16.0])


def test_a_curve_is_found_as_scipy_finds_it() -> None:
    scores = 0.9 - 0.5 * MINUTES**-0.6 + np.array([0.01, -0.01, 0.008, -0.005, 0.002])
    weights = MINUTES
    a, b, c = fit_power_law(MINUTES, scores[None], weights)[0]
    found, _ = curve_fit(
        lambda x, a, b, c: a - b * x**-c, MINUTES, scores, (0.9, 0.5, 0.6), weights**-0.5
    )
    later = 32.0
    ours, theirs = a - b * later**-c, found[0] - found[1] * later ** -found[2]
    assert ours == pytest.approx(theirs, abs=0.005)


def test_no_curve_falls_and_none_leads_above_one() -> None:
    falling = 0.7 - 0.02 * np.arange(5)
    steep = np.array([0.2, 0.4, 0.6, 0.8, 0.99])
    curves = fit_power_law(MINUTES, np.stack([falling, steep]), np.ones(5))
    assert curves[0, 1] == 0
    assert curves[0, 0] == pytest.approx(falling.mean())
    assert curves[1, 0] <= 1
    far = curves[:, 0] - curves[:, 1] * 1e6 ** -curves[:, 2]
    assert (far <= 1).all()


def test_half_of_the_calibration_tells_what_all_of_it_gives() -> None:
    p = problem(n=480, signal=0.15, n_concepts=3)
    n_trained = min(int(fold.train.sum()) for fold in p.split.folds)
    parts = list(learned_parts(p, forecast_shares(n_trained)))
    assert [part.n_trials for part in parts][-1] == 360
    half = [part for part in parts if part.n_trials <= 180]
    told = forecast(half, half[-1].minutes)
    assert told is not None
    really = evaluate(parts[-1].held_out, with_p=False).top1
    assert told.later.minutes == pytest.approx(parts[-1].minutes, rel=0.01)
    assert told.later.low <= really.value <= told.later.high
    assert told.gain.value == pytest.approx(told.later.value - told.now.value)
    assert told.gain.low >= 0
    assert told.at(told.now.minutes) == pytest.approx(told.now.value)


def test_two_points_are_no_curve() -> None:
    parts = list(learned_parts(problem(n=120), (0.5, 1.0)))
    assert forecast(parts, 4.0) is None


def test_it_is_said_whether_more_helps() -> None:
    p = problem(n=320)
    e = evaluate(p.hold_out(), p.order)
    now = Expected(8.0, 0.9, 0.85, 0.95)

    def with_gain(gain: float) -> Forecast:
        later = Expected(16.0, 0.9 + gain, 0.85, 1.0)
        return Forecast(now, later, Expected(8.0, gain, 0.0, 2 * gain), (1.0, 0.1, 0.5))

    more, enough = suggest(e, with_gain(0.03), 8.0), suggest(e, with_gain(0.001), 8.0)
    assert not more.enough
    assert more.text.startswith("8 more minutes are expected to bring +3.0 points")
    assert enough.enough
    assert enough.text.startswith("enough: 8 more minutes")
    assert not suggest(e, None, 8.0).enough
    name, score = headline(e)
    assert name == "AUC"
    nothing = replace(e, auc=replace(score, low=0.4, value=0.5, high=0.6))
    assert "electrodes" in suggest(nothing, with_gain(0.03), 12.0).text


def test_the_headline_goes_with_the_pool() -> None:
    p = problem(n=120, n_concepts=12)
    e = evaluate(p.hold_out(), with_p=False)
    assert headline(e) == ("two-way accuracy", e.pairwise)
    assert headline(replace(e, pool=10)) == ("top-1", e.top1)
