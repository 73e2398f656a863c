from __future__ import annotations

import numpy as np
import pytest

from streaming.errors import ConfigError, StreamMismatch
from streaming.signal import Chunk, SignalSpec
from streaming.spatial import (
    Bipolar,
    BipolarSettings,
    Pick,
    PickSettings,
    Reference,
    ReferenceSettings,
    normal_name,
)
from tests.laws import noise, run

SPEC = SignalSpec(250.0, ("EEG Fp1-REF", "CZ ", "aux", "EOG"), ("eeg", "eeg", "misc", "eog"))
DATA = noise(4, 50)


def pick(*ch_names: str) -> Pick:
    return Pick(PickSettings(ch_names=ch_names))


def reference(*ch_names: str) -> Reference:
    return Reference(ReferenceSettings(ch_names=ch_names))


@pytest.mark.parametrize("name", ["Fp1", "FP1", "fp 1", "EEG Fp1", "Fp1-REF", " EEG Fp1 - Ref"])
def test_names_of_one_electrode_are_one_name(name: str) -> None:
    assert normal_name(name) == "fp1"


def test_names_of_two_electrodes_are_two() -> None:
    assert normal_name("Fp1") != normal_name("Fp2")


def test_channels_are_found_reordered_and_renamed() -> None:
    step = pick("eog", "Fp1")
    (out,) = run(step, [Chunk(DATA, SPEC)])
    np.testing.assert_array_equal(out.data, DATA[[3, 0]])
    assert step.prepare(SPEC) == SignalSpec(250.0, ("eog", "Fp1"), ("eog", "eeg"))


def test_a_missing_channel_is_named_beside_what_is_there() -> None:
    with pytest.raises(
        StreamMismatch, match=r"no channel Oz; needed are Fp1, Oz, it has EEG Fp1"
    ):
        pick("Fp1", "Oz").prepare(SPEC)


def test_two_channels_of_one_name_are_refused_if_they_matter() -> None:
    twins = SignalSpec(250.0, ("Fp1", "FP1-REF", "Cz"))
    with pytest.raises(StreamMismatch, match="channels Fp1, FP1-REF have names that count"):
        pick("Fp1", "Cz").prepare(twins)
    assert pick("Cz").prepare(twins).ch_names == ("Cz",)


@pytest.mark.parametrize(("names", "match"), [((), "got none"), (("Cz", "CZ"), "Cz, CZ")])
def test_a_choice_that_cannot_be_made_is_refused(names: tuple[str, ...], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        pick(*names)


def test_the_average_reference_leaves_an_average_of_zero() -> None:
    (out,) = run(reference(), [Chunk(DATA, SPEC)])
    np.testing.assert_allclose(out.data.mean(axis=0), 0.0, atol=1e-8)
    np.testing.assert_allclose(np.diff(out.data, axis=0), np.diff(DATA, axis=0), atol=1e-8)


def test_a_named_reference_is_the_mean_of_the_named() -> None:
    (out,) = run(reference("CZ ", "EOG"), [Chunk(DATA, SPEC)])
    np.testing.assert_allclose(out.data, DATA - DATA[[1, 3]].mean(axis=0), atol=1e-8)


def test_a_reference_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match="needs the channels M1, which are not among EEG Fp1"):
        reference("M1", "EOG").prepare(SPEC)


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_sum_over_channels_does_not_depend_on_the_cut(order: str) -> None:
    """np.sum over 306 channels gives other last bits for one sample than for many."""
    spec = SignalSpec(1000.0, tuple(f"M{n}" for n in range(306)))
    # Large values that cancel, so that the order of adding shows in the small ones.
    large = 1e9 * noise(150, 64)
    data = np.concatenate([large, noise(6, 64), -large[::-1]])
    data = np.asarray(data, np.float32, order=order)  # type: ignore[call-overload]
    step = reference()
    step.prepare(spec)
    whole = step(Chunk(data, spec)).data
    ones = [step(Chunk(data[:, n : n + 1], spec)).data for n in range(64)]
    np.testing.assert_array_equal(np.concatenate(ones, axis=1), whole)


def test_a_bipolar_channel_is_an_anode_minus_its_cathode() -> None:
    spec = SignalSpec(100.0, ("Cz", "Pz", "Oz"))
    data = noise(3, 20)
    step = Bipolar(BipolarSettings(anodes=("Cz", "Pz"), cathodes=("Pz", "Oz")))
    assert step.prepare(spec).ch_names == ("Cz-Pz", "Pz-Oz")
    (out,) = run(step, [Chunk(data, spec)])
    np.testing.assert_array_equal(out.data, data[:2] - data[1:])


def test_half_a_pair_is_refused() -> None:
    with pytest.raises(ConfigError, match="got 2 and 1"):
        BipolarSettings(anodes=("Cz", "Pz"), cathodes=("Oz",))
