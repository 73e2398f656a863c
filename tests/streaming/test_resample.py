from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import cheby2, sosfilt, sosfilt_zi

from streaming.errors import ConfigError
from streaming.resample import Decimate, DecimateSettings, Resample, ResampleSettings
from streaming.sections import SETTLED
from streaming.signal import Chunk, SignalSpec
from tests.laws import noise, run

SPEC = SignalSpec(1000.0, ("Cz",))


def decimate(sfreq: float = 125.0) -> Decimate:
    return Decimate(DecimateSettings(sfreq=sfreq))


def test_decimation_is_scipys_low_pass_and_the_last_of_each_eight_samples() -> None:
    data = noise(1, 4000)
    (out,) = run(decimate(), [Chunk(data, SPEC)], [5, 1003])
    sos = cheby2(8, 60, 75.0, fs=1000.0, output="sos")
    state = sosfilt_zi(sos)[:, None, :] * data[:, :1].astype(np.float64)
    expected = sosfilt(sos, data.astype(np.float64), zi=state)[0][:, 7::8]
    np.testing.assert_array_equal(out.data, expected.astype(np.float32))


@pytest.mark.parametrize("first", [1, 3, 8, 17])
def test_which_samples_are_kept_follows_from_their_index_in_the_segment(first: int) -> None:
    late = Chunk(noise(1, 400), SPEC, first=first, t_anchor=10.0)
    (out,) = run(decimate(), [late])
    assert out.first == first // 8
    kept = range(8 * out.first + 7, first + 400, 8)
    assert out.t0 == pytest.approx(10.0 + kept[0] / 1000.0)
    assert out.data.shape[1] == len(kept)


@pytest.mark.parametrize(
    ("freq", "least", "most"),
    [(10.0, 0.99, 1.01), (37.0, 0.99, 1.01), (75.0, 0.0, 0.0011), (120.0, 0.0, 0.0011)],
)
def test_nothing_folds_into_the_band(freq: float, least: float, most: float) -> None:
    sine = np.sin(2 * np.pi * freq * np.arange(8000) / 1000, dtype=np.float32)[None, :]
    (out,) = run(decimate(), [Chunk(sine, SPEC)])
    assert least <= np.sqrt(2) * out.data[:, 500:].std() <= most


def test_a_wrong_start_is_gone_when_the_filter_says_so() -> None:
    data = np.full((1, 2000), 0.05, np.float32)
    data[0, 0] = 0.0
    step = decimate()
    (out,) = run(step, [Chunk(data, SPEC)])
    rest = np.abs(out.data[0] / 0.05 - 1)
    n_settling = int(np.ceil(step.settling * 125.0))
    assert rest[n_settling:].max() <= SETTLED < rest[: n_settling - 1].max()


def test_a_rate_that_is_reached_already_passes() -> None:
    data = noise(1, 100)
    step = decimate(1000.0)
    (out,) = run(step, [Chunk(data, SPEC)])
    np.testing.assert_array_equal(out.data, data)
    assert step.settling == 0.0


def test_a_rate_near_a_multiple_is_divided_by_it() -> None:
    assert decimate().prepare(SignalSpec(999.5, ("Cz",))).sfreq == 999.5 / 8


def test_a_bad_sample_that_is_dropped_is_not_forgotten() -> None:
    bad = np.zeros(80, bool)
    bad[[17, 40]] = True
    (out,) = run(decimate(), [Chunk(noise(1, 80), SPEC, bad=bad)], range(1, 80))
    assert np.flatnonzero(out.bad).tolist() == [2, 5]


@pytest.mark.parametrize("sfreq", [300.0, 1500.0])
def test_a_rate_that_does_not_divide_is_refused(sfreq: float) -> None:
    with pytest.raises(
        ConfigError, match=rf"sfreq={sfreq:g} Hz of 1000 Hz: their ratio .* take"
    ):
        decimate(sfreq).prepare(SPEC)


def test_a_rate_that_no_clock_has_is_refused() -> None:
    with pytest.raises(ConfigError, match="positive sfreq, got sfreq=0"):
        decimate(0.0)


@pytest.mark.parametrize(
    ("sfreq", "wanted", "first"),
    [(512.0, 100.0, 0), (500.0, 512.0, 3), (250.0, 125.0, 5), (256.0, 256.0, 0)],
)
def test_another_rate_carries_the_same_wave(sfreq: float, wanted: float, first: int) -> None:
    spec = SignalSpec(sfreq, ("Cz",))
    step = Resample(ResampleSettings(sfreq=wanted))
    t = 20.0 + (first + np.arange(4 * int(sfreq))) / sfreq
    wave = np.sin(2 * np.pi * 10 * t)[None, :].astype(np.float32)
    (out,) = run(step, [Chunk(wave, spec, first=first, t_anchor=20.0)], [7, 100, 101])
    t_out = out.t0 + np.arange(out.data.shape[1]) / wanted
    settled = t_out > t[0] + step.settling
    expected = np.sin(2 * np.pi * 10 * (t_out - step.delay))
    np.testing.assert_allclose(out.data[0, settled], expected[settled], atol=2e-3)
    assert t_out[-1] <= t[-1] + 1 / sfreq
    assert step.delay <= step.settling


def test_what_the_new_rate_cannot_carry_is_gone() -> None:
    spec = SignalSpec(512.0, ("Cz",))
    step = Resample(ResampleSettings(sfreq=100.0))
    t = np.arange(4 * 512) / 512
    wave = np.sin(2 * np.pi * 80 * t)[None, :].astype(np.float32)
    (out,) = run(step, [Chunk(wave + np.float32(0.05), spec)])
    assert np.abs(out.data[0, 100:] - 0.05).max() < 2e-3


def test_a_rate_that_is_no_fraction_is_refused() -> None:
    step = Resample(ResampleSettings(sfreq=0.1))
    with pytest.raises(ConfigError, match="no fraction"):
        step.prepare(SPEC)
    with pytest.raises(ConfigError, match="positive"):
        ResampleSettings(sfreq=0.0)
