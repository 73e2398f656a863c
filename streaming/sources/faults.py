"""Faults that a replay injects: what goes wrong, and when, in a line each.

What they do to samples and timestamps is in `streaming.sources.effects`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from streaming.description import parse_unit
from streaming.errors import ConfigError

__all__ = [
    "KINDS",
    "WITH_CHANNELS",
    "Fault",
    "Schedule",
    "parse_fault",
    "read_schedule",
]

KINDS = {
    "drop": "drop@10:2s",
    "stall": "stall@10:2s",
    "jitter": "jitter@10:60s:20ms",
    "bunch": "bunch@10:60s:12",
    "step": "step@10:-0.5s",
    "drift": "drift@10:end:100ppm",
    "disconnect": "disconnect@10:5s or disconnect@10:5s:rate=500:n_channels=8",
    "nan": "nan@10:500ms:channels=Cz,Pz",
    "flat": "flat@10:5s:channels=Cz",
    "saturate": "saturate@10:5s:5mV:channels=Cz",
    "pop": "pop@10:2s:5mV:channels=Cz",
    "line": "line@10:5s:50uV:hz=60",
}
"""The kinds of faults, and how each is written."""

WITH_CHANNELS = {"nan", "flat", "saturate", "pop", "line"}
"""The kinds that act on single channels."""

_OPTIONS = {"disconnect": {"rate", "n_channels"}, "line": {"hz"}}

_SHORTEST_OUTAGE = 1.0
"""Seconds that an outlet is away at least: less, and its last samples may not be delivered."""

_EPSILON = 1e-6
"""Seconds by which an instant may be off by rounding: 2 s at 200 Hz are 400 samples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that goes wrong with a signal.

    Parameters
    ----------
    kind : str
        Which of `KINDS`.
    at : float
        When it begins, in seconds since the first sample of the replay.
    duration : float
        How long it lasts, in seconds; infinite until the end.
    amount : float
        The longest delay of ``jitter`` [s], the samples that ``bunch`` gives one timestamp,
        what ``step`` adds to the clock [s], the ``drift`` in millionths, the level of
        ``saturate``, the height of ``pop`` and the amplitude of ``line`` [`unit`].
    unit : str
        SI unit of a level; empty: the stream's own unit.
    hz : float
        Frequency of ``line``, in Hz.
    channels : tuple of str
        Which channels, of faults of channels; all if empty.
    rate, n_channels : float, int
        With what a stream comes back from ``disconnect``; 0: as it was.
    stream : str
        Name of the stream; all signals if empty.
    text : str
        As it was written.
    """

    kind: str
    at: float
    duration: float = math.inf
    amount: float = 0.0
    unit: str = ""
    hz: float = 50.0
    channels: tuple[str, ...] = ()
    rate: float = 0.0
    n_channels: int = 0
    stream: str = ""
    text: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot happen."""
        kind, amount = self.kind, self.amount
        checks = (
            (kind in KINDS, f"kind must be one of {', '.join(KINDS)}, got {kind!r}"),
            (0 <= self.at < math.inf, f"it must begin at 0 s or later, got {self.at:g} s"),
            (self.duration > 0, f"its duration must be positive, got {self.duration:g} s"),
            (math.isfinite(amount), f"its amount must be a finite number, got {amount}"),
            (
                kind != "jitter" or 0 < amount <= 10,
                f"a delay must be above 0 and at most 10 s, got {amount:g} s",
            ),
            (
                kind != "bunch" or (amount >= 2 and amount % 1 == 0),
                f"a bunch must be of 2 samples or more, got {amount:g}",
            ),
            (
                kind != "drift" or abs(amount) <= 10_000,
                f"a drift is of up to 10000 ppm, got {amount:g}",
            ),
            (
                kind != "disconnect" or self.duration >= _SHORTEST_OUTAGE,
                f"an outage takes {_SHORTEST_OUTAGE:g} s or more, got {self.duration:g} s",
            ),
            (
                kind not in {"stall", "disconnect", "pop"} or self.duration < math.inf,
                "it must end: give its duration in seconds",
            ),
            (
                self.hz > 0 and self.rate >= 0 and self.n_channels >= 0,
                "hz, rate and n_channels must be positive",
            ),
        )
        for is_right, wrong in checks:
            if not is_right:
                msg = f"fault {self.text or kind!r}: {wrong}"
                raise ConfigError(msg)

    @property
    def end(self) -> float:
        """When the last sample is affected, in seconds: a clock that was moved stays so."""
        return math.inf if self.kind in {"step", "drift"} else self.at + self.duration

    def covers(self, t: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which samples are affected, by when they were taken, of shape (n_times,)."""
        return (t >= self.at - _EPSILON) & (t < self.end - _EPSILON)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Faults, and the seed of what is random in them."""

    faults: tuple[Fault, ...] = ()
    seed: int = 0


def read_schedule(path: Path | None, texts: Sequence[str] = ()) -> Schedule:
    """Read faults from a file and from options.

    Parameters
    ----------
    path : Path or None
        YAML with the list ``faults`` and, if wanted, the integer ``seed``.
    texts : sequence of str
        Faults beside those of the file.

    Raises
    ------
    ConfigError
        If the file cannot be read or a fault is not understood.
    """
    seed, listed = 0, []
    if path is not None:
        try:
            found = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            said = " ".join(str(error).split())
            msg = f"{path} cannot be read ({said}): it must be YAML with a list of faults"
            raise ConfigError(msg) from error
        if not isinstance(found, dict) or not set(found) <= {"faults", "seed"}:
            msg = (
                f"{path} must have the keys faults and seed alone; see the example in the docs"
            )
            raise ConfigError(msg)
        listed, seed = found.get("faults", []), found.get("seed", 0)
        if not isinstance(listed, list) or not all(isinstance(text, str) for text in listed):
            msg = f"{path}: faults must be a list of lines such as - {KINDS['drop']}"
            raise ConfigError(msg)
        if not isinstance(seed, int) or seed < 0:
            msg = f"{path}: seed must be an integer of 0 or more, got {seed!r}"
            raise ConfigError(msg)
    return Schedule(tuple(parse_fault(text) for text in [*listed, *texts]), seed)


def parse_fault(text: str) -> Fault:
    """Read a fault from a line; `KINDS` has an example of each.

    Times are in seconds, or in milliseconds with ``ms``; ``end`` as a duration lasts to the
    end. ``stream=NAME`` comes last, as a name may hold anything.

    Raises
    ------
    ConfigError
        If it is not understood; the message says how it is written.

    Examples
    --------
    >>> fault = parse_fault("jitter@10:60s:20ms")
    >>> fault.at, fault.duration, fault.amount
    (10.0, 60.0, 0.02)
    """
    line, _, stream = text.partition(":stream=")
    kind, _, rest = line.partition("@")
    if kind not in KINDS:
        msg = f"fault {text!r}: there is no kind {kind!r}; there are {', '.join(KINDS)}"
        raise ConfigError(msg)
    parts = rest.split(":")
    plain = [part for part in parts if "=" not in part]
    options = dict(part.split("=", 1) for part in parts if "=" in part)
    readers = _READERS[kind]
    allowed = _OPTIONS.get(kind, set()) | ({"channels"} if kind in WITH_CHANNELS else set())
    if len(plain) != len(readers) or not set(options) <= allowed:
        raise _misunderstood(text, kind)
    try:
        values: dict[str, Any] = {
            name: read(part) for part, (name, read) in zip(plain, readers, strict=True)
        }
        if "level" in values:
            values["amount"], values["unit"] = values.pop("level")
        numbers = {name: float(options[name]) for name in ("rate", "hz") if name in options}
        return Fault(
            kind=kind,
            **values,
            **numbers,  # type: ignore[arg-type]  # floats, by the names of options
            n_channels=int(options.get("n_channels", 0)),
            channels=tuple(filter(None, options.get("channels", "").split(","))),
            stream=stream,
            text=text,
        )
    except ValueError as error:
        raise _misunderstood(text, kind) from error


def _misunderstood(text: str, kind: str) -> ConfigError:
    return ConfigError(f"fault {text!r} is not understood: write it like {KINDS[kind]}")


def _seconds(text: str) -> float:
    number, unit = _number(text)
    return number * {"": 1.0, "s": 1.0, "ms": 1e-3}.get(unit, math.nan)


def _duration(text: str) -> float:
    return math.inf if text == "end" else _seconds(text)


def _count(text: str) -> float:
    return int(text)


def _millionths(text: str) -> float:
    return float(text.removesuffix("ppm"))


def _level(text: str) -> tuple[float, str]:
    number, unit = _number(text)
    if not unit:
        return number, ""
    found = parse_unit(unit)
    if found is None:
        msg = f"unknown unit {unit}"
        raise ValueError(msg)
    return number * found[1], found[0]


def _number(text: str) -> tuple[float, str]:
    found = re.fullmatch(r"([-+]?[\d.]+(?:e[-+]?\d+)?)(\D*)", text)
    if found is None:
        msg = f"not a number: {text}"
        raise ValueError(msg)
    return float(found[1]), found[2].strip()


_READERS: dict[str, tuple[tuple[str, Callable[[str], float | tuple[float, str]]], ...]] = {
    kind: (("at", _seconds), *fields)
    for kind, fields in {
        "drop": (("duration", _duration),),
        "stall": (("duration", _duration),),
        "jitter": (("duration", _duration), ("amount", _seconds)),
        "bunch": (("duration", _duration), ("amount", _count)),
        "step": (("amount", _seconds),),
        "drift": (("duration", _duration), ("amount", _millionths)),
        "disconnect": (("duration", _duration),),
        "nan": (("duration", _duration),),
        "flat": (("duration", _duration),),
        "saturate": (("duration", _duration), ("level", _level)),
        "pop": (("duration", _duration), ("level", _level)),
        "line": (("duration", _duration), ("level", _level)),
    }.items()
}
