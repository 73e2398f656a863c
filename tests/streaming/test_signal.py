from __future__ import annotations

import numpy as np
import pytest

from streaming.signal import Chunk, SignalSpec

SPEC = SignalSpec(100.0, ("Cz", "Pz"))


def test_durations_round_to_the_nearest_sample() -> None:
    assert SPEC.to_samples(0.29) == 29


def test_channels_are_eeg_in_volts_unless_said_otherwise() -> None:
    assert SPEC.ch_types == ("eeg", "eeg")
    assert SPEC.units == ("V", "V")


def test_units_follow_the_types() -> None:
    spec = SignalSpec(100.0, ("A", "B", "C", "D"), ("mag", "grad", "eog", "stim"))
    assert spec.units == ("T", "T/m", "V", "")


def test_a_spec_survives_the_way_through_mne() -> None:
    spec = SignalSpec(1000.0, ("Fp1", "MEG 0111", "STI"), ("eeg", "mag", "stim"))
    assert SignalSpec.from_info(spec.to_info()) == spec


@pytest.mark.parametrize(
    ("sfreq", "names", "types", "match"),
    [
        (0.0, ("Cz",), (), "positive number of Hz, got 0"),
        (float("nan"), ("Cz",), (), "got nan"),
        (100.0, ("Cz", "Pz"), ("eeg",), "ch_types has 1 entries but ch_names has 2"),
        (100.0, ("Cz", "Pz", "Cz"), (), "unique, got more than one of Cz"),
    ],
)
def test_a_spec_that_cannot_be_is_refused(
    sfreq: float, names: tuple[str, ...], types: tuple[str, ...], match: str
) -> None:
    with pytest.raises(ValueError, match=match):
        SignalSpec(sfreq, names, types)


def test_the_times_of_a_chunk_follow_from_its_anchor() -> None:
    chunk = Chunk(np.zeros((2, 30), np.float32), SPEC, first=50, t_anchor=7.0)
    assert (chunk.t0, chunk.n_times, chunk.t_end) == (7.5, 30, 7.8)


@pytest.mark.parametrize("shape", [(3, 10), (2,), (2, 10, 1)])
def test_rows_that_are_not_the_channels_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"n_channels=2 as in spec\.ch_names, got shape"):
        Chunk(np.zeros(shape, np.float32), SPEC)


def test_bad_samples_of_another_number_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(10,\) as data, got \(9,\)"):
        Chunk(np.zeros((2, 10), np.float32), SPEC, bad=np.zeros(9, bool))
