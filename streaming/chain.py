"""The steps of the signal path, as one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import MISSING, asdict, fields
from functools import partial
from math import isfinite
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from streaming.align import Align, AlignSettings
from streaming.errors import ConfigError
from streaming.fieldmap import coils_of
from streaming.filters import BandpassSettings, Filter, NotchSettings
from streaming.gate import Gate, GateSettings
from streaming.layout import positions_of
from streaming.projection import (
    Compensate,
    CompensateSettings,
    Ssp,
    SspSettings,
    compensation_of,
    projectors_of,
)
from streaming.regress import Regress, RegressSettings
from streaming.repair import Repair, RepairSettings
from streaming.resample import Decimate, DecimateSettings, Resample, ResampleSettings
from streaming.scaling import Clamp, ClampSettings, Scale, ScaleSettings
from streaming.sections import Sections
from streaming.signal import Chunk, SignalSpec
from streaming.spatial import (
    Bipolar,
    BipolarSettings,
    Pick,
    PickSettings,
    Reference,
    ReferenceSettings,
)
from streaming.transform import Transform
from streaming.watch import FIRST_VERDICT, Watch, WatchSettings

if TYPE_CHECKING:
    import mne

__all__ = ["TRANSFORMS", "Chain", "Step", "standard_chain", "with_watch"]

TRANSFORMS: dict[str, tuple[type[Any], type[Any]]] = {
    "align": (AlignSettings, Align),
    "bandpass": (BandpassSettings, Filter),
    "bipolar": (BipolarSettings, Bipolar),
    "clamp": (ClampSettings, Clamp),
    "compensate": (CompensateSettings, Compensate),
    "decimate": (DecimateSettings, Decimate),
    "gate": (GateSettings, Gate),
    "notch": (NotchSettings, Filter),
    "pick": (PickSettings, Pick),
    "reference": (ReferenceSettings, Reference),
    "regress": (RegressSettings, Regress),
    "repair": (RepairSettings, Repair),
    "resample": (ResampleSettings, Resample),
    "scale": (ScaleSettings, Scale),
    "ssp": (SspSettings, Ssp),
    "watch": (WatchSettings, Watch),
}
"""Every step that a model may name: its settings and its class."""

_NAMES = {settings: name for name, (settings, _) in TRANSFORMS.items()}


class Step(Transform, Protocol):
    """A transform that can be written down: one of `TRANSFORMS`."""

    @property
    def settings(self) -> Any:
        """A frozen dataclass of plain values, from which the step can be made again."""


class Chain:
    """Transforms in a row; itself a `Transform`.

    Parameters
    ----------
    steps : iterable of Step
        The transforms, first to last. `prepare` gives them fresh state, so a step belongs to
        one chain.

    Examples
    --------
    >>> chain = Chain.from_json([{"transform": "clamp", "limit": 5.0}])
    >>> chain.to_json()
    [{'transform': 'clamp', 'limit': 5.0}]
    """

    def __init__(self, steps: Iterable[Step]) -> None:
        self.steps = tuple(steps)
        self._calls: list[Callable[[Chunk], Chunk]] = []

    @property
    def settling(self) -> float:
        """How long after the start of a segment the output cannot be trusted, in seconds.

        The sum over the steps: each starts from the output of the one before. With a watch,
        which looks at the input, not before its first verdict. Known once the chain is
        prepared.
        """
        watches = any(isinstance(step, Watch) for step in self.steps)
        settling = sum((step.settling for step in self.steps), 0.0)
        return max(settling, FIRST_VERDICT if watches else 0.0)

    @property
    def delay(self) -> float:
        """How much later a wave of 10 Hz comes out than it went in: the sum, in seconds."""
        return sum((step.delay for step in self.steps), 0.0)

    def prepare(self, spec: SignalSpec) -> SignalSpec:
        """Prepare each step for the output of the one before."""
        for step in self.steps:
            spec = step.prepare(spec)
        self._calls = _cascade(self.steps)
        return spec

    def __call__(self, chunk: Chunk) -> Chunk:
        """Pass `chunk` through all steps."""
        for call in self._calls:
            chunk = call(chunk)
        return chunk

    def to_json(self) -> list[dict[str, Any]]:
        """Return the steps as plain data, as a model folder stores them."""
        return [
            {"transform": _NAMES[type(s.settings)], **asdict(s.settings)} for s in self.steps
        ]

    @classmethod
    def from_json(cls, steps: Sequence[dict[str, Any]]) -> Chain:
        """Make a chain from what `to_json` returned, or from a configuration file."""
        return cls(_read_step(n, step) for n, step in enumerate(steps, start=1))


def _cascade(steps: Sequence[Step]) -> list[Callable[[Chunk], Chunk]]:
    """Return what to call for prepared steps: filters in a row run as one.

    Notch, band-pass and decimation together read each sample once, compute only those that are
    kept, and round them to float32 once.
    """
    calls: list[Callable[[Chunk], Chunk]] = []
    row: list[Filter] = []
    for step in steps:
        if isinstance(step, Filter):
            row.append(step)
        elif isinstance(step, Decimate) and step.factor > 1 and row:
            sos = np.concatenate([*(f.sos for f in row), step.sos])
            sections = Sections(sos, step.factor)
            calls.append(partial(_decimate, step, sections))
            row = []
        else:
            calls += _in_one(row)
            calls.append(step)
            row = []
    return calls + _in_one(row)


def _in_one(row: Sequence[Filter]) -> list[Callable[[Chunk], Chunk]]:
    """Return what filters like all of `row`, one after the other."""
    if len(row) < 2:
        return list(row)
    return [partial(_filter, Sections(np.concatenate([f.sos for f in row])))]


def _filter(sections: Sections, chunk: Chunk) -> Chunk:
    return chunk.holding(sections(chunk))


def _decimate(step: Decimate, sections: Sections, chunk: Chunk) -> Chunk:
    return step.finish(chunk, sections(chunk))


def with_watch(chain: Chain) -> Chain:
    """Return `chain` with a watch if it has none, as models made before there was one.

    It only holds bad channels still, and refuses when no channel is good: whoever made the
    model did not decide on more.
    """
    if any(isinstance(step, Watch) for step in chain.steps):
        return chain
    steps = chain.to_json()
    at = next((n for n, step in enumerate(steps, 1) if step["transform"] == "pick"), 0)
    mains = next((step["freq"] for step in steps if step["transform"] == "notch"), 50.0)
    watch = {"transform": "watch", "line_freq": mains, "max_held": _ALL_BUT_ONE}
    return Chain.from_json([*steps[:at], watch, *steps[at:]])


def _read_step(number: int, step: dict[str, Any]) -> Step:
    """Make one step of a chain from plain data."""
    if not isinstance(step, dict):
        msg = f"step {number} of the chain is no transform with settings: {step!r}"
        raise ConfigError(msg)
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in step.items()}
    name = values.pop("transform", None)
    if name not in TRANSFORMS:
        known = ", ".join(TRANSFORMS)
        msg = f"step {number} of the chain: transform={name!r} is none of {known}"
        raise ConfigError(msg)
    settings, transform = TRANSFORMS[name]
    wanted = {field.name: str(field.type) for field in fields(settings)}
    for key, value in values.items():
        if key not in wanted:
            msg = (
                f"step {number} of the chain ({name}) has no setting {key!r}; it has "
                f"{', '.join(wanted) or 'none'}"
            )
            raise ConfigError(msg)
        if not _KINDS[wanted[key]](value):
            msg = (
                f"step {number} of the chain ({name}): {key} must be "
                f"{_IN_WORDS[wanted[key]]}, got {value!r}"
            )
            raise ConfigError(msg)
    try:
        made: Step = transform(settings(**values))
    except TypeError as error:  # a setting that is missing
        missing = ", ".join(
            field.name
            for field in fields(settings)
            if field.default is MISSING and field.name not in values
        )
        msg = f"step {number} of the chain ({name}) needs {missing}"
        raise ConfigError(msg) from error
    except ConfigError as error:
        msg = f"step {number} of the chain: {error}"
        raise ConfigError(msg) from error
    return made


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


_KINDS: dict[str, Callable[[Any], bool]] = {
    "float": _is_number,
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "tuple[str, ...]": lambda value: (
        isinstance(value, tuple) and all(isinstance(item, str) for item in value)
    ),
    "tuple[float, ...]": lambda value: isinstance(value, tuple) and all(map(_is_number, value)),
}

_IN_WORDS = {
    "float": "a number (with a point before an exponent: 1.0e-4)",
    "int": "a whole number",
    "tuple[str, ...]": "a list of names",
    "tuple[float, ...]": "a list of numbers",
}


_ALL_BUT_ONE = 1 - 1e-9

_ENOUGH_FOR_AVERAGE = 16
_ENOUGH_TO_LOSE = 10  # channels of which a tenth is one


def standard_chain(
    ch_names: Sequence[str],
    sfreq: float,
    *,
    low: float = 0.5,
    high: float = 30.0,
    line_freq: float = 50.0,
    ch_types: Sequence[str] = (),
    info: mne.Info | None = None,
) -> Chain:
    """Return the chain that evoked responses are usually decoded with, made causal.

    In order: pick the channels, watch them, repair, notch, band-pass, decimate, compensate and
    project (MEG), average reference (EEG), running robust scale, clamp at 10. The baseline
    belongs to the window.

    Parameters
    ----------
    ch_names : sequence of str
        Channels of the model.
    sfreq : float
        Rate of the stream, in Hz.
    low, high : float
        Band, in Hz. Papers take 0.1 to 30 Hz with filters that see the future. A causal
        filter from 0.1 Hz is lost for 6.9 s after each gap, from 0.5 Hz for 1.4 s, and gains
        nothing: face or house in the N170 recordings AUC .642 against .646, P300 .743
        against .747 (ridge, left-out runs, no baseline).
    line_freq : float
        Mains, in Hz: 50, or 60 in the Americas. Left out if the stream cannot carry it.
    ch_types : sequence of str
        MNE's types of the channels; all EEG if not given.
    info : mne.Info, optional
        Of a recording with these channels: its projectors, compensation, and their places.

    Notes
    -----
    The average reference is taken of 16 EEG channels or more: of fewer it is no estimate of
    zero but mixes the response into all, and MEG needs none. The new rate is the lowest that
    divides the stream's, is at least 100 Hz, and at least three times `high`, so that the
    low-pass of decimation stays out of the band. What maps channels comes after decimation, as
    it can change places with filters and has a tenth of the samples to map there.
    """
    names, kinds = tuple(ch_names), set(ch_types)
    is_eeg = kinds <= {"eeg"}
    compensation = compensation_of(info, names) if info is not None else None
    projectors = projectors_of(info, names) if info is not None and not is_eeg else None
    picked = names + (compensation.ref_names if compensation else ())
    positions = positions_of(names, info) if is_eeg and len(names) >= _ENOUGH_TO_LOSE else ()
    coils = coils_of(names, info) if info is not None and not is_eeg else ()
    steps: list[Step] = [
        Pick(PickSettings(ch_names=picked)),
        Watch(WatchSettings(line_freq=line_freq, positions=positions, coils=coils)),
        Repair(RepairSettings()),
    ]
    if line_freq < sfreq / 2:
        steps.append(Filter(NotchSettings(freq=line_freq)))
    factor = max(int(sfreq / max(100.0, 3 * high)), 1)
    steps += [
        Filter(BandpassSettings(low=low, high=high)),
        Decimate(DecimateSettings(sfreq=sfreq / factor)),
    ]
    if compensation is not None:
        steps.append(Compensate(compensation))
    if projectors is not None:
        steps.append(Ssp(projectors))
    if len(names) >= _ENOUGH_FOR_AVERAGE and is_eeg:
        steps.append(Reference(ReferenceSettings()))
    return Chain([*steps, Scale(ScaleSettings()), Clamp(ClampSettings())])
