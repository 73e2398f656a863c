"""What the description of a stream says of its channels: names, types and units."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from streaming.errors import UnitError
from streaming.signal import SignalSpec

__all__ = ["Described", "describe", "parse_unit"]

_PREFIXES = {
    "": 1.0,
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
    "trig": "stim",
    "trigger": "stim",
    "stim": "stim",
    "sti": "stim",
    "marker": "stim",
    "markers": "stim",
}
"""LSL's types of channels, in lower case, as MNE's; all others are ``misc``."""


@dataclass(frozen=True, slots=True)
class Described:
    """The channels of a stream.

    Parameters
    ----------
    spec : SignalSpec
        Rate, names and types.
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
    channels: Sequence[tuple[str, str, str]],
    *,
    unit: str | None = None,
) -> Described:
    """Interpret a description.

    A channel without a label, or with the label of an earlier one, is called ``ch`` and its
    number from 1. One without a type has that of the stream.

    Parameters
    ----------
    sfreq : float
        Nominal rate, in Hz.
    stream_type : str
        Type of the stream, such as ``"EEG"``.
    channels : sequence of (label, type, unit)
        What is said of each channel; empty where nothing is.
    unit : str, optional
        The unit of every channel that has an amplitude, whatever the description says.

    Raises
    ------
    UnitError
        If a channel's unit is missing, not understood, or that of something else.
    """
    labels = _unique([label.strip() for label, _, _ in channels])
    kinds, factors = [], []
    for label, (_, said_type, said_unit) in zip(labels, channels, strict=True):
        found = parse_unit(unit or said_unit)
        kind = _kind(said_type.strip() or stream_type, found)
        kinds.append(kind)
        si = SignalSpec(sfreq, (label,), (kind,)).units[0]
        if not si:
            factors.append(1.0)
        elif found is None or found[0] not in {"", si}:
            raise _unit_error(label, kind, si, said_unit, unit)
        else:
            factors.append(found[1])
    return Described(SignalSpec(sfreq, tuple(labels), tuple(kinds)), tuple(factors))


def _kind(said: str, unit: tuple[str, float] | None) -> str:
    if said.casefold() == "meg":  # only the unit tells the two kinds of sensors apart
        return "grad" if unit is not None and unit[0] == "T/m" else "mag"
    return _TYPES.get(said.casefold(), "misc")


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
