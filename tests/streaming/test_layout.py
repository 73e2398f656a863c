from __future__ import annotations

import mne
import numpy as np

from streaming.layout import info_of, is_template, positions_of
from streaming.signal import SignalSpec


def places(info: mne.Info) -> np.ndarray:
    return np.array([ch["loc"][:3] for ch in info["chs"]])


def test_standard_names_have_the_places_that_mne_gives_them() -> None:
    spec = SignalSpec(250.0, ("EEG FP1-REF", "cz", "O2"))
    info = info_of(spec)
    truth = mne.create_info(["Fp1", "Cz", "O2"], 250.0, "eeg")
    truth.set_montage(mne.channels.make_standard_montage("colin27_1005"))
    np.testing.assert_allclose(places(info), places(truth), atol=1e-9)
    assert is_template(info)
    assert "template" in info["description"]
    assert info["ch_names"] == list(spec.ch_names)


def test_other_names_and_other_types_have_none() -> None:
    info = info_of(SignalSpec(250.0, ("Cz", "left", "Fp1"), ("eeg", "eeg", "eog")))
    assert np.isfinite(places(info)).all(axis=1).tolist() == [True, False, False]
    nowhere = info_of(SignalSpec(250.0, ("E1", "E2")))
    assert not is_template(nowhere)
    assert nowhere.get_montage() is None


def test_what_the_stream_says_is_not_mixed_with_names() -> None:
    spec = SignalSpec(250.0, ("Cz", "Pz"), (), (0.0, 0.01, 0.12, 0.0, 0.0, 0.0))
    info = info_of(spec)
    assert not is_template(info)
    np.testing.assert_allclose(places(info)[0], [0.0, 0.01, 0.12])
    assert not np.isfinite(places(info)[1]).any()


def test_the_spec_itself_has_measured_places_alone() -> None:
    info = SignalSpec(250.0, ("Cz", "Pz")).to_info()
    assert info.get_montage() is None
    assert not is_template(info)


def test_a_chain_has_the_same_places_with_and_without_the_info() -> None:
    names = ("Fp1", "Cz", "O2")
    assert positions_of(names, info_of(SignalSpec(250.0, names))) == positions_of(names)
