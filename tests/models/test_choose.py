from __future__ import annotations

from dataclasses import replace

import numpy as np
from sklearn.metrics import roc_auc_score

from models.choose import choose_encoder, discrimination
from tests.models.problems import evoked_trials, flicker_trials


def test_discrimination_is_the_area_under_the_curve() -> None:
    rng = np.random.default_rng(0)
    truth = rng.permutation(np.repeat([0, 1, 2], [10, 20, 40]))
    similarity = rng.standard_normal((70, 3)).round(1).astype(np.float32)
    similarity[np.arange(70), truth] += 0.5
    areas = [roc_auc_score(truth == k, similarity[:, k]) for k in range(3)]
    expected = np.average(areas, weights=[10, 20, 40])
    np.testing.assert_allclose(discrimination(similarity, truth), expected)


def test_one_class_says_nothing() -> None:
    assert discrimination(np.zeros((4, 2), np.float32), np.zeros(4, np.intp)) == 0.5


def test_what_predicts_best_is_chosen() -> None:
    name, scores = choose_encoder(flicker_trials())
    assert name == "riemann"
    assert scores["riemann"] > scores["ridge"] + 0.2
    name, scores = choose_encoder(evoked_trials())
    assert name == max(scores, key=lambda key: scores[key])


def test_with_many_classes_covariances_are_not_tried() -> None:
    assert choose_encoder(evoked_trials(120, n_classes=20)) == ("ridge", {})


def test_runs_of_one_thing_each_say_nothing() -> None:
    trials = evoked_trials(40, n_classes=2)
    order = np.argsort(trials.targets[:, 0], kind="stable")
    apart = replace(
        trials,
        windows=trials.windows[order],
        targets=trials.targets[order],
        groups=np.arange(40) // 20,
    )
    assert choose_encoder(apart) == ("ridge", {"ridge": 0.5, "riemann": 0.5})
