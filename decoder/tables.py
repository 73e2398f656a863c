"""Scores as tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from decoder.controls import Control
from decoder.curves import LearningPoint
from decoder.evaluation import Evaluation
from decoder.forecast import headline
from decoder.picture_scores import Pictures
from decoder.resampling import Score

__all__ = [
    "as_table",
    "beside_table",
    "controls_table",
    "lines_of",
    "picture_lines",
    "pictures_table",
]


def _rows_of(evaluation: Evaluation) -> dict[str, Score]:
    """Return the scores that say something, by what people call them."""
    e = evaluation
    rows = {
        "AUC": e.auc,
        "top-1": e.top1,
        "top-5": e.top5 if e.pool > 5 else None,
        "top-10": e.top10 if e.pool > 10 else None,
        "two-way accuracy": e.pairwise,
        "median rank": e.median_rank if e.pool > 2 else None,
    }
    return {name: score for name, score in rows.items() if score is not None}


def lines_of(evaluation: Evaluation) -> list[tuple[str, str, str, str]]:
    """Return the scores as people read them: name, value, interval and chance."""
    lines = []
    for name, s in _rows_of(evaluation).items():
        digits = 1 if name == "median rank" else 3
        value, low, high, chance = (
            f"{number:.{digits}f}" for number in (s.value, s.low, s.high, s.chance)
        )
        lines.append((name, value, f"{low} to {high}", chance))
    always = f"{evaluation.majority:.3f}"
    return [*lines, ("top-1 of the majority", always, "", "")]


def as_table(evaluation: Evaluation) -> Table:
    """Return all scores as a table for a terminal."""
    e = evaluation
    runs = "1 run" if e.n_groups == 1 else f"{e.n_groups} runs or parts"
    title = f"{e.protocol}: {e.n} trials in {runs}, {e.pool} candidates"
    table = Table(title=title, caption=_caption(e))
    for column in ("score", "value", "95 % interval", "chance"):
        table.add_column(column, justify="left" if column == "score" else "right")
    for line in lines_of(e):
        table.add_row(*line)
    return table


def _caption(e: Evaluation) -> str:
    """Say how the numbers were made."""
    files = {
        "unknown": "stimulus files unknown, so the same may be in training and test",
        "shared": "stimulus files shared between runs"
        + (", which flatters" if e.protocol == "closed_set" else ", never trained on"),
        "disjoint": "no stimulus file in two runs",
    }[e.stimulus_files]
    p = (
        f"no p ({e.permutation})"
        if e.p_value is None
        else f"p = {e.p_value:.4f} ({e.statistic}, {e.n_permutations} {e.permutation})"
    )
    return (
        f"{e.verdict}: {p}; interval over {e.clusters}; most frequent answer "
        f"{e.modal_share:.0%}; {files}"
    )


def controls_table(controls: Sequence[Control]) -> Table:
    """Return the controls as a table for a terminal."""
    table = Table(title="controls: what cannot know must be at chance")
    for column in ("control", "value", "95 % interval", "chance", "p", ""):
        numbers = ("value", "chance", "p")
        table.add_column(column, justify="right" if column in numbers else "left")
    for c in controls:
        table.add_row(
            c.name,
            f"{c.main.value:.3f}",
            f"{c.main.low:.3f} to {c.main.high:.3f}",
            f"{c.main.chance:.3f}",
            "" if c.p_value is None else f"{c.p_value:.4f}",
            "at chance" if c.at_chance else "[red]not at chance[/]",
        )
    return table


def beside_table(
    evaluation: Evaluation, warm: Sequence[LearningPoint], anew: Sequence[LearningPoint]
) -> Table:
    """Return the score against minutes, with an older model to begin with and without.

    Parameters
    ----------
    evaluation : Evaluation
        Of the whole.
    warm, anew : sequence of LearningPoint
        On the same folds, after the same minutes.
    """
    name, whole = headline(evaluation)
    table = Table(title=f"{name} against minutes, chance {whole.chance:.3f}")
    for column in ("minutes", "trials", "begun with the older model", "begun anew"):
        table.add_column(column, justify="right")
    for ours, theirs in zip(warm, anew, strict=True):
        scores = (p.top1 if name == "top-1" else p.main for p in (ours, theirs))
        cells = (f"{s.value:.3f} [{s.low:.3f}, {s.high:.3f}]" for s in scores)
        table.add_row(f"{ours.minutes:.1f}", str(ours.n_trials), *cells)
    return table


def picture_lines(pictures: Pictures) -> list[tuple[str, ...]]:
    """Return the scores of pictures as people read them, a line for each kind of them.

    Each cell is the score, its interval and, but for what lies beyond the prior, chance.
    """
    lines = []
    for row in (*pictures.scores, pictures.beyond_prior):
        chance = row is not pictures.beyond_prior
        told = (_told(score, chance=chance) for score in (row.pix_corr, row.ssim, row.two_way))
        lines.append((row.name, *told))
    return lines


def _told(score: Score, *, chance: bool) -> str:
    """Return a score with its interval, and chance where it is not plain."""
    text = f"{score.value:.3f} [{score.low:.3f}, {score.high:.3f}]"
    return f"{text} / {score.chance:.3f}" if chance else text


def pictures_table(pictures: Pictures) -> Table:
    """Return the scores of pictures as a table for a terminal."""
    p = pictures
    title = f"{p.protocol}: pictures by {p.generator}, {p.n} of {p.n_of} trials drawn by lot"
    caption = (
        f"value [95 % interval] / chance; two-way among {p.pool} pictures by {p.space}; "
        f"interval over {p.clusters}"
    )
    table = Table(title=title, caption=caption)
    for column in ("pictures", "PixCorr", "SSIM", "two-way"):
        table.add_column(column, justify="left" if column == "pictures" else "right")
    for line in picture_lines(p):
        table.add_row(*line)
    return table
