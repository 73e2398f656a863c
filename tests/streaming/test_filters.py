from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import butter, sosfilt, sosfilt_zi, sosfreqz

from streaming.errors import ConfigError
from streaming.filters import BandpassSettings, Filter, NotchSettings
from streaming.sections import SETTLED
from streaming.signal import Chunk, SignalSpec
from tests.laws import noise, run

SPEC = SignalSpec(250.0, ("Cz",))


def response(step: Filter, freq: float) -> float:
    """Return by how much `step` changes the amplitude of a sine, once settled."""
    t = np.arange(5000) / SPEC.sfreq
    sine = np.sin(2 * np.pi * freq * t, dtype=np.float32)[None, :]
    (out,) = run(step, [Chunk(sine, SPEC)])
    return float(np.sqrt(2) * out.data[:, -2500:].std())


def bandpass(low: float, high: float, order: int = 2) -> Filter:
    return Filter(BandpassSettings(low=low, high=high, order=order))


def test_a_bandpass_is_scipys_over_the_whole_signal() -> None:
    data = noise(1, 2000)
    (out,) = run(bandpass(0.5, 30.0), [Chunk(data, SPEC)], [3, 700, 701])
    sos = butter(2, (0.5, 30.0), "bandpass", fs=250.0, output="sos")
    state = sosfilt_zi(sos)[:, None, :] * data[:, :1].astype(np.float64)
    expected, _ = sosfilt(sos, data.astype(np.float64), zi=state)
    np.testing.assert_allclose(out.data, expected, rtol=2**-23, atol=1e-12)  # volts


@pytest.mark.parametrize(("freq", "gain"), [(1.0, 0.707), (6.0, 1.0), (40.0, 0.707)])
def test_a_bandpass_keeps_its_band(freq: float, gain: float) -> None:
    assert response(bandpass(1.0, 40.0), freq) == pytest.approx(gain, rel=0.02)


@pytest.mark.parametrize("freq", [0.1, 110.0])
def test_a_bandpass_removes_the_rest(freq: float) -> None:
    assert response(bandpass(1.0, 40.0), freq) < 0.03


@pytest.mark.parametrize(("freq", "low", "high"), [(50.0, 0.0, 0.01), (45.0, 0.95, 1.0)])
def test_a_notch_removes_its_frequency_alone(freq: float, low: float, high: float) -> None:
    assert low <= response(Filter(NotchSettings(freq=50.0)), freq) <= high


def test_an_amplifier_offset_does_not_ring() -> None:
    offset = np.full((1, 500), 0.3, np.float32)
    (out,) = run(bandpass(0.1, 40.0), [Chunk(offset, SPEC)])
    assert np.abs(out.data).max() < 1e-6


def test_each_segment_starts_in_its_own_steady_state() -> None:
    segments = [
        Chunk(np.full((1, 9), v, np.float32), SPEC, n) for n, v in enumerate((0.3, -0.2))
    ]
    assert all(np.abs(o.data).max() < 1e-6 for o in run(bandpass(0.1, 40.0), segments))


def test_offset_and_slow_edge_do_not_cost_precision() -> None:
    """0.1 Hz at 1 kHz on 50 mV: float32 sections err by 243 uV here."""
    spec = SignalSpec(1000.0, ("Cz",))
    data = noise(1, 20_000)
    data += np.float32(0.05) - data.mean()
    (out,) = run(bandpass(0.1, 40.0), [Chunk(data, spec)])
    (centered,) = run(bandpass(0.1, 40.0), [Chunk(data - data[:, :1], spec)])
    np.testing.assert_allclose(out.data, centered.data, atol=1e-8)


@pytest.mark.parametrize(
    "step",
    [bandpass(0.1, 30.0), bandpass(1.0, 40.0, order=4), Filter(NotchSettings(freq=50.0))],
)
def test_a_wrong_start_is_gone_when_the_filter_says_so(step: Filter) -> None:
    data = np.full((1, 20_000), 0.05, np.float32)
    data[0, 0] = 0.0  # the steady state is that of this sample
    (out,) = run(step, [Chunk(data, SPEC)])
    rest = np.abs(out.data[0] - out.data[0, -1]) / 0.05
    assert rest[1 + round(step.settling * SPEC.sfreq) :].max() <= SETTLED


@pytest.mark.parametrize(("low", "least", "most"), [(0.1, 4.0, 8.0), (1.0, 0.4, 0.8)])
def test_settling_is_not_longer_than_the_slow_edge_needs(
    low: float, least: float, most: float
) -> None:
    step = bandpass(low, 30.0)
    step.prepare(SPEC)
    assert least < step.settling < most


def test_the_mains_are_gone_when_the_notch_says_so() -> None:
    step = Filter(NotchSettings(freq=50.0))
    mains = np.cos(2 * np.pi * 50.0 * np.arange(1000) / 250.0, dtype=np.float32)[None, :]
    (out,) = run(step, [Chunk(mains, SPEC)])
    n_settling = round(step.settling * SPEC.sfreq)
    assert np.abs(out.data[0, n_settling:]).max() <= SETTLED
    assert np.abs(out.data[0, : n_settling - 20]).max() > 2 * SETTLED


@pytest.mark.parametrize(
    ("low", "high", "order", "match"),
    [
        (0.0, 30.0, 2, r"0 < low < high, got low=0\.0, high=30\.0"),
        (30.0, 10.0, 2, "0 < low < high"),
        (1.0, 30.0, 0, "order=0"),
        (1.0, 125.0, 2, r"high < 125 Hz, half of sfreq=250, got high=125"),
    ],
)
def test_a_band_that_cannot_be_is_refused(
    low: float, high: float, order: int, match: str
) -> None:
    with pytest.raises(ConfigError, match=match):
        bandpass(low, high, order).prepare(SPEC)


@pytest.mark.parametrize(
    ("freq", "width", "match"),
    [(50.0, 50.0, "0 < width < freq"), (150.0, 2.0, r"freq < 125 Hz.*got freq=150")],
)
def test_a_notch_that_cannot_be_is_refused(freq: float, width: float, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        Filter(NotchSettings(freq=freq, width=width)).prepare(SPEC)


def test_harmonics_go_where_the_stream_can_carry_them() -> None:
    notch = Filter(NotchSettings(freq=50.0, n_harmonics=3))
    notch.prepare(SPEC)  # 250 Hz: 50 and 100, but not 150
    _, gain = sosfreqz(notch.sos, [10.0, 50.0, 100.0], fs=SPEC.sfreq)
    np.testing.assert_allclose(np.abs(gain), [1.0, 0.0, 0.0], atol=1e-2)
    assert len(notch.sos) == 2


def test_no_harmonic_is_refused() -> None:
    with pytest.raises(ConfigError, match="n_harmonics=0"):
        NotchSettings(freq=50.0, n_harmonics=0)
