from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm

from streaming.align import Align, AlignSettings
from streaming.errors import ConfigError
from streaming.signal import Chunk, SignalSpec
from tests.laws import noise, run

SPEC = SignalSpec(100.0, ("Cz", "Pz", "Oz"))


def test_it_whitens_by_the_mean_covariance_of_the_past() -> None:
    rng = np.random.default_rng(0)
    data = (rng.standard_normal((3, 3)) @ rng.standard_normal((3, 500))).astype(np.float32)
    (out,) = run(Align(AlignSettings(every=1.0)), [Chunk(data, SPEC)], [130])
    assert not out.data[:, :100].any()
    x = data[:, :400].astype(np.float64)
    mean = sum(x[:, s : s + 100] @ x[:, s : s + 100].T / 100 for s in range(0, 400, 100)) / 4
    expected = np.linalg.inv(sqrtm(mean)) @ data[:, 400:]
    np.testing.assert_allclose(out.data[:, 400:], expected, rtol=1e-4, atol=1e-5)


def test_a_direction_without_variance_stays_without() -> None:
    data = noise(3, 300)
    data -= data.mean(axis=0, keepdims=True)  # as after an average reference
    (out,) = run(Align(AlignSettings(every=1.0)), [Chunk(data, SPEC)])
    assert np.isfinite(out.data).all()
    assert np.abs(out.data.sum(axis=0)).max() < 0.1


def test_a_long_gap_makes_it_forget() -> None:
    step = Align(AlignSettings(every=1.0, max_gap=5.0))
    first, near = Chunk(noise(3, 200), SPEC), Chunk(noise(3, 50), SPEC, 1, 0, 4.0)
    far = Chunk(noise(3, 50), SPEC, 2, 0, 400.0)
    outputs = run(step, [first, near, far])
    assert outputs[1].data.any()
    assert not outputs[2].data.any()


def test_a_stretch_without_samples_is_refused() -> None:
    with pytest.raises(ConfigError, match="every > 0"):
        AlignSettings(every=0.0)
