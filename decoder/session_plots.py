"""The figures of a session's report, but for its timeline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from decoder.account import Coverage, Latencies, Score
from decoder.plots import BAND, BLUE, GREY, RED, empty_axes
from decoder.score import wilson

__all__ = ["FEW", "plot_answers", "plot_coverage", "plot_latencies", "plot_shares"]

FEW = 12
"""Candidates of which it is drawn what was taken for what."""

_N_DRAWN = 500
"""Points that curves are drawn with: more are not seen."""


def plot_answers(scores: Sequence[Score]) -> Figure:
    """Draw where the truth came out, or what was taken for what if there is little to choose.

    Parameters
    ----------
    scores : sequence of Score
        Of the same protocol, number of candidates, and names of these.
    """
    pool = scores[0].pool
    answers = sum((Counter(score.answers) for score in scores), Counter[tuple[str, str]]())
    if pool <= FEW:
        return _confusions(answers)
    rank = np.concatenate([score.rank for score in scores])
    fig, axes = empty_axes()
    edges = np.unique(np.linspace(1, pool + 1, min(pool, 40) + 1).round())
    axes.hist(rank, edges.tolist(), color=BLUE, rwidth=0.9)
    expected = len(rank) * np.diff(edges) / pool
    axes.stairs(expected, edges, color="black", ls="--", lw=1, label="by chance")
    axes.axvline(float(np.median(rank)), color=RED, lw=1.5, label="median")
    axes.set_xlim(1, pool + 1)
    axes.set_xlabel(f"place of the truth among {pool} candidates")
    axes.set_ylabel("decodes")
    axes.legend(frameon=False)
    return fig


def _confusions(answers: Counter[tuple[str, str]]) -> Figure:
    names = sorted({name for pair in answers for name in pair})
    counts = np.array([[answers[truth, said] for said in names] for truth in names])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = 0.55 * len(names) + 1.8
    fig, axes = empty_axes(width=size + 1.2, height=size)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        colour = "white" if share > 0.55 else "black"
        text = str(counts[row, column])
        axes.text(column, row, text, ha="center", va="center", color=colour)
    # What is shown may be called "$x_$", which is no formula.
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", parse_math=False)
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.set_xlabel("decoded")
    axes.set_ylabel("shown")
    return fig


def plot_shares(
    counts: Mapping[float, tuple[int, int]] | Mapping[int, tuple[int, int]],
    chance: float,
    label: str,
) -> Figure:
    """Draw how often the truth came first, of how many, by something that `label` names."""
    fig, axes = empty_axes()
    x = list(counts)
    share = [hits / n for hits, n in counts.values()]
    bounds = np.array([wilson(hits, n) for hits, n in counts.values()])
    axes.fill_between(x, bounds[:, 0], bounds[:, 1], color=BAND, lw=0)
    axes.plot(x, share, "o-", color=BLUE, lw=2)
    axes.axhline(chance, color="black", lw=1, ls="--")
    axes.set_xlabel(f"{label}; dashed: chance")
    axes.set_ylabel("top-1")
    return fig


def plot_coverage(coverage: Sequence[Coverage]) -> Figure:
    """Draw how often sets held the truth so far, beside what they promised."""
    fig, axes = empty_axes()
    for said, colour in zip(coverage, [BLUE, RED, GREY] * len(coverage), strict=False):
        label = f"{said.protocol.replace('_', ' ')}, risk {said.risk:g}"
        draw_share(axes, said.t / 60, said.held, colour, label)
        axes.axhline(1 - said.risk, color=colour, lw=1, ls="--")
    axes.set_ylim(None, 1.02)
    axes.set_xlabel("time since the session began [min]; dashed: promised")
    axes.set_ylabel("sets with the truth")
    axes.legend(frameon=False)
    return fig


def plot_latencies(latencies: Latencies) -> Figure:
    """Draw how long each stage took."""
    known = {name: v[~np.isnan(v)] for name, v in latencies.stages.items()}
    known = {name: values for name, values in known.items() if len(values)}
    fig, axes = empty_axes(height=0.75 * len(known) + 1.0)
    axes.remove()
    rows = fig.subplots(len(known), 1, sharex=True, squeeze=False)[:, 0]
    low = min(max(float(v.min()), 1e-2) for v in known.values())
    high = max(float(v.max()) for v in known.values())
    edges = np.geomspace(low, max(high, 1.1 * low), 80)
    for row, (name, values) in zip(rows, known.items(), strict=True):
        row.hist(
            np.maximum(values, low), edges.tolist(), color=BLUE if name == "total" else GREY
        )
        row.axvline(float(np.median(values)), color=RED, lw=1.5)
        row.set_xscale("log")
        row.set_yticks([])
        row.set_ylabel(name, rotation=0, ha="right", va="center")
        row.spines[["top", "right", "left"]].set_visible(False)
    ticks = [x for x in (0.01, 0.1, 1, 10, 100, 1000, 10_000) if low <= x <= high]
    rows[-1].set_xticks(ticks, [f"{x:g}" for x in ticks])
    rows[-1].set_xlabel("milliseconds; red: the median")
    return fig


def draw_share(
    axes: Axes, x: np.ndarray, happened: np.ndarray, colour: str, label: str, n_curves: int = 1
) -> None:
    """Draw how often something happened so far, with its interval (Wilson, 95 %).

    Parameters
    ----------
    axes : Axes
        Where; `n_curves` are drawn there.
    x : array of shape (n,)
        When it could have.
    happened : array of shape (n,)
        Whether it did.
    colour, label : str
        How, and what it is called.
    n_curves : int
        How many curves share the axes.
    """
    n = np.arange(1, len(happened) + 1)
    hits = np.cumsum(happened)
    drawn = np.unique(
        np.linspace(0, len(n) - 1, max(_N_DRAWN // n_curves, 10)).round().astype(int)
    )
    bounds = np.array([wilson(int(hits[k]), int(n[k])) for k in drawn])
    axes.fill_between(x[drawn], bounds[:, 0], bounds[:, 1], color=colour, alpha=0.18, lw=0)
    axes.plot(x[drawn], hits[drawn] / n[drawn], color=colour, lw=2, label=label)
