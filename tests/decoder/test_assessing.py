from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from decoder.assessing import BEFORE, NOT_RANDOM, assess, assess_model
from decoder.assessment import Assessment
from decoder.plots import plot_learning
from decoder.problem import Problem
from decoder.report import write_report
from models.checkpoint import Model
from models.dataset import Dataset
from models.fit import fit_model
from streaming.errors import EvaluationError
from tests.decoder.trials import problem

FILE = [Path("later_raw.fif")]


@pytest.fixture(scope="module")
def model() -> Model:
    p = problem(n=160)
    return fit_model(p.dataset, p.candidates).model


def later(signal: float = 1.0) -> Dataset:
    """Return trials of another day: the same responses in other noise, or none."""
    dataset = problem(n=160, signal=signal).dataset
    response = dataset.windows - problem(n=160, signal=0.0).dataset.windows
    noise = np.random.default_rng(9).standard_normal(response.shape)
    windows = (response + noise).astype(np.float32)
    return replace(dataset, windows=windows, hashes=("later",) * 4)


def test_a_model_is_tested_as_it_is_beside_controls(model: Model, tmp_path: Path) -> None:
    found = assess_model(model, later(), FILE, "closed_set", before=later(0.0))
    assert found.verdict == "above chance"
    assert found.setup.model == model.model_id
    assert [c.name for c in found.controls] == ["shuffled brain", "noise", BEFORE]
    assert all(c.at_chance for c in found.controls)
    assert {"clock only", "minutes of calibration"} <= set(found.left_out)
    assert (found.learning, found.time_course) == ((), ())
    write_report(found, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "not here: clock only" in page
    assert "fitted to other recordings" in page
    assert "widened" not in page


def test_a_model_that_says_nothing_of_another_day_is_at_chance(model: Model) -> None:
    assert assess_model(model, later(0.0), FILE, "closed_set").verdict == "not above chance"


def test_an_order_that_tells_is_no_evidence_for_a_model(model: Model) -> None:
    blocks = np.tile(np.repeat([0, 1], 20), 4)
    names = ("c0", "c1")
    blocked = replace(later(), ids=tuple(names[k] for k in blocks))
    found = assess_model(model, blocked, FILE, "closed_set", before=later(0.0))
    assert found.verdict == "cannot be told"
    assert found.left_out[BEFORE] == NOT_RANDOM
    alone = replace(later(), ids=tuple(names[k] for k in np.repeat([0, 1, 0, 1], 40)))
    with pytest.raises(EvaluationError, match="no recording shows two different things"):
        assess_model(model, alone, FILE, "closed_set")


def test_of_flicker_no_course_and_no_pattern_is_shown(tmp_path: Path) -> None:
    p = problem(n=160)
    named = replace(p.candidates, texts=("13 Hz", "17 Hz"))
    found = assess(replace(p, candidates=named), FILE)
    assert found.verdict == "above chance"
    assert (found.time_course, found.pattern) == ((), None)
    assert {"scores over time", "patterns"} <= set(found.left_out)
    write_report(found, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Patterns of channels" not in page
    assert "a flicker is told by its power" in page


def test_of_epochs_that_others_cut_nothing_is_said_that_nobody_knows(tmp_path: Path) -> None:
    p = problem(n=160)
    found = assess(replace(p, dataset=replace(p.dataset, transforms=[])), FILE)
    assert found.learning == ()
    assert "nobody knows when they were" in found.left_out["minutes of calibration"]
    write_report(found, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "none: non-causal input, which others filtered" in page
    assert "checked on these samples" not in page
    assert "single trials in 4 parts<" in page


def test_an_order_that_comes_back_in_all_recordings_is_told() -> None:
    once = np.random.default_rng(5).permutation(np.repeat([0, 1], 20))
    p = problem(n=160, shown=np.tile(once, 4))
    assert p.order.repeated
    found = assess(p, FILE)
    assert any("the same in the same order" in text for text in found.warnings)
    assert not problem(n=160).order.repeated


def test_what_was_predicted_already_is_not_predicted_again() -> None:
    p = problem(n=160)
    held_out = p.hold_out()
    first: Assessment = assess(p, FILE, held_out=held_out)
    assert first == assess(p, FILE)


def test_beside_an_older_model_stands_what_beginning_anew_gives(
    model: Model, tmp_path: Path
) -> None:
    fresh = problem(n=160)
    day = later(0.4)
    warm = assess(Problem.make(day, fresh.candidates, parent=model), FILE)
    cold = assess(Problem.make(day, fresh.candidates, encoder=model.encoder.kind), FILE)
    assert warm.anew == cold.learning
    assert cold.anew == ()
    assert len(warm.anew) == len(warm.learning) > 2
    assert [p.minutes for p in warm.anew] == [p.minutes for p in warm.learning]
    assert warm.learning[0].main.value > warm.anew[0].main.value
    (axes,) = plot_learning(warm).axes
    legend = axes.get_legend()
    assert legend is not None
    said = {text.get_text() for text in legend.get_texts()}
    assert {"begun with the older model", "anew", "chance"} <= said
    drawn = [np.asarray(line.get_ydata(), float).tolist() for line in axes.lines]
    for points in (warm.learning, warm.anew):
        assert [point.main.value for point in points] in drawn
    for found, there in ((warm, True), (cold, False)):
        write_report(found, tmp_path / "report.html")
        page = (tmp_path / "report.html").read_text(encoding="utf-8")
        assert ("the same without the older model" in page) == there
