"""Faults that a replay injects: what goes wrong, and when, in a line each.

A fault acts on samples (`alter_rows`), on what the sender says of them (`stamp_shift`), or on
when they leave (`delay_until`); these are functions of the index and the instant of a sample,
and of a seed, so that a schedule does the same however the stream is cut.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from streaming.description import parse_unit
from streaming.errors import ConfigError

__all__ = [
    "KINDS",
    "Fault",
    "Schedule",
    "alter_rows",
    "jitter_delay",
    "parse_fault",
    "read_schedule",
    "stamp_shift",
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
    "line": "line@10:5s:50uV:hz=60",
}
"""The kinds of faults, and how each is written."""

_WITH_CHANNELS = {"nan", "flat", "saturate", "line"}
_OPTIONS = {"disconnect": {"rate", "n_channels"}, "line": {"hz"}}

_SHORTEST_OUTAGE = 1.0
"""Seconds that an outlet is away at least: less, and its last samples may not be delivered."""

_EPSILON = 1e-6
"""Seconds by which an instant may be off by rounding: 2 s at 200 Hz are 400 samples."""

_PAGE = 1024


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
        ``saturate`` and the amplitude of ``line`` [`unit`].
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
                kind not in {"stall", "disconnect"} or self.duration < math.inf,
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
    allowed = _OPTIONS.get(kind, set()) | ({"channels"} if kind in _WITH_CHANNELS else set())
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
        "line": (("duration", _duration), ("level", _level)),
    }.items()
}


def alter_rows(
    fault: Fault,
    rows: NDArray[np.generic],
    t: NDArray[np.float64],
    columns: Sequence[int],
    levels: NDArray[np.float64],
) -> NDArray[np.generic]:
    """Return samples as the fault leaves them: what happens to samples.

    Parameters
    ----------
    fault : Fault
        ``nan``, ``flat`` (at 0), ``saturate`` or ``line`` (a sine); others change nothing.
    rows : array of shape (n_times, n_channels)
        The samples.
    t : array of shape (n_times,)
        When each was taken, in seconds since the start.
    columns : sequence of int
        The channels concerned.
    levels : array of shape (n_columns,)
        The fault's level in each channel's own unit.

    Returns
    -------
    array of shape (n_times, n_channels)
        In the type of `rows`: whole numbers are rounded and limited.
    """
    if fault.kind not in _WITH_CHANNELS:
        return rows
    changed = rows.astype(np.float64)
    if fault.kind == "line":
        wave = np.sin(2 * np.pi * fault.hz * t)
        changed[:, columns] += wave[:, None] * levels
    elif fault.kind == "saturate":
        changed[:, columns] = levels
    else:
        changed[:, columns] = np.nan if fault.kind == "nan" else 0.0
    if rows.dtype.kind == "i":
        limits = np.iinfo(rows.dtype.name)
        changed = np.clip(np.rint(changed), limits.min, limits.max)
    return changed.astype(rows.dtype)


def stamp_shift(
    fault: Fault, index: NDArray[np.int64], t: NDArray[np.float64], sfreq: float
) -> NDArray[np.float64]:
    """Return what the fault adds to timestamps, in seconds: what happens to timestamps.

    Parameters
    ----------
    fault : Fault
        ``bunch`` (all samples of a bunch get the timestamp of its last), ``step`` or
        ``drift`` (the amplifier's clock is slow by so much, and its samples come later);
        others add nothing, ``jitter`` adds its `jitter_delay`.
    index : array of shape (n_times,)
        Which samples, counted as they are taken.
    t : array of shape (n_times,)
        When each was taken, in seconds since the start.
    sfreq : float
        Nominal rate, in Hz.
    """
    if fault.kind == "bunch":
        left = (fault.amount - 1 - index % fault.amount) / sfreq
        return np.asarray(np.clip(left, 0.0, np.maximum(fault.end - t, 0.0)))
    if fault.kind == "step":
        return np.full(len(t), fault.amount)
    if fault.kind == "drift":
        return np.clip(t - fault.at, 0.0, fault.duration) * fault.amount * 1e-6
    return np.zeros(len(t))


def jitter_delay(key: tuple[int, ...], n: int, longest: float, period: float) -> float:
    """Return how late piece `n` of a stream arrives, in seconds: uniform, but for the order.

    A piece never overtakes the one before it, so it waits for that one where it must.

    Parameters
    ----------
    key : tuple of int
        Seed.
    n : int
        Number of the piece.
    longest : float
        Longest delay, in seconds.
    period : float
        Seconds from piece to piece.
    """
    before = np.arange(max(0, n - math.ceil(longest / period)), n + 1)
    draws = np.array([_page(key, m // _PAGE)[m % _PAGE] for m in before.tolist()])
    return float(np.max(longest * draws - (n - before) * period))


@lru_cache(64)
def _page(key: tuple[int, ...], number: int) -> list[float]:
    draws: list[float] = np.random.default_rng([*key, number]).random(_PAGE).tolist()
    return draws
