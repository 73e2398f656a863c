"""A pattern on the scalp, at a few times, for each kind of sensor."""

from __future__ import annotations

from typing import NamedTuple

import matplotlib as mpl
import mne
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from decoder.patterns import Pattern

__all__ = ["plot_maps"]

_N_MAPS = 6
_MIN_PLACES = 3

_NAMES = {"eeg": "electrodes", "mag": "magnetometers", "grad": "planar gradiometers"}


class _Map(NamedTuple):
    """What is drawn: values (n_places, n_times) at places (n_places, 3), in m."""

    values: NDArray[np.float64]
    places: NDArray[np.float64]
    signed: bool


def plot_maps(pattern: Pattern) -> dict[str, Figure]:
    """Draw the pattern on the scalp, by the name of the kind of sensor.

    Two planar gradiometers at one place are drawn as the size of the gradient.

    Parameters
    ----------
    pattern : Pattern
        Nothing is drawn of sensors whose places are unknown, or of fewer than three places.
    """
    found = {}
    for kind, name in _NAMES.items():
        drawn = _map_of(pattern, kind)
        if drawn is not None and len(drawn.places) >= _MIN_PLACES:
            found[name] = _figure(drawn, kind, pattern.times)
    return found


def _map_of(pattern: Pattern, kind: str) -> _Map | None:
    """Return what is drawn of a kind of sensor, if there is any whose places are known."""
    rows = [n for n, found in enumerate(pattern.ch_types) if found == kind]
    if not rows or not pattern.positions:
        return None
    values, places = np.array(pattern.values)[rows], np.array(pattern.positions)[rows]
    if kind != "grad":
        return _Map(values, places, signed=True)
    # Those at one place differ by less than a millimetre
    _, first, member = np.unique(
        places.round(3), axis=0, return_index=True, return_inverse=True
    )
    squares = np.zeros((len(first), values.shape[1]))
    np.add.at(squares, member.reshape(-1), values**2)
    return _Map(np.sqrt(squares), places[first], signed=False)


def _figure(drawn: _Map, kind: str, times: tuple[float, ...]) -> Figure:
    """Draw maps of the means over equal parts of the time."""
    info, t = _info(drawn.places, kind), 1000 * np.array(times)
    limit = float(abs(drawn.values).max()) or 1.0
    low, colours = (-limit, "RdBu_r") if drawn.signed else (0.0, "Reds")
    n_maps = min(_N_MAPS, len(t))
    edges = np.linspace(0, len(t), n_maps + 1).astype(int)
    fig = Figure(figsize=(9.5, 2.2), layout="constrained")
    grid = fig.subplots(1, n_maps, squeeze=False)[0]
    for axes, start, stop in zip(grid, edges[:-1], edges[1:], strict=True):
        mne.viz.plot_topomap(
            drawn.values[:, start:stop].mean(axis=1),
            info,
            axes=axes,
            show=False,
            vlim=(low, limit),
            cmap=colours,
            contours=0,
        )
        axes.set_title(f"{t[start]:.0f} to {t[stop - 1]:.0f} ms", fontsize="small")
    scale = mpl.cm.ScalarMappable(mpl.colors.Normalize(low, limit), colours)
    fig.colorbar(scale, ax=grid, shrink=0.7, label="pattern\n[spread of the signal]")
    return fig


def _info(places: NDArray[np.float64], kind: str) -> mne.Info:
    """Return sensors at places, for a map; one at each, so that MNE pairs none."""
    names = [str(n) for n in range(len(places))]
    info = mne.create_info(names, 1.0, "eeg" if kind == "eeg" else "mag")
    if kind == "eeg":
        positions = dict(zip(names, places, strict=True))
        montage = mne.channels.make_dig_montage(positions, coord_frame="head")
        info.set_montage(montage, verbose="ERROR")
        return info
    for channel, place in zip(info["chs"], places, strict=True):
        channel["loc"][:3] = place
    return info
