"""What the description of a stream says: names, types, units and places of its channels.

Amplifiers and their programs describe themselves in many ways. What is understood here was
found in those of muselsl, BlueMuse, BrainVision's connectors (LiveAmp, actiCHamp, BrainAmp),
EmotivPRO, g.tec, ANT eego, EGI and others, and in XDF's own recommendation
(github.com/sccn/xdf/wiki/EEG-Meta-Data and Synchronization).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from streaming.errors import ConfigError, UnitError
from streaming.outlet import StreamDescription, number
from streaming.signal import SignalSpec

__all__ = [
    "ChannelSaid",
    "Described",
    "describe",
    "describe_stream",
    "find_channel",
    "guess_type",
    "parse_unit",
]

_PREFIXES = {
    "": 1.0,
    "kilo": 1e3,
    "k": 1e3,
    "milli": 1e-3,
    "micro": 1e-6,
    "nano": 1e-9,
    "pico": 1e-12,
    "femto": 1e-15,
    "m": 1e-3,
    "u": 1e-6,
    "mu": 1e-6,
    "n": 1e-9,
    "p": 1e-12,
    "f": 1e-15,
}
_BASES = {
    "v": ("V", 1.0),
    "volt": ("V", 1.0),
    "volts": ("V", 1.0),
    "t": ("T", 1.0),
    "tesla": ("T", 1.0),
    "teslas": ("T", 1.0),
    "t/m": ("T/m", 1.0),
    "t/cm": ("T/m", 100.0),
    "ohm": ("ohm", 1.0),
    "ohms": ("ohm", 1.0),
    "\N{GREEK SMALL LETTER OMEGA}": ("ohm", 1.0),
}
_UNITS = {
    prefix + name: (unit, factor * scale)
    for prefix, factor in _PREFIXES.items()
    for name, (unit, scale) in _BASES.items()
}

_TYPES = {
    "": "eeg",
    "eeg": "eeg",
    "exg": "eeg",
    "ref": "eeg",
    "bip": "bio",
    "eog": "eog",
    "heog": "eog",
    "veog": "eog",
    "ecg": "ecg",
    "ekg": "ecg",
    "emg": "emg",
    "mag": "mag",
    "megmag": "mag",
    "grad": "grad",
    "meggrad": "grad",
    "ref_meg": "ref_meg",
    "seeg": "seeg",
    "ecog": "ecog",
    "dbs": "dbs",
    "trg": "stim",
    "trig": "stim",
    "triggers": "stim",
    "trigger": "stim",
    "stim": "stim",
    "sti": "stim",
    "marker": "stim",
    "markers": "stim",
}
"""LSL's types of channels, in lower case, as MNE's; all others are ``misc``."""


_LABELS = {
    "stim": r"sti[ _]?\d+|stim\d*|(device|ext)?[ _]?trig(ger)?s?(stream|channel)?[ _]?\d*|"
    r"trg\d*|status|din[ _]?\d*|(hardware)?[ _]?markers?",
    "misc": r"misc[ _]?\d*|(sample|packet)?[ _]?(counter|index)|time[ _]?stamp|"
    r"interpolated?|(raw[ _]?)?cq.*|battery.*|validation.*|acc.*|gyr.*|mag[xyz]|q[0-3]|"
    r"marker[ _]?(index|type|value).*|impedance[ _]?check",
    "eog": r"[hv]?eog.*",
    "ecg": r"e[ck]g.*",
    "emg": r"emg.*",
}
"""What a label says where the type says EEG, which many senders say of all channels."""


class ChannelSaid(NamedTuple):
    """What is said of one channel; empty where nothing is.

    Parameters
    ----------
    label, type, unit : str
        In the sender's words.
    place : tuple of float or None
        Where it is: right, front and up from the middle of the head, in meters.
    """

    label: str
    type: str
    unit: str
    place: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Described:
    """The channels of a stream.

    Parameters
    ----------
    spec : SignalSpec
        Rate, names, types, and places where they are known.
    to_si : tuple of float
        What to multiply each channel with to have it in SI units.
    """

    spec: SignalSpec
    to_si: tuple[float, ...]


def parse_unit(text: str) -> tuple[str, float] | None:
    """Return the SI unit and the factor to it, or None if it is not understood.

    Besides words and symbols in any case, a whole number is a power of ten of the SI unit (LSL
    allows that); the unit is empty then.

    Examples
    --------
    >>> parse_unit("microvolts")
    ('V', 1e-06)
    >>> parse_unit("-6")
    ('', 1e-06)
    """
    # two characters look alike: the micro sign and the Greek letter
    name = text.strip().replace("\N{MICRO SIGN}", "u").replace("\N{GREEK SMALL LETTER MU}", "u")
    if re.fullmatch(r"-\d\d?|0", name):
        return "", float(f"1e{name}")
    return _UNITS.get(name.replace(" ", "").casefold())


def describe(
    sfreq: float,
    stream_type: str,
    channels: Sequence[tuple[str, str, str] | ChannelSaid],
    *,
    unit: str | None = None,
    trigger: str | None = None,
) -> Described:
    """Interpret what is said of channels.

    A channel without a label, or with the label of an earlier one, is called ``ch`` and its
    number from 1. One without a type has that of the stream; where that is EEG, a label such
    as VEOG, TRIGGER or Counter says more.

    Parameters
    ----------
    sfreq : float
        Nominal rate, in Hz.
    stream_type : str
        Type of the stream, such as ``"EEG"``.
    channels : sequence of ChannelSaid, or of (label, type, unit)
        What is said of each channel.
    unit : str, optional
        The unit of every channel that has an amplitude, whatever the description says.
    trigger : str, optional
        The channel that holds triggers, if it is among these, whatever the description says;
        its numbers stay as they are.

    Raises
    ------
    UnitError
        If a channel's unit is missing, not understood, or that of something else.
    """
    said = [ChannelSaid(*row) for row in channels]
    labels = _unique([row.label.strip() for row in said])
    kinds, factors = [], []
    for label, row in zip(labels, said, strict=True):
        found = parse_unit(unit or row.unit)
        is_trigger = trigger is not None and _plain(label) == _plain(trigger)
        kind = "stim" if is_trigger else _kind(label, row.type.strip() or stream_type, found)
        kinds.append(kind)
        si = SignalSpec(sfreq, (label,), (kind,)).units[0]
        if not si:
            factors.append(1.0)
        elif found is None or found[0] not in {"", si}:
            raise _unit_error(label, kind, si, row.unit, unit)
        else:
            factors.append(found[1])
    places = [row.place or (0.0, 0.0, 0.0) for row in said]
    positions = tuple(x for place in places for x in place) if any(map(any, places)) else ()
    spec = SignalSpec(sfreq, tuple(labels), tuple(kinds), positions)
    return Described(spec, tuple(factors))


def describe_stream(
    description: StreamDescription, *, unit: str | None = None, trigger: str | None = None
) -> Described:
    """Interpret the description of a stream; see `describe`.

    Raises
    ------
    UnitError
        As `describe`.
    """
    d = description
    places = [_place(channel) for channel in d.below("channels", "channel")]
    if len(places) != d.n_channels:
        places = [None] * d.n_channels
    said = [ChannelSaid(*row, place) for row, place in zip(d.channels(), places, strict=True)]
    return describe(d.sfreq, d.type, said, unit=unit, trigger=trigger)


def find_channel(ch_names: Sequence[str], name: str) -> int:
    """Return the index of a channel, whose case and spaces do not matter.

    Raises
    ------
    ConfigError
        If there is none, or more than one.
    """
    wanted = _plain(name)
    found = [n for n, ch_name in enumerate(ch_names) if _plain(ch_name) == wanted]
    if len(found) != 1:
        msg = (
            f"there is no trigger channel {name!r} among {', '.join(ch_names)}: name one with "
            f"--trigger-channel"
        )
        raise ConfigError(msg)
    return found[0]


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).casefold()


def guess_type(label: str) -> str:
    """Return what a channel's label says of its type, in MNE's words; empty if nothing.

    Examples
    --------
    >>> guess_type("STI 014"), guess_type("VEOG"), guess_type("Cz")
    ('stim', 'eog', '')
    """
    for kind, pattern in _LABELS.items():
        if re.fullmatch(pattern, label.strip(), re.IGNORECASE):
            return kind
    return ""


def _place(channel: Mapping[str, object]) -> tuple[float, float, float] | None:
    location = channel.get("location")
    if not isinstance(location, tuple):
        return None
    said = {str(tag).upper(): content for tag, content in location}
    x, y, z = (number(said.get(axis, "")) for axis in "XYZ")
    if x is None or y is None or z is None:
        return None
    return x / 1000, y / 1000, z / 1000  # said in millimeters


def _kind(label: str, said: str, unit: tuple[str, float] | None) -> str:
    if said.casefold() == "meg":  # only the unit tells the two kinds of sensors apart
        return guess_type(label) or ("grad" if unit is not None and unit[0] == "T/m" else "mag")
    kind = _TYPES.get(said.casefold(), "misc")
    return guess_type(label) or kind if kind == "eeg" else kind


def _unit_error(label: str, kind: str, si: str, said: str, unit: str | None) -> UnitError:
    if unit is not None:
        return UnitError(
            f"channel {label} is of type {kind}, which is in {si}: it cannot be in {unit!r}; "
            f"give a unit such as {'uV' if si == 'V' else 'fT'}"
        )
    found = f"the unit {said!r}, which is not one of {si}" if said else "no unit"
    return UnitError(
        f"channel {label} (type {kind}) is sent with {found}: have the sender describe it, or "
        f"state it with --unit, such as --unit {'uV' if si == 'V' else 'fT'}"
    )


def _unique(labels: list[str]) -> list[str]:
    taken = set(labels)
    names: list[str] = []
    for n, label in enumerate(labels, 1):
        name = label
        if not label or label in names:
            name = f"ch{n}"
            while name in taken:
                name += "_"
            taken.add(name)
        names.append(name)
    return names
