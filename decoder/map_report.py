"""A map of layers as a page with figures."""

from __future__ import annotations

from html import escape
from pathlib import Path

import matplotlib as mpl
import mne
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from decoder.markup import add_figure, block, new_report, save
from models.layer_map import LayerMap

__all__ = [
    "plot_course",
    "plot_decoding",
    "plot_peaks",
    "plot_topographies",
    "write_map_report",
]

_MAX_ROWS = 13


def write_map_report(
    found: LayerMap, space: str, positions: NDArray[np.float64], picks: str, path: Path
) -> None:
    """Write a map as one HTML file that needs no other.

    Parameters
    ----------
    found : LayerMap
        The scores.
    space : str
        The network.
    positions : array of shape (n_channels, 3)
        Of the sensors; empty where unknown, and then no topographies are drawn.
    picks : str
        ``"eeg"`` or ``"meg"``: topographies are of EEG.
    path : Path
        The file; replaced if it is there.
    """
    report = new_report(f"Layers of {space}")
    report.add_html(block(_summary(found, space)), "Summary", tags=("scores",))
    n = found.n_stimuli
    figures = {
        "Encoding: layers by latency": (
            plot_course(found),
            f"Responses to {n} stimuli, predicted from each layer: squared correlation, where "
            "it is above chance (false discovery rate 5 %), else 0; the mean over sensors.",
        ),
        "Decoding: layers by latency": (
            plot_decoding(found),
            "Each layer, predicted from all sensors at a time: how often the guess is more "
            f"like its own stimulus than another of {n}. Dots: above chance (false discovery "
            "rate 5 %).",
        ),
        "Peak latency of each layer": (
            plot_peaks(found),
            "When a layer explains most variance. In vision, first layers are early and deep "
            "ones late.",
        ),
    }
    if picks == "eeg" and len(positions) >= 4:
        figures["Topographies"] = (
            plot_topographies(found, positions),
            "Correlation of predicted and measured responses at the peak of each layer.",
        )
    for title, (figure, caption) in figures.items():
        add_figure(report, title, figure, caption)
    save(report, path)


def plot_course(found: LayerMap) -> Figure:
    """Draw how much of the sensors' variance each layer explains, over time."""
    figure = _flat(found)
    (axes,) = figure.axes
    image = axes.pcolormesh(
        1000 * found.times, range(len(found.layers)), found.course, cmap="viridis"
    )
    figure.colorbar(image, ax=axes, label="variance explained,\nmean over sensors")
    return figure


def plot_decoding(found: LayerMap) -> Figure:
    """Draw how well each layer is decoded, over time; dots where it is significant."""
    figure = _flat(found)
    (axes,) = figure.axes
    reach = max(float(np.abs(found.decoding - 0.5).max()), 0.01)
    image = axes.pcolormesh(
        1000 * found.times,
        range(len(found.layers)),
        found.decoding,
        cmap="RdBu_r",
        vmin=0.5 - reach,
        vmax=0.5 + reach,
    )
    rows, columns = np.nonzero(found.decoding_q < 0.05)
    axes.plot(1000 * found.times[columns], rows, "k.", ms=3)
    figure.colorbar(image, ax=axes, label="two-way accuracy\n(chance 0.5)")
    return figure


def plot_peaks(found: LayerMap) -> Figure:
    """Draw when each layer is most like the brain."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    known = [(n, 1000 * t) for n, t in enumerate(found.peaks) if t is not None]
    if known:
        axes.plot(*zip(*known, strict=True), "o-", color="#1f5fa8")
    axes.set_xticks(range(len(found.layers)), found.layers)
    axes.set_xlim(-0.5, len(found.layers) - 0.5)
    axes.set_ylim(min(0.0, 1000 * float(found.times[0])), 1000 * float(found.times[-1]))
    axes.set_xlabel("layer")
    axes.set_ylabel("latency of the best encoding [ms],\nthe chain's delay taken off")
    return figure


def plot_topographies(found: LayerMap, positions: NDArray[np.float64]) -> Figure:
    """Draw the encoding of each layer at its peak, over the scalp; the first 13 layers."""
    info = mne.create_info(list(found.ch_names), 100.0, "eeg")
    places = dict(zip(found.ch_names, positions, strict=True))
    info.set_montage(mne.channels.make_dig_montage(places, coord_frame="head"))
    shown = list(range(len(found.layers)))[:_MAX_ROWS]
    figure = Figure(figsize=(2 * len(shown), 2.6), layout="constrained")
    grid = np.atleast_1d(figure.subplots(1, len(shown)))
    best = float(np.abs(found.encoding[shown]).max()) or 1.0
    for axes, n in zip(grid, shown, strict=True):
        at = int(found.course[n].argmax())
        mne.viz.plot_topomap(
            found.encoding[n, at], info, axes=axes, show=False, vlim=(-best, best), contours=0
        )
        peak = found.peaks[n]
        when = f"{1000 * peak:.0f} ms" if peak is not None else "not found"
        axes.set_title(f"layer {found.layers[n]}\n{when}", fontsize="small")
    colours = mpl.cm.ScalarMappable(mpl.colors.Normalize(-best, best), "RdBu_r")
    figure.colorbar(colours, ax=list(grid), shrink=0.7, label="correlation")
    return figure


def _flat(found: LayerMap) -> Figure:
    """Return a figure with a row for each layer, and time from left to right."""
    figure = Figure(figsize=(8, 0.35 * len(found.layers) + 1.8), layout="constrained")
    axes = figure.subplots()
    axes.set_yticks(range(len(found.layers)), found.layers)
    axes.set_ylabel("layer")
    axes.set_xlabel("time after the stimulus [ms], the chain's delay taken off")
    return figure


def _share_of_ceiling(found: LayerMap) -> float:
    """Return the best encoding in multiples of the ceiling of its sensor and time."""
    return float(found.normalised.flat[found.encoding.argmax()])


def _summary(found: LayerMap, space: str) -> str:
    """Return what was compared, and what came out."""
    order = found.order
    says = (
        "Too few layers encode the brain at latencies that differ to tell an order."
        if order is None
        else f"Rank correlation of layer and peak latency: {order[0]:.2f} (p = {order[1]:.3g})."
    )
    ceiling = (
        "Stimuli do not recur, so that there is no noise ceiling."
        if found.ceiling is None
        else f"Noise ceiling of the best sensor and time: {found.ceiling.max():.2f}; where "
        f"encoding is best, it is {_share_of_ceiling(found):.2f} of what its ceiling allows."
    )
    significant = int((found.encoding_q < 0.05).sum())
    return (
        f"<p>{escape(space)}, {len(found.layers)} layers; {found.n_stimuli} stimuli in "
        f"{found.n_trials} trials; {len(found.ch_names)} sensors. Ridge regression in "
        f"{found.n_folds} folds; no concept that is scored was trained on. "
        f"{significant} of {found.encoding_q.size} encoding scores are above chance at a false "
        f"discovery rate of 5 %; the best is {found.encoding.max():.2f}. {ceiling} {says}</p>"
    )
