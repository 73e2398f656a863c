from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from decoder.assessing import assess
from decoder.assessment import Assessment
from decoder.curves import TimePoint
from decoder.plots import (
    plot_averaging,
    plot_calibration,
    plot_controls,
    plot_learning,
    plot_time_course,
)
from tests.decoder.trials import problem


@pytest.fixture(scope="module")
def found() -> Assessment:
    return assess(problem(n=160), [Path("one_raw.fif")])


def test_no_line_is_drawn_over_times_of_which_nothing_is_known(found: Assessment) -> None:
    score = found.scores.main
    times = [-0.1, -0.06, -0.02, 0.5, 0.54, 0.58]
    points = tuple(TimePoint(t, score, 0.5, 0.5) for t in times)
    (axes,) = plot_time_course(replace(found, time_course=points)).axes
    drawn = [np.asarray(line.get_xdata(), float) for line in axes.lines]
    assert not any(len(x) > 1 and np.diff(x).max() > 100 for x in drawn)  # ms
    assert {tuple(x) for x in drawn} >= {(-100.0, -60.0, -20.0), (500.0, 540.0, 580.0)}


def test_each_score_stands_beside_its_own_chance(found: Assessment) -> None:
    control = found.controls[0]
    own = replace(control, main=replace(control.main, chance=0.6))
    (axes,) = plot_controls(replace(found, controls=(own,))).axes
    dashed = [line for line in axes.lines if line.get_linestyle() == "--"]
    assert [np.asarray(line.get_xdata(), float)[0] for line in dashed] == [0.5, 0.6]
    points = tuple(
        replace(point, main=replace(point.main, chance=0.5 + n / 10))
        for n, point in enumerate(found.averaging)
    )
    (axes,) = plot_averaging(replace(found, averaging=points)).axes
    (line,) = (line for line in axes.lines if line.get_linestyle() == "--")
    assert line.get_label() == "chance"
    expected = [0.5 + n / 10 for n in range(len(points))]
    assert np.asarray(line.get_ydata(), float) == pytest.approx(expected)


def test_each_figure_says_what_was_scored_among_how_many_beside_what_chance(
    found: Assessment,
) -> None:
    for draw in (plot_averaging, plot_learning, plot_time_course):
        (axes,) = draw(found).axes
        assert axes.get_ylabel() == "AUC,\n2 to choose from"
        legend = axes.get_legend()
        assert legend is not None
        said = [text.get_text() for text in legend.get_texts()]
        assert said == sorted(set(said), key=said.index)  # each once
        assert {"95 % interval", "chance"} <= set(said)
    (axes,) = plot_calibration(found).axes
    assert axes.get_xlabel() == "probability of the best guess, 2 to choose from"
    assert axes.get_xlim() == axes.get_ylim()  # so that the diagonal is one
    assert 0.5 < axes.get_xlim()[1] <= 1.02
    (axes,) = plot_controls(found).axes
    assert axes.get_xlabel().startswith("AUC, 2 to choose from")
