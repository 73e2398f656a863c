"""The figures of a report."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from decoder.assessment import Assessment
from decoder.patterns import Pattern
from decoder.resampling import Score

__all__ = [
    "BAND",
    "BLUE",
    "GREY",
    "RED",
    "empty_axes",
    "plot_averaging",
    "plot_calibration",
    "plot_channels",
    "plot_controls",
    "plot_learning",
    "plot_time_course",
]

BLUE, GREY, RED, BAND = "#1f5fa8", "#6b7280", "#b42318", "#c9daef"


def empty_axes(width: float = 7.2, height: float = 3.2) -> tuple[Figure, Axes]:
    """Return an empty figure without a box around it."""
    fig = Figure(figsize=(width, height), layout="constrained")
    axes = fig.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return fig, axes


def statistic_of(assessment: Assessment) -> str:
    """Return what the main statistic is called."""
    return "AUC" if assessment.scores.statistic == "auc" else "two-way accuracy"


def _with_pool(assessment: Assessment) -> str:
    """Return the statistic with how many there were to choose from, in two lines."""
    return f"{statistic_of(assessment)},\n{assessment.scores.pool} to choose from"


def plot_controls(assessment: Assessment) -> Figure:
    """Draw the score beside what must be at chance."""
    rows = [("the brain", assessment.scores.main, BLUE)]
    rows += [(c.name, c.main, GREY if c.at_chance else RED) for c in assessment.controls]
    fig, axes = empty_axes(height=0.42 * len(rows) + 1.1)
    for n, (_, score, colour) in enumerate(rows):
        axes.plot([score.low, score.high], [n, n], color=colour, lw=3, solid_capstyle="round")
        axes.plot(score.value, n, "o", color=colour, ms=8)
        axes.plot([score.chance] * 2, [n - 0.5, n + 0.5], color="black", lw=1, ls="--")
        axes.annotate(
            f"{score.value:.3f}",
            (score.high, n),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            color=colour,
        )
    axes.set_yticks(range(len(rows)), [name for name, _, _ in rows])
    axes.set_ylim(len(rows) - 0.5, -0.6)
    axes.margins(x=0.15)
    what = _with_pool(assessment).replace("\n", " ")
    axes.set_xlabel(f"{what}; lines: 95 % interval; dashed: chance")
    return fig


def plot_averaging(assessment: Assessment) -> Figure:
    """Draw scores by how many repeats are averaged."""
    points = assessment.averaging
    fig, axes = empty_axes()
    x = np.array([point.n_averaged for point in points])
    axes.set_xscale("log")
    _curve(axes, x, [p.main for p in points], _with_pool(assessment))
    _legend(axes)
    axes.set_xticks(x, [str(n) for n in x])
    axes.minorticks_off()
    same = "in the same run" if all(point.within_run for point in points) else "of several runs"
    axes.set_xlabel(f"trials averaged (of the same thing, {same})")
    return fig


def plot_learning(assessment: Assessment) -> Figure:
    """Draw scores by minutes of calibration, with an older model to begin with and without."""
    points = assessment.learning
    fig, axes = empty_axes()
    x = np.array([point.minutes for point in points])
    _curve(axes, x, [p.main for p in points], _with_pool(assessment))
    if assessment.anew:
        axes.lines[0].set_label("begun with the older model")
        scores = [point.main for point in assessment.anew]
        value = np.array([score.value for score in scores])
        error = [value - [s.low for s in scores], [s.high for s in scores] - value]
        minutes = [point.minutes for point in assessment.anew]
        axes.errorbar(
            minutes, value, error, color=GREY, marker="s", lw=1.5, capsize=3, label="anew"
        )
    _legend(axes)
    axes.set_xlim(0, None)
    axes.set_xlabel("calibration [min]")
    return fig


def plot_time_course(assessment: Assessment, level: float = 0.05) -> Figure:
    """Draw scores of 40 ms each; dots where they are above chance after FDR."""
    points = assessment.time_course
    fig, axes = empty_axes(height=3.4)
    t = 1000 * np.array([point.t for point in points])
    steps = np.diff(t)
    # Windows that begin later leave times of which nothing is known
    for part in np.split(np.arange(len(t)), 1 + np.flatnonzero(steps > 1.5 * steps.min())):
        scores = [points[n].main for n in part]
        _curve(axes, t[part], scores, _with_pool(assessment), marker="")
    found = [n for n, p in enumerate(points) if p.q_value is not None and p.q_value < level]
    if found:
        values = [points[n].main.value for n in found]
        axes.plot(t[found], values, "o", color=RED, ms=6, label=f"q < {level:g}")
    axes.axvline(0, color="black", lw=1)
    _legend(axes)
    axes.set_xlabel(
        "time after the stimulus, less the chain's delay of "
        f"{1000 * assessment.setup.delay:.0f} ms [ms]"
    )
    return fig


def plot_calibration(assessment: Assessment) -> Figure:
    """Draw how often the best guess was right by the probability it was given."""
    bins = assessment.calibration.bins
    fig, axes = empty_axes(width=4.2, height=4.0)
    right = np.array([b.right for b in bins])
    error = np.sqrt(right * (1 - right) / np.array([b.n for b in bins]))
    confidence = [b.confidence for b in bins]
    edge = min(1.0, 1.1 * max(*confidence, *(right + error)))
    axes.plot([0, edge], [0, edge], color="black", lw=1, ls="--", label="as it should be")
    axes.set(xlim=(0, 1.02 * edge), ylim=(0, 1.02 * edge))
    axes.errorbar(confidence, right, error, fmt="o", color=BLUE, ecolor=BAND, elinewidth=3)
    _legend(axes)
    pool = assessment.scores.pool
    axes.set_xlabel(f"probability of the best guess, {pool} to choose from")
    axes.set_ylabel("share that was right")
    return fig


def plot_channels(pattern: Pattern) -> Figure:
    """Draw the pattern of each channel over time."""
    fig, axes = empty_axes(height=3.4)
    t, values = 1000 * np.array(pattern.times), np.array(pattern.values)
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.85, len(values)))
    for name, row, colour in zip(pattern.ch_names, values, colours, strict=True):
        axes.plot(t, row, color=colour, lw=1.5 if len(values) <= 16 else 0.7, label=name)
    axes.axhline(0, color="black", lw=0.8)
    if len(values) <= 8:
        axes.legend(frameon=False, ncols=4, fontsize="small")
    axes.set_xlabel("time after the stimulus, less the chain's delay [ms]")
    axes.set_ylabel("pattern [spread of the signal]")
    return fig


def _curve(
    axes: Axes,
    x: np.ndarray[tuple[int], np.dtype[np.float64]],
    scores: Sequence[Score],
    label: str,
    marker: str = "o",
) -> None:
    """Draw scores with their intervals and chance."""
    value = [score.value for score in scores]
    low, high = [score.low for score in scores], [score.high for score in scores]
    axes.fill_between(x, low, high, color=BAND, lw=0, label="95 % interval")
    axes.plot(x, value, color=BLUE, marker=marker, lw=2)
    chance = [score.chance for score in scores]
    axes.plot(x, chance, color="black", lw=1, ls="--", label="chance")
    axes.set_ylabel(label)


def _legend(axes: Axes) -> None:
    """Say what lines and shades are, each once, above the figure."""
    handles, labels = axes.get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    axes.legend(
        once.values(),
        once.keys(),
        loc="lower right",
        bbox_to_anchor=(1, 1),
        ncols=len(once),
        frameon=False,
        fontsize="small",
    )
