"""A session on one axis of time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from decoder.account import VERDICTS, Account, Channels
from decoder.plots import BLUE, GREY, RED
from decoder.session_plots import draw_share

__all__ = ["N_MARKED", "plot_timeline"]

N_MARKED = 40
"""Happenings that get a number on the axis."""

_N_BINS = (20, 150)
"""Stretches of time within which is counted: at least, and at most."""

_N_LOOKS = 300
"""Stretches of time of which channels are drawn."""

_PURPLE, _GREEN, _AMBER = "#7a3e9d", "#3b8f5a", "#d97706"

_PROTOCOLS = {"closed_set": BLUE, "zero_shot": _PURPLE}

_VERDICT_COLOURS = ("#dcefe3", "#f6d68a", "#f0a35e", "#b9a5d8", "#e0755f", "#c43d4b", "#7d1128")

_STATES = {
    "decoding": "#dcefe3", "paused": "#f6d68a", "stopped": "#e0755f",
    "live": "#dcefe3", "good": "#dcefe3", "off": "#ffffff", "on": "#b9a5d8",
}  # fmt: skip

_Draw = Callable[[Axes], None]


def plot_timeline(account: Account) -> Figure:
    """Draw all that has a time: what it did, decodes, accuracy, evidence, latency, signal."""
    rows = list(_rows(account))
    heights = [height for _, height, _ in rows]
    fig = Figure(figsize=(10, sum(heights) + 0.6), layout="constrained")
    grid = fig.subplots(
        len(rows), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights}
    )
    for axes, (name, _, draw) in zip(grid[:, 0], rows, strict=True):
        axes.spines[["top", "right"]].set_visible(False)
        draw(axes)
        axes.set_ylabel(name)
        for t, _ in account.recordings:
            axes.axvline(t / 60, color=GREY, lw=1, ls=":")
    grid[-1, 0].set_xlim(0, max(account.duration, 1) / 60)
    grid[-1, 0].set_xlabel("time since the session began [min]")
    fig.align_ylabels(list(grid[:, 0]))
    return fig


def _rows(account: Account) -> Iterator[tuple[str, float, _Draw]]:
    """Yield name, height in inches, and what draws each row that has something to show."""
    end = max(account.duration, 1)
    n_bins = int(np.clip(len(account.windows.t) / 5, *_N_BINS))
    edges = np.linspace(0, end, n_bins + 1)
    yield "", 0.28 * len(_lanes(account)) + 0.6, partial(_draw_states, account)
    if len(account.windows.t):
        yield "windows", 1.5, partial(_draw_windows, account, edges)
    if account.scores:
        yield "top-1 so far", 1.9, partial(_draw_scores, account)
    if any(len(one.t) for one in account.evidence):
        yield "evidence\nlog10 e", 1.6, partial(_draw_evidence, account)
    if "total" in account.latencies.stages:
        yield "latency [ms]", 1.4, partial(_draw_latency, account, edges)
    if any(loss.duration for loss in account.losses):
        yield "lost [s]", 0.9, partial(_draw_losses, account)
    if account.channels is not None:
        n = len(account.channels.ch_names)
        height = float(np.clip(0.14 * n, 0.7, 4.5))
        yield "channels", height + 0.45, partial(_draw_channels, account.channels, end)


def _lanes(account: Account) -> dict[str, list[tuple[float, str]]]:
    """Return what changed between states, and when: always the session, others if they did."""
    lanes: dict[str, list[tuple[float, str]]] = {"session": [(0.0, "decoding")]}
    begun = {"source": "live", "blind": "off", "drift": "good"}
    for one in account.happened:
        if one.what in begun:
            lanes.setdefault(one.what, [(0.0, begun[one.what])])
        if one.what in lanes:
            lanes[one.what].append((one.t, one.state))
    return lanes


def _draw_states(account: Account, axes: Axes) -> None:
    lanes = _lanes(account)
    for row, (_, changes) in enumerate(lanes.items()):
        ends = [t for t, _ in changes[1:]] + [account.duration]
        for (t, state), end in zip(changes, ends, strict=True):
            colour = _STATES.get(state, "#e0755f")
            axes.barh(row, (end - t) / 60, left=t / 60, height=0.8, color=colour, lw=0)
            if end - t > 0.05 * account.duration:
                axes.text(
                    t / 60, row, f" {state}", va="center", fontsize="x-small", clip_on=True
                )
    top = -0.75
    for number, one in enumerate(account.happened[:N_MARKED], 1):
        height = top - 0.5 * (number % 2)  # neighbours may be close
        axes.text(one.t / 60, height, str(number), ha="center", va="center", fontsize="x-small")
        axes.plot([one.t / 60] * 2, [top + 0.25, len(lanes) - 0.6], color=GREY, lw=0.6)
    axes.set_yticks(range(len(lanes)), list(lanes))
    axes.set_ylim(len(lanes) - 0.5, -1.6)
    axes.tick_params(left=False)


def _draw_windows(account: Account, edges: NDArray[np.float64], axes: Axes) -> None:
    windows = account.windows
    order = sorted(
        range(len(windows.outcomes)), key=lambda n: (n > 0, -windows.count(windows.outcomes[n]))
    )
    others = mpl.colormaps["YlOrRd"](np.linspace(0.35, 0.95, max(len(order) - 1, 1)))
    under = np.zeros(len(edges) - 1)
    for place, n in enumerate(order):
        counts = np.histogram(windows.t[windows.outcome == n], edges)[0]
        if counts.any():
            colour = _GREEN if n == 0 else others[place - 1]
            axes.stairs(
                under + counts,
                edges / 60,
                baseline=under,
                fill=True,
                color=colour,
                label=windows.outcomes[n],
            )
        under = under + counts
    seconds = edges[1] - edges[0]
    axes.set_title(f"in each {seconds:.3g} s", loc="left", fontsize="x-small", color=GREY)
    _legend(axes)


def _draw_scores(account: Account, axes: Axes) -> None:
    seen = set[str]()
    highest = 0.0
    for score in account.scores:
        colour = _PROTOCOLS[score.protocol]
        label = "_" if score.protocol in seen else score.protocol.replace("_", " ")
        seen.add(score.protocol)
        n_curves = len(account.scores)
        draw_share(axes, score.t / 60, score.rank == 1, colour, label, n_curves)
        axes.plot(score.t[[0, -1]] / 60, [1 / score.pool] * 2, color="black", lw=1, ls="--")
        n = len(score.rank)
        highest = max(highest, *(np.cumsum(score.rank == 1)[9:] / np.arange(10, n + 1)), 0.0)
    if account.scores and highest:
        axes.set_ylim(0, min(1.0, 1.5 * highest + 0.05))
    else:
        axes.set_ylim(0, 1)
    _legend(axes)


def _draw_evidence(account: Account, axes: Axes) -> None:
    bets = [one for one in account.evidence if len(one.t)]  # why there was none has no curve
    for one in bets:
        label = one.protocol.replace("_", " ")
        axes.plot(one.t / 60, one.log10_e, color=_PROTOCOLS[one.protocol], lw=2, label=label)
    top = max(float(one.log10_e.max()) for one in bets)
    for alpha in (0.05, 0.01, 0.001):
        if -np.log10(alpha) < max(1.5 * top, 2.1):
            axes.axhline(-np.log10(alpha), color=RED, lw=0.8, ls="--")
            axes.annotate(
                f"1/{alpha:g}",
                (1, -np.log10(alpha)),
                xycoords=("axes fraction", "data"),
                xytext=(2, 0),
                textcoords="offset points",
                va="center",
                fontsize="x-small",
                color=RED,
            )
    axes.axhline(0, color="black", lw=0.8)
    _legend(axes)


def _draw_latency(account: Account, edges: NDArray[np.float64], axes: Axes) -> None:
    t, total = account.latencies.t, account.latencies.stages["total"]
    which = np.digitize(t, edges[1:-1])
    middle = (edges[1:] + edges[:-1]) / 120
    found = np.full((3, len(middle)), np.nan)
    for n in np.unique(which):
        values = total[which == n]
        if not np.isnan(values).all():
            found[:, n] = np.nanpercentile(values, [50, 95, 99])
    looks = {"p50": BLUE, "p95": _AMBER, "p99": RED}
    for values, (name, colour) in zip(found, looks.items(), strict=True):
        axes.plot(middle, values, ".-", color=colour, lw=1, ms=3, label=name)
    axes.set_yscale("log")
    _legend(axes)


def _draw_losses(account: Account, axes: Axes) -> None:
    for loss in account.losses:
        start = max(loss.t - loss.duration, 0.0)
        width = max(loss.duration, account.duration / 500)
        axes.bar(start / 60, loss.duration, width / 60, align="edge", color=RED, lw=0, bottom=0)
    axes.set_ylim(0, None)


def _draw_channels(channels: Channels, end: float, axes: Axes) -> None:
    """Draw the worst that was said of each channel in each stretch of time."""
    edges = np.linspace(0, end, int(np.clip(end / 2, 1, _N_LOOKS)) + 1)
    which = np.digitize(channels.t, edges[1:-1])
    worst = np.full((len(channels.ch_names), len(edges) - 1), -1, np.int8)
    stood_in = np.zeros(worst.shape, bool)
    for n in np.unique(which):
        worst[:, n] = channels.verdicts[:, which == n].max(axis=1)
        stood_in[:, n] = channels.interpolated[:, which == n].any(axis=1)
    shown = np.ma.masked_less(worst, 0)
    rows = np.arange(len(channels.ch_names) + 1) - 0.5
    colours = ListedColormap(_VERDICT_COLOURS)
    norm = Normalize(-0.5, len(VERDICTS) - 0.5)
    axes.pcolormesh(edges / 60, rows, shown, cmap=colours, norm=norm, rasterized=True)
    places = np.argwhere(stood_in)
    middle = (edges[1:] + edges[:-1]) / 120
    axes.plot(middle[places[:, 1]], places[:, 0], "k.", ms=1.2, rasterized=True)
    names = channels.ch_names
    every = max(1, len(names) // 24)
    axes.set_yticks(
        range(0, len(names), every), names[::every], fontsize="xx-small", parse_math=False
    )
    axes.set_ylim(len(names) - 0.5, -0.5)
    there = [n for n in range(len(VERDICTS)) if (worst == n).any()]
    patches = [Patch(color=_VERDICT_COLOURS[n], label=VERDICTS[n]) for n in there]
    _legend(axes, handles=patches)


def _legend(axes: Axes, handles: list[Patch] | None = None) -> None:
    """Put a legend above the row, where it hides nothing."""
    found = handles if handles is not None else axes.get_legend_handles_labels()[0]
    if found:
        axes.legend(
            handles=found,
            frameon=False,
            fontsize="x-small",
            ncols=9,
            loc="lower right",
            bbox_to_anchor=(1, 0.98),
            borderaxespad=0,
            handlelength=1.2,
        )
