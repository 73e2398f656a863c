from __future__ import annotations

import pytest

from streaming.description import describe, parse_unit
from streaming.errors import UnitError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("V", ("V", 1.0)),
        ("volts", ("V", 1.0)),
        ("mV", ("V", 1e-3)),
        ("uV", ("V", 1e-6)),
        ("\u00b5V", ("V", 1e-6)),
        ("\u03bcV", ("V", 1e-6)),
        ("MICROVOLTS", ("V", 1e-6)),
        ("microvolt", ("V", 1e-6)),
        ("micro volts", ("V", 1e-6)),
        ("nV", ("V", 1e-9)),
        ("nanovolts", ("V", 1e-9)),
        ("T", ("T", 1.0)),
        ("fT", ("T", 1e-15)),
        ("pT", ("T", 1e-12)),
        ("T/m", ("T/m", 1.0)),
        ("fT/cm", ("T/m", 1e-13)),
        ("-6", ("", 1e-6)),
        ("0", ("", 1.0)),
    ],
)
def test_units_are_understood(text: str, expected: tuple[str, float]) -> None:
    found = parse_unit(text)
    assert found is not None
    assert found[0] == expected[0]
    assert found[1] == pytest.approx(expected[1], rel=1e-12)


@pytest.mark.parametrize("text", ["", "none", "degrees", "xV", "6", "--6", "counts"])
def test_others_are_not(text: str) -> None:
    assert parse_unit(text) is None


def test_types_are_those_of_mne() -> None:
    said = ["EEG", "EOG", "ECG", "EMG", "MAG", "GRAD", "TRIG", "AUX", "ACC", "stim", ""]
    units = ["uV", "uV", "mV", "mV", "fT", "fT/cm", "", "", "g", "none", "uV"]
    channels = [(f"c{n}", t, u) for n, (t, u) in enumerate(zip(said, units, strict=True))]
    described = describe(250.0, "EEG", channels)
    assert described.spec.ch_types == (
        *("eeg", "eog", "ecg", "emg", "mag", "grad", "stim", "misc", "misc", "stim", "eeg"),
    )
    assert described.to_si[:8] == pytest.approx([1e-6, 1e-6, 1e-3, 1e-3, 1e-15, 1e-13, 1, 1])


def test_meg_is_told_apart_by_its_unit() -> None:
    channels = [("a", "MEG", "fT"), ("b", "meg", "T/m")]
    assert describe(1000.0, "MEG", channels).spec.ch_types == ("mag", "grad")


def test_labels_that_are_missing_or_twice_get_a_number() -> None:
    labels = ["Cz", "", "Cz", "ch5", ""]
    described = describe(250.0, "EEG", [(label, "EEG", "V") for label in labels])
    assert described.spec.ch_names == ("Cz", "ch2", "ch3", "ch5", "ch5_")


@pytest.mark.parametrize("unit", ["", "counts", "fT"])
def test_an_unknown_unit_names_the_channel_and_the_fix(unit: str) -> None:
    with pytest.raises(UnitError, match=r"channel Cz .*--unit uV") as error:
        describe(250.0, "EEG", [("Cz", "EEG", unit)])
    assert unit in str(error.value)


def test_a_stated_unit_rules() -> None:
    channels = [("Cz", "EEG", ""), ("Pz", "EEG", "V"), ("T", "TRIG", "")]
    assert describe(250.0, "EEG", channels, unit="uV").to_si == (1e-6, 1e-6, 1.0)
    with pytest.raises(UnitError, match="cannot be in 'fT'"):
        describe(250.0, "EEG", channels, unit="fT")
