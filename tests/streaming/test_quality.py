"""How good channels are, from a second of samples that are made so."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from streaming.quality import UNUSABLE, QualitySettings, channel_quality
from streaming.signal import ChannelQuality, SignalSpec

NAMES = tuple(f"E{n}" for n in range(8))


def second(sfreq: float = 250.0, seed: int = 0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    data = 1e-5 * rng.standard_normal((8, round(sfreq))) + 0.03
    return data.astype(np.float32)


def judge(data: NDArray[np.float32], sfreq: float = 250.0, kind: str = "eeg") -> ChannelQuality:
    settings = QualitySettings(SignalSpec(sfreq, NAMES, (kind,) * 8), 50.0)
    return channel_quality(data[:, :: settings.stride], settings)


def mains(sfreq: float, amplitude: float) -> NDArray[np.float32]:
    t = np.arange(round(sfreq)) / sfreq
    return (amplitude * np.sin(2 * np.pi * 50.0 * t + 1.0)).astype(np.float32)


@pytest.mark.parametrize("sfreq", [128.0, 250.0, 1000.0, 2048.0])
def test_noise_is_good_at_every_rate(sfreq: float) -> None:
    quality = judge(second(sfreq), sfreq)
    assert set(quality.verdicts) == {"good"}
    assert quality.spread == pytest.approx([1e-5] * 8, rel=0.25)
    assert max(quality.line) < 0.1


def test_spread_has_three_digits_and_is_numpys() -> None:
    data = second()
    expected = data.astype(np.float64).std(axis=1)
    assert judge(data).spread == pytest.approx(expected, rel=5e-3)
    assert all(float(f"{spread:.2e}") == spread for spread in judge(data).spread)


@pytest.mark.parametrize("sfreq", [250.0, 1000.0])
def test_the_share_of_the_mains_is_what_was_put_in(sfreq: float) -> None:
    data = second(sfreq)
    data[3] += mains(sfreq, 2e-5)  # power 2e-10, beside 1e-10 of noise
    quality = judge(data, sfreq)
    assert quality.line[3] == pytest.approx(2 / 3, abs=0.08)
    assert quality.verdicts[3] == "line"


def test_mains_that_the_stream_cannot_carry_are_not_looked_for() -> None:
    assert judge(second(90.0), 90.0).line == (0.0,) * 8


@pytest.mark.parametrize(
    ("row", "values", "verdict"),
    [
        (0, np.full(250, 0.2), "flat"),
        (1, np.where(np.arange(250) % 10 < 5, 0.1, -0.1), "saturated"),
        (2, np.where(np.arange(250) < 20, 1e-3, second()[2]), "saturated"),
        (3, 0.03 + 20 * (second()[3] - 0.03), "noisy"),
        (4, np.full(250, np.nan), "disconnected"),
        (5, mains(250.0, 5e-3), "disconnected"),
        (6, np.where(np.arange(250) < 20, np.nan, second()[6]), "good"),
    ],
)
def test_each_fault_has_its_name(row: int, values: NDArray[np.float64], verdict: str) -> None:
    data = second()
    data[row] = values
    quality = judge(data)
    assert quality.verdicts[row] == verdict
    assert {v for n, v in enumerate(quality.verdicts) if n != row} == {"good"}
    assert np.isfinite(quality.spread).all()


@pytest.mark.parametrize("value", [0.0, 0.2, np.nan])
def test_all_channels_may_be_dead(value: float) -> None:
    verdicts = set(judge(np.full((8, 250), value, np.float32)).verdicts)
    assert verdicts == {"disconnected" if np.isnan(value) else "flat"}
    assert verdicts <= UNUSABLE


def test_magnetometers_are_flat_at_another_scale() -> None:
    data = 1e-8 * (second() - np.float32(0.03))  # tenths of a picotesla
    assert set(judge(data, kind="mag").verdicts) == {"good"}
    assert set(judge(data, kind="eeg").verdicts) == {"flat"}


def test_of_few_channels_none_is_called_noisy() -> None:
    settings = QualitySettings(SignalSpec(250.0, NAMES[:3]), 50.0)
    data = second()[:3]
    data[0] = 0.03 + 100 * (data[0] - 0.03)
    assert channel_quality(data, settings).verdicts == ("good",) * 3
