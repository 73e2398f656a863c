from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.refit import HALF_LIFE, Sums, add_trial, make_sums, solved
from models.ridge import RidgeEncoder, pooled, solve_ridge
from models.trials import Trials
from streaming.errors import ModelError
from streaming.signal import Chunk, SignalSpec, Window

RNG = np.random.default_rng(0)
N, N_MORE, N_CHANNELS, N_TIMES = 60, 45, 3, 20
WINDOWS = RNG.standard_normal((N + N_MORE, N_CHANNELS, N_TIMES)).astype(np.float32)
TARGETS = (
    WINDOWS[:, :, 5:10].mean(axis=2) @ RNG.standard_normal((N_CHANNELS, 6))
    + 0.1 * RNG.standard_normal((N + N_MORE, 6))
    + 2.0
).astype(np.float32)
ENCODER = RidgeEncoder.fit(Trials(WINDOWS[:N], TARGETS[:N], np.arange(N) // 15, 100.0))
CALIBRATION = make_sums(ENCODER, WINDOWS[:N], TARGETS[:N])


def go_on(kept: float) -> Sums:
    sums = CALIBRATION
    for window, target in zip(WINDOWS[N:], TARGETS[N:], strict=True):
        sums = add_trial(sums, ENCODER, window, target, kept)
    return sums


def test_the_sums_of_calibration_give_the_encoder_of_calibration() -> None:
    again = solved(CALIBRATION, ENCODER)
    np.testing.assert_allclose(again.coef, ENCODER.coef, atol=1e-6)
    np.testing.assert_allclose(again.intercept, ENCODER.intercept, atol=1e-6)
    np.testing.assert_allclose(again.mean, ENCODER.mean, atol=1e-12)


@pytest.mark.parametrize("kept", [1.0, 0.5 ** (1 / 20)])
def test_one_trial_after_the_other_gives_what_a_batch_with_these_weights_does(
    kept: float,
) -> None:
    refitted = solved(go_on(kept), ENCODER)
    age = np.maximum(np.arange(N + N_MORE)[::-1], 0)
    weights = kept ** np.minimum(age, N_MORE)  # trials of calibration are of one age
    x = (pooled(WINDOWS, ENCODER.starts, ENCODER.spatial) - ENCODER.mean) / ENCODER.scale
    x_mean, y_mean = (np.average(v, axis=0, weights=weights) for v in (x, TARGETS))
    root = np.sqrt(weights)[:, None]
    coef = solve_ridge(root * (x - x_mean), root * (TARGETS - y_mean), ENCODER.alphas)
    np.testing.assert_allclose(refitted.coef.T, coef, rtol=1e-5, atol=1e-7)
    window = Window(Chunk(WINDOWS[3], SignalSpec(100.0, ("a", "b", "c"))), "locked/0")
    np.testing.assert_allclose(
        refitted.encode(window), (x[3] - x_mean) @ coef + y_mean, rtol=1e-4, atol=1e-5
    )


def test_a_solved_encoder_goes_on_from_the_same_sums() -> None:
    sums = go_on(1.0)
    other = solved(sums, ENCODER)
    added = [add_trial(sums, e, WINDOWS[0], TARGETS[0]) for e in (ENCODER, other)]
    np.testing.assert_array_equal(added[0].gram, added[1].gram)
    assert float(added[0].weight) == pytest.approx((N + N_MORE) * 0.5 ** (1 / HALF_LIFE) + 1)


def test_sums_come_back_and_check_themselves() -> None:
    again = Sums.from_arrays(CALIBRATION.arrays())
    np.testing.assert_array_equal(again.cross, CALIBRATION.cross)
    with pytest.raises(ValueError, match="gram must have shape"):
        replace(CALIBRATION, gram=np.zeros((2, 2)))
    n = 2 * len(ENCODER.starts)
    fewer = replace(
        ENCODER,
        mean=ENCODER.mean[:n],
        scale=ENCODER.scale[:n],
        coef=ENCODER.coef[:, :n],
        spatial=ENCODER.spatial[:2],
    )
    with pytest.raises(ModelError, match="do not fit an encoder of"):
        solved(CALIBRATION, fewer)
