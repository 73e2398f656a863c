from __future__ import annotations

import numpy as np

from decoder.patterns import haufe_pattern
from models.fit import fit_model
from tests.decoder.trials import EARLY, LATE, problem


def test_the_pattern_is_the_response_and_not_the_weights() -> None:
    p = problem(signal=1.0)
    windows = p.dataset.windows.copy()
    windows[:, 1] = windows[:, 0] - windows[:, 1]  # makes weights on noise
    p = p.seen_as(windows)
    pattern = haufe_pattern(p.hold_out(), p.dataset, p.candidates)
    values = np.array(pattern.values)
    shown = np.array(p.dataset.ids) == "c1"
    response = windows[shown].mean(0) - windows[~shown].mean(0)
    assert values.shape == (4, 40)
    correlation = np.corrcoef(values[:, LATE].mean(1), response[:, LATE].mean(1))[0, 1]
    assert correlation > 0.98
    assert abs(values[:, EARLY]).mean() < 0.2 * abs(values[:, LATE]).mean()
    assert pattern.contrast == "c1 rather than c0"
    assert pattern.times[0] == -0.05  # less the chain's delay
    assert len(pattern.positions) == 4


def test_of_many_candidates_it_is_the_axis_along_which_they_differ_most() -> None:
    p = problem(n_concepts=5)
    pattern = haufe_pattern(p.hold_out(), p.dataset, p.candidates)
    assert pattern.contrast.startswith("first axis of the predictions: c")
    assert fit_model(p.dataset, p.candidates).held_out.similarity.shape[1] == 5
