from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import Ridge
from sklearn.model_selection import LeaveOneGroupOut

from models.ridge import (
    ALPHAS,
    RidgeEncoder,
    leave_group_out_error,
    pool_starts,
    solve_ridge,
)
from models.trials import Trials
from streaming.signal import Chunk, Marker, SignalSpec, Window


def problem(
    n: int, n_features: int, n_targets: int = 3
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]:
    rng = np.random.default_rng(n)
    x = rng.standard_normal((n, n_features))
    y = x[:, :n_targets] + rng.standard_normal((n, n_targets))
    groups = np.arange(n) * 4 // n
    return x - x.mean(0), y - y.mean(0), groups


def window(data: NDArray[np.float32], sfreq: float = 100.0, label: str = "a") -> Window:
    spec = SignalSpec(sfreq, tuple(f"c{n}" for n in range(len(data))))
    return Window(Chunk(data, spec), "locked/0", marker=Marker(label, 0.0, 0, 0))


@pytest.mark.parametrize("shape", [(60, 10), (30, 50)])
def test_coefficients_are_those_of_sklearn(shape: tuple[int, int]) -> None:
    x, y, _ = problem(*shape)
    alphas = np.array([0.1, 10.0, 1e4])
    oracle = Ridge(alpha=alphas, fit_intercept=False, solver="cholesky").fit(x, y)
    np.testing.assert_allclose(solve_ridge(x, y, alphas), oracle.coef_.T, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("shape", [(60, 10), (30, 50)])
def test_the_closed_form_is_what_brute_force_gives(shape: tuple[int, int]) -> None:
    x, y, groups = problem(*shape)
    alphas = np.array([1.0, 30.0, 1e3])
    errors = leave_group_out_error(x, y, groups, alphas)
    for row, alpha in zip(errors, alphas, strict=True):
        oracle = np.zeros_like(y)
        for train, test in LeaveOneGroupOut().split(x, y, groups):
            oracle[test] = Ridge(alpha=alpha).fit(x[train], y[train]).predict(x[test])
        np.testing.assert_allclose(row, ((y - oracle) ** 2).mean(0), rtol=1e-8)


def test_an_encoder_is_a_standardised_ridge_on_pooled_samples() -> None:
    rng = np.random.default_rng(0)
    windows = rng.standard_normal((40, 3, 20)).astype(np.float32) * 1e-5 + 1e-5
    targets = rng.standard_normal((40, 2)).astype(np.float32)
    encoder = RidgeEncoder.fit(Trials(windows, targets, np.arange(40) // 10, 100.0))
    pooled = windows.astype(np.float64).reshape(40, 3, 5, 4).mean(-1).reshape(40, -1)
    x = (pooled - pooled.mean(0)) / pooled.std(0)
    oracle = Ridge(alpha=encoder.alphas).fit(x, targets).predict(x)
    ours = np.stack([encoder.encode(window(w)) for w in windows])
    np.testing.assert_allclose(ours, oracle, rtol=1e-4, atol=1e-6)


def test_each_target_gets_the_penalty_it_needs() -> None:
    rng = np.random.default_rng(1)
    windows = rng.standard_normal((300, 2, 20)).astype(np.float32)
    clear = windows[:, 0, :4].mean(-1)
    targets = np.stack([clear, rng.standard_normal(300)], axis=1).astype(np.float32)
    encoder = RidgeEncoder.fit(Trials(windows, targets, np.arange(300) // 60, 100.0))
    assert encoder.alphas[0] <= 10
    assert encoder.alphas[1] >= 1e3
    assert set(encoder.alphas) <= set(ALPHAS)


def test_bins_cover_the_window_evenly() -> None:
    for n_times, sfreq in ((1, 100.0), (3, 100.0), (100, 250.0), (77, 256.0), (1000, 1000.0)):
        sizes = np.diff(pool_starts(n_times, sfreq), append=n_times)
        assert sizes.sum() == n_times
        assert sizes.max() - sizes.min() <= 1


def fitted(
    n_channels: int, n_times: int, n_dims: int
) -> tuple[RidgeEncoder, NDArray[np.float32]]:
    rng = np.random.default_rng(3)
    windows = rng.standard_normal((60, n_channels, n_times)).astype(np.float32) * 1e-5
    targets = rng.standard_normal((60, n_dims)).astype(np.float32)
    return RidgeEncoder.fit(Trials(windows, targets, np.arange(60) // 20, 100.0)), windows


def test_parts_that_do_not_fit_are_refused() -> None:
    encoder, _ = fitted(4, 50, 8)
    with pytest.raises(ValueError, match="mean must have shape"):
        replace(encoder, mean=encoder.mean[1:])
    with pytest.raises(ValueError, match="starts must rise"):
        replace(encoder, n_times=20)
