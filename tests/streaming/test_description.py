from __future__ import annotations

import numpy as np
import pytest

from streaming.description import (
    describe,
    describe_stream,
    find_channel,
    guess_type,
    parse_unit,
)
from streaming.errors import ConfigError, UnitError
from streaming.outlet import Desc, StreamDescription, to_xml


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


def _stream(channels: list[Desc], **more: Desc) -> StreamDescription:
    desc = (("channels", tuple(("channel", c) for c in channels)), *more.items())
    return StreamDescription("amp", "EEG", len(channels), 250.0, "float32", "id", desc)


def _channel(label: str, kind: str = "EEG", unit: str = "microvolts", **more: Desc) -> Desc:
    return (("label", label), ("type", kind), ("unit", unit), *more.items())


@pytest.mark.parametrize(
    ("device", "channels", "types"),
    [
        (
            "muselsl, BlueMuse",
            [_channel(n) for n in ("TP9", "AF7", "AF8", "TP10", "Right AUX")],
            "eeg eeg eeg eeg eeg",
        ),
        (
            "BrainVision's connectors, with AUX, acceleration and triggers",
            [
                _channel("Fp1"),
                _channel("AUX1", "AUX"),
                _channel("ACC_X", "ACC", "milligs"),
                _channel("DeviceTrigger", "TRIG", "integer"),
            ],
            "eeg misc misc stim",
        ),
        (
            "EmotivPRO",
            [
                _channel("Timestamp", unit="s"),
                _channel("Counter", unit=""),
                _channel("Interpolate", unit=""),
                _channel("AF3"),
                _channel("HardwareMarker", unit=""),
                _channel("Markers", unit=""),
            ],
            "misc misc misc eeg stim stim",
        ),
        (
            "ANT eego",
            [
                _channel("Cz", "ref", "volts"),
                _channel("BIP1", "bip", "volts"),
                _channel("TRG", "trg", ""),
                _channel("SC", "sc", ""),
            ],
            "eeg bio stim misc",
        ),
        (
            "g.tec",
            [
                _channel("EEG 1", unit="uV"),
                _channel("Accelerometer X", unit="g"),
                _channel("Gyroscope X", unit="deg/s"),
                _channel("Battery Level", unit="%"),
                _channel("Counter", unit=""),
                _channel("Validation Indicator", unit=""),
            ],
            "eeg misc misc misc misc misc",
        ),
        (
            "CGX",
            [_channel("Fz"), _channel("TRIGGER", unit=""), _channel("Packet Counter", unit="")],
            "eeg stim misc",
        ),
        ("Enobio", [_channel("P7", unit="nV"), _channel("P8", unit="nanovolts")], "eeg eeg"),
        (
            "BioSemi",
            [_channel("A1"), _channel("VEOG"), _channel("Status", unit="")],
            "eeg eog stim",
        ),
    ],
)
def test_devices_are_understood(device: str, channels: list[Desc], types: str) -> None:
    described = describe_stream(_stream(channels))
    assert " ".join(described.spec.ch_types) == types, device
    for kind, factor in zip(described.spec.ch_types, described.to_si, strict=True):
        assert factor == 1.0 if kind in {"misc", "stim"} else factor in {1e-6, 1e-9, 1.0}


def test_one_that_says_nothing_is_refused_with_the_option_to_give() -> None:
    silent = StreamDescription("obci_eeg1", "EEG", 8, 250.0, "float32", "openbci")
    with pytest.raises(UnitError, match=r"channel ch1 .* no unit: .* such as --unit uV"):
        describe_stream(silent)
    described = describe_stream(silent, unit="uV")
    assert described.spec.ch_names == tuple(f"ch{n}" for n in range(1, 9))
    assert set(described.to_si) == {1e-6}


def test_the_channel_that_is_named_holds_triggers_whatever_it_says() -> None:
    said = _stream([_channel("Cz"), _channel("Input 7")])
    described = describe_stream(said, trigger="input7")
    assert described.spec.ch_types == ("eeg", "stim")
    assert described.to_si == (1e-6, 1.0)
    # it may be in another of several streams
    assert describe_stream(said, trigger="x") == describe_stream(said)
    assert find_channel(["Cz", "Input 7"], "input_7") == 1
    with pytest.raises(ConfigError, match="no trigger channel 'x' among Cz, Input 7"):
        find_channel(["Cz", "Input 7"], "x")


@pytest.mark.parametrize(
    ("label", "kind"),
    [("STI101", "stim"), ("trigger", "stim"), ("HEOG", "eog"), ("EKG", "ecg"), ("T7", "")],
)
def test_labels_say_types(label: str, kind: str) -> None:
    assert guess_type(label) == kind


def test_places_are_in_the_info_of_mne() -> None:
    place: Desc = (("X", "0"), ("Y", "85.5"), ("Z", "-10"))
    said = _stream([_channel("E1", location=place), _channel("E2")])
    spec = describe_stream(said).spec
    np.testing.assert_allclose(spec.positions, [0, 0.0855, -0.01, 0, 0, 0])
    info = spec.to_info()
    np.testing.assert_allclose(info["chs"][0]["loc"][:3], [0, 0.0855, -0.01])
    assert not np.isfinite(info["chs"][1]["loc"][:3]).any()


def test_the_time_that_a_sender_says_it_is_late_is_read_by_the_convention() -> None:
    sync: Desc = (("offset_mean", "0.0125"), ("can_drop_samples", "true"))
    said = _stream([_channel("Cz")], synchronization=sync)
    assert StreamDescription.from_xml(to_xml(said)) == said
    assert (said.lag, said.can_drop) == (0.0125, True)
    assert said.notes() == (
        "; 12.5 ms are taken off its timestamps (offset_mean); it says that it may drop samples"
    )
    silent = _stream([_channel("Cz")])
    assert (silent.lag, silent.can_drop, silent.notes()) == (0.0, False, "")
