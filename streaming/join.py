"""Several signals as one: the channels of all, at the instants of the first.

Two amplifiers have two clocks, so their samples are not taken at the same instants, and one
takes a few more than the other in an hour. The samples of the first stream stay as they are;
those of the others are interpolated at its instants, by the cubic through the four samples
around (Lagrange), and triggers are taken from the nearest. That passes a sine at a tenth of the
rate to 0.4 %, and at a fifth to 5 %, at worst (half way between two samples). It costs no delay
in time, as each value is for its instant, but waiting: a sample is given out when two more have
come of each other stream.

Here is the arithmetic; `streaming.joiner` does it as samples come.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streaming.errors import SourceError
from streaming.signal import SignalSpec

__all__ = ["Join", "interpolate", "join_data", "join_specs"]

_SAME_RATE = 1e-3
"""How far nominal rates may be apart, relatively: clocks are, rates that are set are not."""


def join_specs(names: Sequence[str], specs: Sequence[SignalSpec]) -> SignalSpec:
    """Return what several signals are together, at the rate of the first.

    Parameters
    ----------
    names : sequence of str
        What the signals are called, for errors.
    specs : sequence of SignalSpec
        One for each.

    Raises
    ------
    SourceError
        If their rates differ by more than 0.1 %, or they share names of channels.
    """
    first = specs[0]
    seen: dict[str, str] = {}
    for name, spec in zip(names, specs, strict=True):
        if abs(spec.sfreq / first.sfreq - 1) > _SAME_RATE:
            msg = (
                f"{names[0]} has {first.sfreq:g} Hz and {name} {spec.sfreq:g} Hz: signals are "
                f"joined sample by sample, so set both amplifiers to the same rate"
            )
            raise SourceError(msg)
        both = [ch for ch in spec.ch_names if ch in seen]
        if both:
            shown = ", ".join(both[:4]) + (", ..." if len(both) > 4 else "")
            msg = (
                f"{seen[both[0]]} and {name} both have channels {shown}: give them different "
                f"labels in the program that sends one of them"
            )
            raise SourceError(msg)
        seen |= dict.fromkeys(spec.ch_names, name)
    positions: tuple[float, ...] = ()
    if any(spec.positions for spec in specs):
        unknown = [(0.0,) * 3 * len(spec.ch_names) for spec in specs]
        positions = sum((s.positions or u for s, u in zip(specs, unknown, strict=True)), ())
    return SignalSpec(
        first.sfreq,
        sum((spec.ch_names for spec in specs), ()),
        sum((spec.ch_types for spec in specs), ()),
        positions,
    )


def interpolate(
    data: NDArray[np.float32], base: int, positions: NDArray[np.float64], steps: Sequence[bool]
) -> NDArray[np.float32]:
    """Return what a signal is between its samples.

    Each value depends on nothing but its position and the four samples around, so that it is
    the same bit for bit however the signal was cut.

    Parameters
    ----------
    data : array of shape (n_channels, n_rows)
        Samples; with at least one before and two after each position.
    base : int
        Row of the first.
    positions : array of shape (n_times,)
        Where, in rows.
    steps : sequence of bool
        For each channel, whether it is of steps (triggers): the nearest sample is taken.

    Returns
    -------
    array of shape (n_channels, n_times)
    """
    out = np.empty((len(data), len(positions)), np.float32)
    if not len(positions):
        return out
    whole = np.floor(positions)
    u = positions - whole
    at = whole.astype(np.intp) - base
    start = int(at.min()) - 1
    data, at = data[:, start : int(at.max()) + 3], at - start  # of hours, what is needed
    stepped = np.asarray(steps, bool)
    out[stepped] = data[stepped][:, at + (u >= 0.5)]
    if not stepped.all():
        x = data[~stepped].astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):  # samples may be infinite
            # Lagrange's polynomials at -1, 0, 1 and 2
            y = x[:, at - 1] * (-u * (u - 1) * (u - 2) / 6)
            y += x[:, at] * ((u + 1) * (u - 1) * (u - 2) / 2)
            y += x[:, at + 1] * (-(u + 1) * u * (u - 2) / 2)
            y += x[:, at + 2] * ((u + 1) * u * (u - 1) / 6)
            out[~stepped] = y
    return out


@dataclass(frozen=True, slots=True)
class Join:
    """How samples were joined: enough to do it again.

    Parameters
    ----------
    row : int
        Of the first signal, where they begin.
    n_times : int
        How many.
    positions : tuple of float
        For each other signal, where in its rows the first of them lies.
    """

    row: int
    n_times: int
    positions: tuple[float, ...]


def join_data(
    join: Join,
    data: Sequence[NDArray[np.float32]],
    bases: Sequence[int],
    specs: Sequence[SignalSpec],
) -> NDArray[np.float32]:
    """Return samples of several signals as those of one.

    Parameters
    ----------
    join : Join
        Which.
    data : sequence of array of shape (n_channels, n_rows)
        The samples of each signal.
    bases : sequence of int
        The row of the first sample of each array.
    specs : sequence of SignalSpec
        What each signal is.

    Returns
    -------
    array of shape (n_channels_of_all, join.n_times)
    """
    start = join.row - bases[0]
    parts = [data[0][:, start : start + join.n_times]]
    for x, base, spec, position in zip(
        data[1:], bases[1:], specs[1:], join.positions, strict=True
    ):
        at = position + np.arange(join.n_times) * (spec.sfreq / specs[0].sfreq)
        steps = [not unit for unit in spec.units]
        parts.append(interpolate(x, base, at.astype(np.float64), steps))
    return np.concatenate(parts)
