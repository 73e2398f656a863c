from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import butter, cheby2, group_delay, iirnotch, sosfilt, sosfilt_zi

from streaming.sections import DELAY_FREQ, Sections, delay_of
from streaming.signal import Chunk, SignalSpec
from tests.laws import chunks, noise

SPEC = SignalSpec(1000.0, ("Cz", "Pz"))
NOTCH = np.concatenate(iirnotch(50.0, 25.0, fs=1000.0))[None, :]
FILTERS = {
    "notch": NOTCH,
    "slow, steep": butter(4, (0.1, 40.0), "bandpass", output="sos", fs=1000.0),
    "seven sections": np.concatenate(
        [
            NOTCH,
            butter(2, (0.5, 30.0), "bandpass", output="sos", fs=1000.0),
            cheby2(8, 60, 60.0, output="sos", fs=1000.0),
        ]
    ),
}
N_TIMES = 1000
ERROR = 1e-12
"""In volts, on 50 mV of offset: float64 summed in another order; float32 has 2e-12 at 20 uV."""


def by_scipy(sos: NDArray[np.float64], data: NDArray[np.float32]) -> NDArray[np.float64]:
    state = sosfilt_zi(sos)[:, None, :] * data[:, :1].astype(np.float64)
    filtered: NDArray[np.float64] = sosfilt(sos, data.astype(np.float64), zi=state)[0]
    return filtered


def filtered(sections: Sections, chunk: Chunk, cuts: list[int]) -> NDArray[np.float32]:
    return np.concatenate([sections(part) for part in chunks([chunk], cuts)], axis=1)


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("factor", [1, 2, 3, 10, 40])
def test_it_is_scipys_filter_over_the_whole_signal(name: str, factor: int) -> None:
    data = noise(2, N_TIMES)
    out = filtered(Sections(FILTERS[name], factor), Chunk(data, SPEC), [3, 3, 700, 701])
    expected = by_scipy(FILTERS[name], data)[:, factor - 1 :: factor]
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, expected, rtol=2**-23, atol=ERROR)


@pytest.mark.parametrize("factor", [1, 2, 10])
@pytest.mark.parametrize("first", [0, 3, 19])
def test_a_segment_may_begin_anywhere_in_a_block(first: int, factor: int) -> None:
    data, sos = noise(2, N_TIMES), FILTERS["seven sections"]
    out = filtered(Sections(sos, factor), Chunk(data, SPEC, first=first), [1, 2, 300])
    expected = by_scipy(sos, data)[:, (-1 - first) % factor :: factor]
    np.testing.assert_allclose(out, expected, rtol=2**-23, atol=ERROR)


@pytest.mark.parametrize("factor", [1, 3, 10])
@pytest.mark.parametrize("size", [1, 7, 10, 128, 129, 900])
def test_no_cut_changes_a_bit(size: int, factor: int) -> None:
    chunk = Chunk(noise(2, N_TIMES), SPEC, first=5)
    sos = FILTERS["seven sections"]
    whole = filtered(Sections(sos, factor), chunk, [])
    cut = filtered(Sections(sos, factor), chunk, list(range(size, N_TIMES, size)))
    assert cut.tobytes() == whole.tobytes()


def test_a_channel_without_numbers_does_not_touch_another() -> None:
    data = noise(2, 100)
    data[0, 10] = np.nan
    out = Sections(NOTCH)(Chunk(data, SPEC))
    assert np.isfinite(out[1]).all()
    assert not np.isfinite(out[0, 16:]).any()


def test_an_empty_chunk_neither_gives_nor_starts_anything() -> None:
    sections = Sections(NOTCH)
    assert sections(Chunk(np.zeros((2, 0), np.float32), SPEC)).shape == (2, 0)
    constant = np.full((2, 5), 0.3, np.float32)
    np.testing.assert_allclose(sections(Chunk(constant, SPEC)), constant, rtol=1e-6)


def test_the_delay_is_that_of_a_wave_of_ten_hertz() -> None:
    sos = butter(2, (1.0, 30.0), "bandpass", output="sos", fs=250.0)
    b, a = butter(2, (1.0, 30.0), "bandpass", fs=250.0)
    _, n_samples = group_delay((b, a), [DELAY_FREQ], fs=250.0)
    assert delay_of(sos, 250.0) == pytest.approx(n_samples[0] / 250.0, abs=2e-5)
    # Zeros on the unit circle:
    _, n_samples = group_delay((NOTCH[0, :3], NOTCH[0, 3:]), [DELAY_FREQ], fs=1000.0)
    assert delay_of(NOTCH, 1000.0) == pytest.approx(n_samples[0] / 1000.0, abs=1e-6)
