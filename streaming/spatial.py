"""Which channels, and against what they are measured."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streaming.errors import ConfigError, StreamMismatch
from streaming.signal import Chunk, SignalSpec

__all__ = [
    "Bipolar",
    "BipolarSettings",
    "Pick",
    "PickSettings",
    "Reference",
    "ReferenceSettings",
    "find_rows",
    "normal_name",
]


def normal_name(ch_name: str) -> str:
    """Return what amplifiers agree on in a channel's name.

    Examples
    --------
    >>> normal_name("EEG Fp1-REF") == normal_name("FP1")
    True
    """
    name = ch_name.strip().lower().removeprefix("eeg ")
    return "".join(name.split()).removesuffix("-ref")


@dataclass(frozen=True, slots=True, kw_only=True)
class PickSettings:
    """Settings of a choice of channels.

    Parameters
    ----------
    ch_names : tuple of str
        The channels of the output, in this order and with these names.
    """

    ch_names: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse no channels, and names that the matching takes for the same."""
        if not self.ch_names:
            msg = "pick needs at least one channel in ch_names, got none"
            raise ConfigError(msg)
        twice = _twice(self.ch_names)
        if twice:
            msg = f"pick needs ch_names that differ, got more than one of {', '.join(twice)}"
            raise ConfigError(msg)


class Pick:
    """Keep the named channels, in the named order.

    A channel is found by its `normal_name`, so that a stream whose amplifier writes
    ``EEG FP1-REF`` fits a model made with ``Fp1``.
    """

    settling = delay = 0.0

    def __init__(self, settings: PickSettings) -> None:
        self.settings = settings
        self._rows: NDArray[np.intp] | None  # None: all of them, as they are
        self._spec: SignalSpec

    def prepare(self, spec: SignalSpec) -> SignalSpec:
        """Find the channels in the stream."""
        wanted = self.settings.ch_names
        row_of = {normal_name(name): row for row, name in enumerate(spec.ch_names)}
        missing = [name for name in wanted if normal_name(name) not in row_of]
        if missing:
            msg = (
                f"the stream has no channel {', '.join(missing)}; needed are "
                f"{', '.join(wanted)}, it has {', '.join(spec.ch_names)}. Rename its channels, "
                f"or fit a model to those it has"
            )
            raise StreamMismatch(msg)
        unclear = set(map(normal_name, wanted)) & set(map(normal_name, _twice(spec.ch_names)))
        if unclear:
            found = [name for name in spec.ch_names if normal_name(name) in unclear]
            msg = (
                f"the stream's channels {', '.join(found)} have names that count as the same, "
                f"so {', '.join(wanted)} cannot be picked; rename one of them"
            )
            raise StreamMismatch(msg)
        rows = [row_of[normal_name(name)] for name in wanted]
        self._rows = None if rows == list(range(len(spec.ch_names))) else np.array(rows)
        types = tuple(spec.ch_types[row] for row in rows)
        self._spec = replace(spec, ch_names=wanted, ch_types=types, positions=())
        return self._spec

    def __call__(self, chunk: Chunk) -> Chunk:
        """Return the channels' rows."""
        data = chunk.data if self._rows is None else chunk.data[self._rows]
        return chunk.holding(data, self._spec)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceSettings:
    """Settings of a reference.

    Parameters
    ----------
    ch_names : tuple of str
        Channels whose mean is subtracted from every channel; all of them (the average
        reference) if none is named.
    """

    ch_names: tuple[str, ...] = ()


class Reference:
    """Subtract the mean of some channels from all."""

    settling = delay = 0.0

    def __init__(self, settings: ReferenceSettings) -> None:
        self.settings = settings
        self._rows: NDArray[np.intp] | slice

    def prepare(self, spec: SignalSpec) -> SignalSpec:
        """Find the channels of the reference."""
        names = self.settings.ch_names
        self._rows = find_rows("reference", names, spec) if names else slice(None)
        return spec

    def __call__(self, chunk: Chunk) -> Chunk:
        """Subtract the reference at each sample."""
        if chunk.n_times == 0:
            return chunk
        # Of each sample the channels lie together and are added in an order that depends on how
        # many they are alone. np.sum over the first axis adds in pairs when there is one sample
        # and in sequence when there are more, so cutting would change the last bits.
        of = chunk.data[self._rows].T.astype(np.float64, order="C")
        mean = np.add.reduce(of, axis=1) / of.shape[1]
        return chunk.holding((chunk.data - mean).astype(np.float32))


@dataclass(frozen=True, slots=True, kw_only=True)
class BipolarSettings:
    """Settings of bipolar derivations.

    Parameters
    ----------
    anodes, cathodes : tuple of str
        Channels, as many of the one as of the other. Each output is an anode minus its
        cathode, named ``anode-cathode``.
    """

    anodes: tuple[str, ...]
    cathodes: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse no pairs, and half ones."""
        if not self.anodes or len(self.anodes) != len(self.cathodes):
            msg = (
                f"bipolar needs as many anodes as cathodes, got {len(self.anodes)} and "
                f"{len(self.cathodes)}"
            )
            raise ConfigError(msg)


class Bipolar:
    """Replace channels by differences between two of them."""

    settling = delay = 0.0

    def __init__(self, settings: BipolarSettings) -> None:
        self.settings = settings
        self._anodes: NDArray[np.intp]
        self._cathodes: NDArray[np.intp]
        self._spec: SignalSpec

    def prepare(self, spec: SignalSpec) -> SignalSpec:
        """Find the channels and name the differences."""
        s = self.settings
        self._anodes = find_rows("bipolar", s.anodes, spec)
        self._cathodes = find_rows("bipolar", s.cathodes, spec)
        names = tuple(f"{a}-{c}" for a, c in zip(s.anodes, s.cathodes, strict=True))
        types = tuple(spec.ch_types[row] for row in self._anodes)
        self._spec = replace(spec, ch_names=names, ch_types=types, positions=())
        return self._spec

    def __call__(self, chunk: Chunk) -> Chunk:
        """Return the differences."""
        data = chunk.data[self._anodes] - chunk.data[self._cathodes]
        return chunk.holding(data, self._spec)


def find_rows(step: str, ch_names: tuple[str, ...], spec: SignalSpec) -> NDArray[np.intp]:
    """Return where the channels that a step needs are in a stream.

    Raises
    ------
    ConfigError
        If one is not there.
    """
    missing = [name for name in ch_names if name not in spec.ch_names]
    if missing:
        msg = (
            f"{step} needs the channels {', '.join(missing)}, which are not among "
            f"{', '.join(spec.ch_names)}; pick them first"
        )
        raise ConfigError(msg)
    return np.array([spec.ch_names.index(name) for name in ch_names])


def _twice(ch_names: tuple[str, ...]) -> list[str]:
    """Return the names that count as the same as another."""
    counts = Counter(map(normal_name, ch_names))
    return [name for name in ch_names if counts[normal_name(name)] > 1]
