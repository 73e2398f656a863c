from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.fit import fit_model, truth_of
from models.folds import make_split
from models.heldout import predict
from models.refit import make_sums, solved
from models.ridge import RidgeEncoder
from models.riemann import RiemannEncoder
from models.trials import Trials
from models.warm import (
    SHARES,
    check_parent,
    fit_warm,
    seen_by,
    shrink_to,
    warm,
    windows_of,
    with_prior,
)
from streaming.errors import EvaluationError, ModelError
from streaming.signal import Chunk, SignalSpec, Window
from streaming.window import SlidingWindows
from tests.models.networks import quick_networks
from tests.models.test_fit import dataset, labels

SFREQ = 100.0


def trials(
    n: int, seed: int = 0, patterns: int = 0, n_channels: int = 4, signal: float = 0.5
) -> Trials:
    """Three things that each move channels their own way; `patterns` is whose."""
    moves = np.random.default_rng([patterns, 7]).standard_normal((3, n_channels, 40))
    rng = np.random.default_rng(seed)
    shown = np.arange(n) % 3
    windows = rng.standard_normal((n, n_channels, 40)) + signal * moves[shown]
    return Trials(
        windows.astype(np.float32),
        np.eye(3, dtype=np.float32)[shown],
        np.arange(n) * 5 // n,
        SFREQ,
    )


def right(encoder: RidgeEncoder | RiemannEncoder, of: Trials) -> float:
    spec = SignalSpec(SFREQ, tuple(f"c{n}" for n in range(of.windows.shape[1])))
    said = [encoder.encode(Window(Chunk(w, spec), "locked/0")).argmax() for w in of.windows]
    return float(np.mean(np.array(said) == of.targets.argmax(axis=1)))


def test_it_minimises_what_it_says() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((40, 6)), rng.standard_normal((40, 2))
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    prior = np.linalg.lstsq(x, y, rcond=None)[0] + 0.1 * rng.standard_normal((6, 2))
    coef, alphas, share = shrink_to(prior, x, y, np.arange(40) % 5)
    assert share in SHARES
    for column in range(2):
        gram = x.T @ x + alphas[column] * np.eye(6)
        toward = alphas[column] * share * prior[:, column]
        expected = np.linalg.solve(gram, x.T @ y[:, column] + toward)
        np.testing.assert_allclose(coef[:, column], expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("seed", range(3))
def test_what_does_not_help_is_ignored(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((200, 6))
    true = rng.standard_normal((6, 2))
    y = x @ true + rng.standard_normal((200, 2))
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    groups = np.arange(200) % 5
    assert shrink_to(true, x, y, groups)[2] == 1.0
    coef, _, share = shrink_to(-3 * true, x, y, groups)
    assert share == 0.0
    np.testing.assert_allclose(coef, np.linalg.lstsq(x, y, rcond=None)[0], atol=0.1)


@pytest.mark.parametrize("kind", [RidgeEncoder, RiemannEncoder])
def test_twenty_trials_of_another_day_are_enough(
    kind: type[RidgeEncoder | RiemannEncoder],
) -> None:
    older = kind.fit(trials(600, seed=1))
    few, test = trials(20, seed=2), trials(300, seed=3)
    scaled = replace(few, windows=3 * few.windows), replace(test, windows=3 * test.windows)
    encoder, share = warm(older, scaled[0])
    assert share > 0
    assert isinstance(encoder, kind)
    assert right(encoder, scaled[1]) > right(kind.fit(scaled[0]), scaled[1]) + 0.1
    assert right(encoder, scaled[1]) > right(older, test) - 0.1


@pytest.mark.parametrize("n_channels", [4, 20])
def test_another_brain_is_begun_anew(n_channels: int) -> None:
    older = RidgeEncoder.fit(trials(300, seed=1, patterns=1, n_channels=n_channels))
    few = trials(60, seed=2, n_channels=n_channels)
    test = trials(200, seed=3, n_channels=n_channels)
    warmed = fit_warm(older, few)
    assert isinstance(warmed.encoder, RidgeEncoder)
    anew = RidgeEncoder.fit(few)
    assert right(warmed.encoder, test) > right(anew, test) - 0.07
    assert bool(warmed.tried) == (n_channels == 20)


def test_trials_of_another_shape_are_refused() -> None:
    older = RidgeEncoder.fit(trials(60))
    with pytest.raises(ModelError, match="4 channels and 40 samples"):
        warm(older, trials(60, n_channels=5))


def test_sums_solve_to_what_was_fitted() -> None:
    older = RidgeEncoder.fit(trials(300, seed=1))
    few = trials(40, seed=2)
    encoder, _ = warm(older, few)
    assert isinstance(encoder, RidgeEncoder)
    sums = make_sums(encoder, few.windows, few.targets)
    again = solved(with_prior(sums, encoder), encoder)
    np.testing.assert_allclose(again.coef, encoder.coef, atol=2e-5)
    without = solved(sums, encoder)
    assert abs(without.coef - encoder.coef).max() > 1e-3


def test_the_family_is_known() -> None:
    older = fit_model(dataset(), labels()).model
    data = replace(dataset(files=2), hashes=("new", "newer"))
    younger = fit_model(data, labels(), parent=older).model
    assert younger.training["parent"] == older.model_id
    assert younger.training["prior_share"] in SHARES
    assert younger.encoder.kind == "ridge"
    check_parent(younger)
    with pytest.raises(EvaluationError, match="would score what it remembers"):
        predict(younger, dataset(), "closed_set")  # which the older one was fitted to


def test_networks_have_no_children() -> None:
    with quick_networks(max_epochs=1):
        older = fit_model(dataset(60), labels(), encoder="mlp").model
    with pytest.raises(ModelError, match="begin from a ridge or a riemann model"):
        check_parent(older)
    with pytest.raises(ModelError, match="a mlp encoder cannot begin"):
        warm(older.encoder, trials(60))


def test_what_the_older_model_knew_need_not_recur_and_is_no_zero_shot() -> None:
    data = dataset()
    candidates = labels()
    truth = truth_of(data, candidates)
    model = fit_model(data, candidates).model
    seen = seen_by(model, candidates.ids)
    assert seen.all()
    assert not seen_by(None, candidates.ids).any()
    once = replace(data, groups=truth.copy())  # each run shows a thing of its own
    folds = make_split(once, candidates, truth, "closed_set", seen).folds
    assert sum(int(fold.test.sum()) for fold in folds) == len(data)


def test_windows_of_sliding_models_are_where_they_were_fitted() -> None:
    model = fit_model(dataset(), labels()).model
    assert windows_of(model) == model.windowing
    sliding = replace(model, windowing=SlidingWindows(0.4, 0.1))
    with pytest.raises(EvaluationError, match="does not say where"):
        windows_of(sliding)
    told = replace(sliding, training={**model.training, "tmin": 0.25})
    assert windows_of(told).tmin == 0.25
