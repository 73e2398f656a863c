"""The steps of the signal path, as one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any, Protocol

from streaming.errors import ConfigError
from streaming.filters import Bandpass, BandpassSettings, Notch, NotchSettings
from streaming.repair import Repair, RepairSettings
from streaming.resample import Decimate, DecimateSettings
from streaming.scaling import Clamp, ClampSettings, Scale, ScaleSettings
from streaming.signal import Chunk, SignalSpec
from streaming.spatial import Pick, PickSettings, Reference, ReferenceSettings
from streaming.transform import Transform

__all__ = ["TRANSFORMS", "Chain", "Step", "standard_chain"]

TRANSFORMS: dict[str, tuple[type[Any], type[Any]]] = {
    "bandpass": (BandpassSettings, Bandpass),
    "clamp": (ClampSettings, Clamp),
    "decimate": (DecimateSettings, Decimate),
    "notch": (NotchSettings, Notch),
    "pick": (PickSettings, Pick),
    "reference": (ReferenceSettings, Reference),
    "repair": (RepairSettings, Repair),
    "scale": (ScaleSettings, Scale),
}
"""Every step that a model may name: its settings and its class."""

_NAMES = {transform: name for name, (_, transform) in TRANSFORMS.items()}


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

    @property
    def settling(self) -> float:
        """How long after the start of a segment the output cannot be trusted, in seconds.

        The sum over the steps: each starts from the output of the one before. Known once
        the chain is prepared.
        """
        return sum((step.settling for step in self.steps), 0.0)

    def prepare(self, spec: SignalSpec) -> SignalSpec:
        """Prepare each step for the output of the one before."""
        for step in self.steps:
            spec = step.prepare(spec)
        return spec

    def __call__(self, chunk: Chunk) -> Chunk:
        """Pass `chunk` through all steps."""
        for step in self.steps:
            chunk = step(chunk)
        return chunk

    def to_json(self) -> list[dict[str, Any]]:
        """Return the steps as plain data, as a model folder stores them."""
        return [{"transform": _NAMES[type(s)], **asdict(s.settings)} for s in self.steps]

    @classmethod
    def from_json(cls, steps: Sequence[dict[str, Any]]) -> Chain:
        """Make a chain from what `to_json` returned, or from a configuration file."""
        return cls(_read_step(n, step) for n, step in enumerate(steps, start=1))


def _read_step(number: int, step: dict[str, Any]) -> Step:
    """Make one step of a chain from plain data."""
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in step.items()}
    name = values.pop("transform", None)
    if name not in TRANSFORMS:
        known = ", ".join(TRANSFORMS)
        msg = f"step {number} of the chain: transform={name!r} is none of {known}"
        raise ConfigError(msg)
    settings, transform = TRANSFORMS[name]
    try:
        made: Step = transform(settings(**values))
    except TypeError as error:  # a setting that is unknown, missing, or of another type
        msg = f"step {number} of the chain ({name}): {error}"
        raise ConfigError(msg) from error
    return made


_ENOUGH_FOR_AVERAGE = 16


def standard_chain(
    ch_names: Sequence[str],
    sfreq: float,
    *,
    low: float = 0.5,
    high: float = 30.0,
    line_freq: float = 50.0,
    ch_types: Sequence[str] = (),
) -> Chain:
    """Return the chain that evoked responses are usually decoded with, made causal.

    In order: pick the channels, repair, average reference, notch, band-pass, decimate,
    running robust scale, clamp at 10. The baseline belongs to the window.

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

    Notes
    -----
    The average reference is taken of 16 EEG channels or more: of fewer it is no estimate of
    zero but mixes the response into all, and MEG needs none. The new rate is the lowest that
    divides the stream's, is at least 100 Hz, and at least three times `high`, so that the
    low-pass of decimation stays out of the band.
    """
    steps: list[Step] = [
        Pick(PickSettings(ch_names=tuple(ch_names))),
        Repair(RepairSettings()),
    ]
    if len(ch_names) >= _ENOUGH_FOR_AVERAGE and set(ch_types) <= {"eeg"}:
        steps.append(Reference(ReferenceSettings()))
    if line_freq < sfreq / 2:
        steps.append(Notch(NotchSettings(freq=line_freq)))
    factor = max(int(sfreq / max(100.0, 3 * high)), 1)
    steps += [
        Bandpass(BandpassSettings(low=low, high=high)),
        Decimate(DecimateSettings(sfreq=sfreq / factor)),
        Scale(ScaleSettings()),
        Clamp(ClampSettings()),
    ]
    return Chain(steps)
