from __future__ import annotations

import numpy as np
import pytest

from streaming.errors import ConfigError
from streaming.scaling import Clamp, ClampSettings, Scale, ScaleSettings
from streaming.signal import Chunk, SignalSpec
from tests.laws import noise, run

SPEC = SignalSpec(100.0, ("Cz", "Pz"))


def scale(span: float = 2.0, every: float = 0.5, max_gap: float = 5.0) -> Scale:
    return Scale(ScaleSettings(span=span, every=every, max_gap=max_gap))


def test_the_scale_is_the_median_and_quartiles_of_the_past() -> None:
    data = noise(2, 1000)
    (out,) = run(scale(), [Chunk(data, SPEC)])
    for now in (50, 150, 999):
        stop = now // 50 * 50
        past = data[:, max(stop - 200, 0) : stop].astype(np.float64)
        low, middle, high = np.quantile(past, [0.25, 0.5, 0.75], axis=1, method="higher")
        np.testing.assert_allclose(
            out.data[:, now], (data[:, now] - middle) / (high - low), rtol=0.1, atol=0.02
        )


def test_noise_comes_out_with_quartiles_one_apart() -> None:
    (out,) = run(scale(span=10.0), [Chunk(noise(2, 3000), SPEC)])
    low, middle, high = np.quantile(out.data[:, 1000:], [0.25, 0.5, 0.75], axis=1)
    np.testing.assert_allclose(high - low, 1.0, atol=0.1)
    np.testing.assert_allclose(middle, 0.0, atol=0.05)


@pytest.mark.parametrize("first", [0, 7])
def test_the_output_is_zero_until_the_scale_is_known(first: int) -> None:
    step = scale()
    (out,) = run(step, [Chunk(noise(2, 200), SPEC, first=first)])
    n_settling = SPEC.to_samples(step.settling)
    assert not out.data[:, :n_settling].any()
    assert out.data[:, n_settling:].any(axis=0).all()


@pytest.mark.parametrize(("gap", "survives"), [(4.9, True), (5.1, False)])
def test_the_scale_survives_a_short_gap(gap: float, survives: bool) -> None:
    segments = [
        Chunk(noise(2, 300), SPEC, 0, t_anchor=10.0),
        Chunk(noise(2, 300), SPEC, 1, t_anchor=13.0 + gap),
    ]
    out = run(scale(), segments)[1]
    assert out.data[:, :50].any() == survives
    if survives:  # as if there had been no gap
        joined = np.concatenate([segment.data for segment in segments], axis=1)
        (whole,) = run(scale(), [Chunk(joined, SPEC)])
        np.testing.assert_array_equal(out.data, whole.data[:, 300:])


def test_a_flat_channel_comes_out_as_zero() -> None:
    data = noise(2, 300)
    data[0] = 0.05
    (out,) = run(scale(), [Chunk(data, SPEC)])
    assert not out.data[0].any()
    assert out.data[1, 50:].any()


def test_a_clamp_cuts_what_is_too_large() -> None:
    data = np.array([[-3.0, -2.0, 0.5, 2.5]] * 2, np.float32)
    (out,) = run(Clamp(ClampSettings(limit=2.0)), [Chunk(data, SPEC)])
    np.testing.assert_array_equal(out.data, [[-2.0, -2.0, 0.5, 2.0]] * 2)


@pytest.mark.parametrize(
    ("span", "every", "max_gap", "match"),
    [
        (1.0, 2.0, 1.0, "every=2.0, span=1.0"),
        (1.0, 0.0, 1.0, "0 < every"),
        (1, 1, -1, "max_gap=-1"),
    ],
)
def test_a_scale_that_cannot_be_is_refused(
    span: float, every: float, max_gap: float, match: str
) -> None:
    with pytest.raises(ConfigError, match=match):
        scale(span, every, max_gap)


def test_a_clamp_that_lets_nothing_pass_is_refused() -> None:
    with pytest.raises(ConfigError, match="limit=0"):
        ClampSettings(limit=0)
