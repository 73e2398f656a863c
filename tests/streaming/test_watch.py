"""Which channels are bad, and what stands in for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import mne
import numpy as np
import pytest
from numpy.typing import NDArray

from streaming.errors import ConfigError
from streaming.layout import interpolation, positions_of
from streaming.signal import Bad, Chunk, SignalSpec
from streaming.watch import Watch, WatchSettings
from tests.laws import run

NAMES = ("Fp1", "Fp2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "Cz", "Pz")
SPEC = SignalSpec(250.0, NAMES)
POSITIONS = positions_of(NAMES)
SECOND = 250


def brain(n_seconds: float = 4.0) -> NDArray[np.float32]:
    rng = np.random.default_rng(5)
    n_times = round(n_seconds * SECOND)
    sources = rng.standard_normal((3, n_times)).cumsum(axis=1)
    sources -= sources.mean(axis=1, keepdims=True)
    near = np.exp(-np.abs(np.arange(12)[:, None] - np.array([1, 6, 10])) / 4)
    noise = rng.standard_normal((12, n_times))
    return np.asarray(0.01 + 1e-6 * (near @ sources) + 1e-6 * noise, np.float32)


def watch(max_bad: float = 0.1) -> Watch:
    return Watch(WatchSettings(positions=POSITIONS, max_bad=max_bad))


def hum(x: NDArray[np.float32]) -> None:
    t = np.arange(x.shape[1]) / 250
    x[4] += (2e-3 * np.sin(2 * np.pi * 50 * t)).astype(np.float32)


def some_hum(x: NDArray[np.float32]) -> None:
    t = np.arange(x.shape[1]) / 250
    x[4] += (2 * x[4].std() * np.sin(2 * np.pi * 50 * t)).astype(np.float32)


def shake(x: NDArray[np.float32]) -> None:
    x[4] = 0.01 + 20 * (x[4] - 0.01)


def clip(x: NDArray[np.float32]) -> None:
    x[4] = np.clip(0.01 + 100 * (x[4] - 0.01), 0.0099, 0.0101)


def stand_still(x: NDArray[np.float32]) -> None:
    x[4] = 0.02


def fall_silent(x: NDArray[np.float32]) -> None:
    x[4] = np.nan


@pytest.mark.parametrize(
    ("spoil", "verdict", "replaced"),
    [
        (hum, "disconnected", True),
        (some_hum, "line", False),
        (shake, "noisy", False),
        (clip, "saturated", True),
        (stand_still, "flat", True),
        (fall_silent, "disconnected", True),
    ],
)
def test_what_is_wrong_with_a_channel_is_named(
    spoil: Callable[[NDArray[np.float32]], None], verdict: str, replaced: bool
) -> None:
    data, step = brain(), watch()
    spoil(data)
    (out,) = run(step, [Chunk(data, SPEC)])
    report = step.reports[-1]
    assert report.channels.verdicts[4] == verdict
    assert set(report.channels.verdicts) - {verdict} <= {"good"}
    assert report.interpolated == (("C3",) if replaced else ())
    assert not report.refused
    assert not out.bad.any()


def test_a_report_comes_every_second_and_names_its_sample() -> None:
    step = watch()
    run(step, [Chunk(brain(3.5), SPEC, t_anchor=50.0)])
    assert [(r.sample, r.t) for r in step.reports] == [(250, 51.0), (500, 52.0), (750, 53.0)]


def test_splines_stand_in_as_mne_does_it() -> None:
    rows = np.array([4, 9])
    good = np.setdiff1d(np.arange(12), rows)
    data = brain().astype(np.float64)
    info = mne.create_info(list(NAMES), 250.0, "eeg")
    info.set_montage("colin27_1005", verbose="ERROR")
    positions = np.reshape(positions_of(NAMES, info), (-1, 3))
    info["bads"] = [NAMES[row] for row in rows]
    raw = mne.io.RawArray(data, info, verbose="ERROR")
    raw.interpolate_bads(verbose="ERROR")
    ours = interpolation(positions, rows) @ data[good]
    expected = raw[rows][0]
    for mine, theirs in zip(ours, expected, strict=True):
        assert np.corrcoef(mine, theirs)[0, 1] > 0.999
    np.testing.assert_allclose(ours, expected, rtol=0.01)


def test_a_channel_that_fails_goes_on_without_a_step() -> None:
    data, step = brain(6.0), watch()
    data[:, :] += np.arange(12, dtype=np.float32)[:, None] / 100  # amplifiers' offsets
    data[4, 1000:] = 0.5
    (out,) = run(step, [Chunk(data, SPEC)])
    after = out.data[4, 1250:]
    assert abs(out.data[4, 1250] - out.data[4, 1249]) < 1e-6
    assert after.std() > 1e-6  # its neighbours' signal
    others = np.delete(np.arange(12), 4)
    np.testing.assert_array_equal(out.data[others], data[others])


def test_too_many_bad_channels_are_refused() -> None:
    data, step = brain(), watch()
    data[[4, 7], 500:] = 0.0
    (out,) = run(step, [Chunk(data, SPEC)])
    assert step.reports[-1].refused
    assert set(out.bad[:750]) == {0}
    assert set(out.bad[750:]) == {Bad.CHANNELS}
    np.testing.assert_array_equal(out.data, data)


def test_without_positions_no_channel_can_be_lost() -> None:
    data, step = brain(), Watch(WatchSettings())
    data[4] = 0.0
    (out,) = run(step, [Chunk(data, SPEC)])
    assert set(out.bad[250:]) == {Bad.CHANNELS}


@pytest.mark.parametrize(("n_bad", "refused"), [(3, False), (4, True)])
def test_bad_channels_may_stand_still_up_to_a_share(n_bad: int, refused: bool) -> None:
    data, step = brain(), Watch(WatchSettings(max_held=0.25))
    data[:n_bad, 500:] = np.nan
    (out,) = run(step, [Chunk(data, SPEC)])
    assert step.reports[-1].refused is refused
    assert step.reports[-1].interpolated == ()
    assert set(out.bad[750:]) == {Bad.CHANNELS if refused else 0}
    still = out.data[:3, 760:]
    assert np.isnan(still).all() if refused else (still == still[:, :1]).all()


def test_what_stands_still_goes_on_from_its_last_value() -> None:
    data, step = brain(), Watch(WatchSettings(max_held=0.1))
    clip(data[:, 500:])
    (out,) = run(step, [Chunk(data, SPEC)])
    assert out.data[4, 749] == pytest.approx(out.data[4, 750], abs=1e-9)
    assert np.ptp(out.data[4, 750:]) < 1e-9


def test_an_eye_channel_takes_no_part_in_interpolation() -> None:
    names, types = (*NAMES[:6], "VEOG", *NAMES[6:]), ["eeg"] * 13
    types[6] = "eog"
    data = np.insert(brain(), 6, 0.3 * brain()[0], axis=0)
    data[5, 500:] = 0.0
    step = Watch(WatchSettings(positions=POSITIONS))
    (out,) = run(step, [Chunk(data, SignalSpec(250.0, names, tuple(types)))])
    (alone,) = run(watch(), [Chunk(np.delete(data, 6, axis=0), SPEC)])
    assert step.reports[-1].interpolated == ("C4",)
    np.testing.assert_array_equal(np.delete(out.data, 6, axis=0), alone.data)
    data[6, 500:] = 0.0  # and nothing can stand in for it
    run(step, [Chunk(data, SignalSpec(250.0, names, tuple(types)))])
    assert step.reports[-1].refused


def test_the_operator_has_the_last_word_from_the_next_sample_on() -> None:
    data, step = brain(), watch()
    step.prepare(SPEC)
    step.mark(["Cz"], bad=True)
    out = step(Chunk(data[:, :300], SPEC))
    assert not np.array_equal(out.data[10], data[10, :300])
    assert step.reports[-1].channels.verdicts[10] == "marked"
    step.mark(["Cz"], bad=False)
    assert step.reports[-1].sample == 300
    assert step.reports[-1].interpolated == ()
    later = step(Chunk(data[:, 300:], SPEC, first=300))
    np.testing.assert_allclose(np.diff(later.data[10]), np.diff(data[10, 300:]), atol=2e-8)
    np.testing.assert_array_equal(later.data[:10], data[:10, 300:])


def test_positions_come_from_the_file_or_the_names() -> None:
    assert len(positions_of(("FP1", "EEG Cz-REF"))) == 6
    assert positions_of(("Cz", "nowhere")) == ()
    info = mne.create_info(["nowhere"], 100.0, "eeg")
    info["chs"][0]["loc"][:3] = [0.0, 0.05, 0.08]
    assert positions_of(("nowhere",), info) == (0.0, 0.05, 0.08)


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigError, match="max_bad"):
        WatchSettings(max_bad=1.0)
    with pytest.raises(ConfigError, match="3 numbers"):
        Watch(replace(WatchSettings(), positions=(1.0,))).prepare(SPEC)
