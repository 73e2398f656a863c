from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from models.track_encoder import TrackEncoder, track_shape
from models.trials import Trials
from streaming.signal import Chunk, SignalSpec, Window

SFREQ = 64.0
SHAPE = track_shape(SFREQ, 2.0)


def trials(
    n: int, lag: int, n_channels: int = 3, n_features: int = 1, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Windows whose channels repeat the track, `lag` bins later, among noise."""
    rng = np.random.default_rng(seed)
    track = rng.standard_normal((n, n_features, SHAPE.n_bins + SHAPE.n_lags))
    track -= track.mean(axis=-1, keepdims=True)
    mixing = rng.standard_normal((n_channels, n_features))
    binned = rng.standard_normal((n, n_channels, SHAPE.n_times // SHAPE.step))
    length = binned.shape[-1] - lag
    binned[..., lag:] += np.einsum("cf,nft->nct", mixing, track[..., :length])
    windows = np.repeat(binned, SHAPE.step, axis=-1).astype(np.float32)
    return windows, track[..., : SHAPE.n_bins].reshape(n, -1).astype(np.float32)


@pytest.mark.parametrize("n_channels", [3, 80])
def test_it_finds_the_delay_of_the_answer(n_channels: int) -> None:
    windows, targets = trials(30, lag=5, n_channels=n_channels)
    encoder = TrackEncoder.fit(Trials(windows, targets, np.arange(30) // 15, SFREQ))
    assert np.abs(encoder.coef[0]).sum(axis=0).argmax() == 5
    spec = SignalSpec(SFREQ, tuple(f"E{n}" for n in range(n_channels)))
    latent = encoder.encode(Window(Chunk(windows[0], spec), "x"))
    assert np.corrcoef(latent, targets[0])[0, 1] > 0.6


def test_it_is_ridge_regression_in_closed_form() -> None:
    windows, targets = trials(20, lag=2, n_features=2)
    encoder = TrackEncoder.fit(Trials(windows, targets, np.arange(20) // 5, SFREQ))
    rows, values = [], []
    for window, target in zip(windows.astype(float), targets, strict=True):
        scaled = window / windows.std(axis=(0, 2), dtype=float)[:, None]
        binned = scaled.reshape(3, -1, SHAPE.step).mean(-1)
        binned -= binned.mean(axis=-1, keepdims=True)
        for k in range(SHAPE.n_bins):
            rows.append(binned[:, k : k + SHAPE.n_lags].ravel())
            values.append(target.reshape(2, -1)[:, k])
    x, y = np.array(rows), np.array(values)
    penalty = encoder.alpha * np.trace(x.T @ x) / x.shape[1]
    expected = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ y)
    np.testing.assert_allclose(encoder.coef.reshape(2, -1), expected.T, rtol=1e-6, atol=1e-9)


def test_arrays_give_it_back() -> None:
    windows, targets = trials(20, lag=2)
    encoder = TrackEncoder.fit(Trials(windows, targets, np.arange(20) // 5, SFREQ))
    again = TrackEncoder.from_arrays(encoder.arrays())
    window = Window(Chunk(windows[3], SignalSpec(SFREQ, ("a", "b", "c"))), "x")
    np.testing.assert_array_equal(again.encode(window), encoder.encode(window))


def test_what_does_not_fit_is_refused() -> None:
    windows, targets = trials(20, lag=2)
    groups = np.arange(20) // 5
    with pytest.raises(ValueError, match="not a multiple of 64 bins"):
        TrackEncoder.fit(Trials(windows, targets[:, :-1], groups, SFREQ))
    encoder = TrackEncoder.fit(Trials(windows, targets, groups, SFREQ))
    short = Window(Chunk(windows[0, :, :-2], SignalSpec(SFREQ, ("a", "b", "c"))), "x")
    with pytest.raises(ValueError, match="a window must have shape"):
        encoder.encode(short)
    with pytest.raises(ValueError, match="coef must have shape"):
        TrackEncoder(2, 64, np.eye(3), np.zeros((1, 2, 14)), 1.0)
