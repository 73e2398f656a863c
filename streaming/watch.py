"""Channels as they are: which are bad, and what stands in for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from streaming.errors import ConfigError
from streaming.fieldmap import N_COIL, field_basis, field_interpolation
from streaming.layout import interpolation
from streaming.maps import apply_map
from streaming.past import PastBlocks
from streaming.quality import UNUSABLE, QualitySettings, channel_quality
from streaming.signal import Bad, ChannelQuality, Chunk, SignalSpec

__all__ = ["FIRST_VERDICT", "QualityReport", "Watch", "WatchSettings"]

FIRST_VERDICT = 1.0
"""How long after the start of a segment channels are judged for the first time, in seconds."""

_N_REPORTS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchSettings:
    """Settings of the watch over the channels.

    Parameters
    ----------
    line_freq : float
        Mains, in Hz.
    positions : tuple of float
        Where the electrodes are, in meters in the head's frame: x, y, z of one EEG channel
        after the other. Without them no EEG channel can be interpolated.
    coils : tuple of float
        Where the MEG sensors are, of `streaming.fieldmap.coils_of`: of one after the other.
        Without them none can be interpolated.
    max_bad : float
        Share of the EEG channels, and of the MEG sensors, that may be interpolated.
    max_held : float
        Share of the channels that may stand still instead, at their last good value, where
        they cannot be interpolated. With more of them bad, no window is decoded.
    """

    line_freq: float = 50.0
    positions: tuple[float, ...] = ()
    coils: tuple[float, ...] = ()
    max_bad: float = 0.1
    max_held: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a share that is none."""
        for name, share in (("max_bad", self.max_bad), ("max_held", self.max_held)):
            if not 0 <= share < 1:
                msg = f"watch needs 0 <= {name} < 1, got {name}={share}"
                raise ConfigError(msg)


@dataclass(frozen=True, slots=True)
class QualityReport:
    """How the channels are, and what is done about it from `sample` on.

    Parameters
    ----------
    segment, sample : int
        From where on, at the rate of the step's input.
    t : float
        When that sample was taken, in seconds on the LSL clock.
    channels : ChannelQuality
        How they were in the second before.
    interpolated : tuple of str
        Channels that others stand in for.
    refused : bool
        Too many are bad: no window is decoded.
    """

    segment: int
    sample: int
    t: float
    channels: ChannelQuality
    interpolated: tuple[str, ...]
    refused: bool


