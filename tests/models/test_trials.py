from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.trials import MAX_FOLDS, flicker_rates
from tests.models.problems import evoked_trials


def test_rates_are_read_from_labels() -> None:
    assert flicker_rates(["30 Hz", "20 hz", "7.5Hz"]) == (7.5, 20.0, 30.0)
    assert flicker_rates(["20 Hz", "rest"]) == ()
    assert flicker_rates(["a 20 Hz tone", "30 Hz hum"]) == ()
    assert flicker_rates(["0 Hz", "12 Hz"]) == ()


def test_folds_leave_out_whole_groups_and_each_trial_once() -> None:
    trials = replace(evoked_trials(90), groups=np.arange(90) // 10)
    folds = trials.folds()
    assert len(folds) == MAX_FOLDS
    np.testing.assert_array_equal(np.sum(folds, axis=0), 1)
    for test in folds:
        assert not set(trials.groups[test]) & set(trials.groups[~test])


def test_what_is_taken_can_be_split_again() -> None:
    trials = evoked_trials(90)
    part = trials.take(trials.groups == 1)
    assert len(part) == 30
    assert len(np.unique(part.groups)) == MAX_FOLDS
    assert (np.diff(part.groups) >= 0).all()


def test_what_does_not_fit_is_refused() -> None:
    trials = evoked_trials(90)
    with pytest.raises(ValueError, match="two groups"):
        replace(trials, groups=np.zeros(90, np.intp))
    with pytest.raises(ValueError, match="90 windows, 89 targets"):
        replace(trials, targets=trials.targets[1:])
    with pytest.raises(ValueError, match=r"windows must have shape \(n, n_channels"):
        replace(trials, windows=trials.windows[0])