class Watch:
    """Judge the channels every second, and interpolate those that are bad.

    Flat, saturated and disconnected channels are bad, and those that the operator marks;
    for up to `max_bad` of the electrodes spherical splines stand in (Perrin et al. 1989), of
    the MEG sensors the fields that fit the others (`streaming.fieldmap`), or up to `max_held`
    stand still; with more the samples are marked as `Bad.CHANNELS`. A verdict is
    from the second before it. When what stands for a channel changes, the step is taken off
    the rest of the segment, so that it does not ring through the high-pass. Place it before
    `Repair`, so that a channel without numbers can be told from one that stands still.

    Attributes
    ----------
    reports : deque of QualityReport
        Those that nobody took yet, oldest first; of many, the newest.
    """

    settling = delay = 0.0

    def __init__(self, settings: WatchSettings) -> None:
        self.settings = settings
        self.reports: deque[QualityReport] = deque(maxlen=_N_REPORTS)
        self._spec: SignalSpec
        self._judge: QualitySettings
        self._past: PastBlocks
        self._kinds: list[_Kind]  # channels that can stand in for each other
        self._marked: frozenset[str]
        self._channels: ChannelQuality | None
        self._bad: NDArray[np.intp]  # rows that something stands in for
        self._good: NDArray[np.intp]  # rows that they follow from; none if they stand still
        self._weights: NDArray[np.float64]  # (n_bad, n_good)
        self._refused: bool
        self._changed: NDArray[np.bool_]  # rows whose step is to be taken off
        self._offset: NDArray[np.float64]  # (n_channels, 1)
        self._last: NDArray[np.floating] | None  # (n_channels, 1), the output before
        self._idle: bool  # whether samples pass as they are

    def prepare(self, spec: SignalSpec) -> SignalSpec:
        """Begin with good channels."""
        n_channels = len(spec.ch_names)
        self._kinds = _kinds(self.settings, spec.ch_types)
        self._judge = QualitySettings(spec, self.settings.line_freq)
        judge = self._judge
        self._past = PastBlocks(n_channels, judge.n_times, np.inf, judge.stride)
        self._spec, self._marked, self._channels = spec, frozenset(), None
        self._bad = self._good = np.zeros(0, np.intp)
        self._refused = False
        self._changed = np.zeros(n_channels, bool)
        self._segment: int | None = None
        self._next, self._t_anchor, self._idle = 0, 0.0, True
        self.reports.clear()
        return spec

    @property
    def ch_names(self) -> tuple[str, ...]:
        """The channels it watches, once prepared."""
        return self._spec.ch_names

    def mark(self, ch_names: Collection[str], *, bad: bool) -> None:
        """Take channels for bad, or no longer, from the next sample on."""
        names = frozenset(ch_names)
        self._marked = self._marked | names if bad else self._marked - names
        self._decide()
        if self._segment is not None:
            self._report(self._next)

    def __call__(self, chunk: Chunk) -> Chunk:
        """Return `chunk` with what stands for its channels."""
        if chunk.n_times == 0:
            return chunk
        if chunk.segment != self._segment:
            self._segment, self._last = chunk.segment, None
            self._changed[:] = False
            self._offset = np.zeros((len(chunk.data), 1))
            self._idle = not len(self._bad)
        self._t_anchor = chunk.t_anchor
        parts, refused = [], []
        for piece in self._past.pieces(chunk):
            first = chunk.first + piece.at.start
            if piece.past is not None:
                self._channels = channel_quality(piece.past, self._judge)
                self._decide()
                self._report(first)
            parts.append(self._stand_in(chunk.data[:, piece.at], first))
            refused.append(self._refused)
        self._next = chunk.first + chunk.n_times
        data = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
        if not any(refused):
            return chunk.holding(data)
        lengths = [part.shape[1] for part in parts]
        bad = np.repeat(np.array(refused, np.uint8) * np.uint8(Bad.CHANNELS), lengths)
        return replace(
            chunk, data=data, bad=bad if chunk.bad is None else np.maximum(bad, chunk.bad)
        )

    def _stand_in(self, data: NDArray[np.float32], first: int) -> NDArray[np.float32]:
        """Return what stands for samples throughout which the same channels are bad."""
        if self._idle:
            self._last = data[:, -1:].copy()
            return data
        out = data.astype(np.float64)
        if len(self._bad):
            out[self._bad] = apply_map(self._weights, data[self._good], first)
        if self._changed.any() and self._last is not None:
            step = out[:, :1] - self._last
            known = np.where(np.isfinite(step), step, 0.0)
            self._offset = np.where(self._changed[:, None], known, self._offset)
        self._changed[:] = False
        out -= self._offset
        self._last = out[:, -1:].copy()
        return out.astype(np.float32)

    def _decide(self) -> None:
        """Say which channels others stand in for."""
        n_channels = len(self._spec.ch_names)
        bad = [n for n, name in enumerate(self._spec.ch_names) if name in self._marked]
        if self._channels is not None:
            verdicts = enumerate(self._channels.verdicts)
            bad = sorted({*bad, *(n for n, verdict in verdicts if verdict in UNUSABLE)})
        settings = self.settings
        n_placed = [np.isin(bad, kind.rows).sum() for kind in self._kinds]
        interpolate = sum(n_placed) == len(bad) and all(
            n <= int(settings.max_bad * len(kind.rows))
            for n, kind in zip(n_placed, self._kinds, strict=True)
        )
        self._refused = not interpolate and len(bad) > int(settings.max_held * n_channels)
        rows = np.array([] if self._refused else bad, np.intp)
        if np.array_equal(rows, self._bad):
            return
        self._changed[np.setxor1d(rows, self._bad)] = True
        self._bad, self._idle = rows, False
        self._good = self._bad[:0]
        if interpolate and self._kinds:
            placed = np.concatenate([kind.rows for kind in self._kinds])
            self._good = np.setdiff1d(placed, rows)
        self._weights = np.zeros((len(rows), len(self._good)))
        for kind in self._kinds if interpolate else ():
            at = np.flatnonzero(np.isin(kind.rows, rows))
            if len(at):
                here = np.isin(rows, kind.rows), np.isin(self._good, kind.rows)
                self._weights[np.ix_(*here)] = kind.weights(at)

    def _report(self, sample: int) -> None:
        if self._channels is None or self._segment is None:
            return
        judged = zip(self._spec.ch_names, self._channels.verdicts, strict=True)
        verdicts = tuple("marked" if name in self._marked else v for name, v in judged)
        self.reports.append(
            QualityReport(
                segment=self._segment,
                sample=sample,
                t=self._t_anchor + sample / self._spec.sfreq,
                channels=replace(self._channels, verdicts=verdicts),
                interpolated=tuple(self._spec.ch_names[row] for row in self._bad)
                if len(self._good)
                else (),
                refused=self._refused,
            )
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Kind:
    """Channels that can stand in for each other.

    Parameters
    ----------
    rows : array of shape (n_of_kind,)
        Which they are.
    weights : callable
        Takes indices of some of them; returns how these follow from the others.
    """

    rows: NDArray[np.intp]
    weights: Callable[[NDArray[np.intp]], NDArray[np.float64]]


def _kinds(settings: WatchSettings, ch_types: tuple[str, ...]) -> list[_Kind]:
    """Return the kinds of channels whose places are known."""
    kinds = []
    for of, name, values, size, what in (
        ({"eeg"}, "positions", settings.positions, 3, "EEG channels"),
        ({"mag", "grad"}, "coils", settings.coils, N_COIL, "MEG sensors"),
    ):
        rows = np.array([n for n, kind in enumerate(ch_types) if kind in of], np.intp)
        if not values:
            continue
        if len(values) != size * len(rows):
            msg = (
                f"watch needs {size} numbers in {name} for each of {len(rows)} {what}, got "
                f"{len(values)}"
            )
            raise ConfigError(msg)
        if name == "positions":
            weights = partial(interpolation, np.reshape(values, (-1, size)))
        else:
            types = tuple(ch_types[row] for row in rows)
            weights = partial(field_interpolation, field_basis(values, types), types)
        kinds.append(_Kind(rows, weights))
    return kinds
