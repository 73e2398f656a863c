from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter

from decoder.assessing import assess
from decoder.assessment import Assessment
from decoder.report import write_report
from decoder.scalp import plot_maps
from decoder.schema import schema
from tests.decoder.trials import problem
from tests.pages import ROOT


@pytest.fixture(scope="module")
def good() -> Assessment:
    p = problem(n=160)
    eyes = problem(n=160, signal=0.0, seed=1)
    steps: list[str] = []

    def tell(step: str, share: float) -> None:
        assert 0 <= share <= 1
        steps.append(step)

    found = assess(p, [Path("one_raw.fif")], before=eyes, eyes=eyes, tell=tell)
    assert steps[-1] == "done"
    return found


@pytest.fixture(scope="module")
def blocked() -> Assessment:
    shown = np.tile(np.repeat([0, 1], 20), 4)
    return assess(problem(n=160, shown=shown, signal=0.0, drift=4.0), [Path("one_raw.fif")])


def test_the_document_is_what_the_schema_says(good: Assessment, tmp_path: Path) -> None:
    good.write(tmp_path / "evaluation.json")
    text = (tmp_path / "evaluation.json").read_text(encoding="utf-8")
    values = json.loads(text)
    assert values["format"] == "braincast-evaluation"
    assert values["scores"]["auc"]["value"] == good.scores.main.value
    again = TypeAdapter(Assessment).validate_json(text, strict=True)
    assert again == good
    page = (ROOT / "docs/reference/evaluation.md").read_text(encoding="utf-8")
    for name in schema()["properties"]:
        assert f"| `{name}` |" in page


def test_the_published_schema_is_that_of_the_code() -> None:
    """If this fails: python -m decoder.schema > docs/reference/evaluation.schema.json."""
    published = json.loads((ROOT / "docs/reference/evaluation.schema.json").read_text())
    assert published == schema()


def test_a_good_score_stands_beside_controls_at_chance(good: Assessment) -> None:
    assert good.verdict == "above chance"
    names = [control.name for control in good.controls]
    assert names[-2:] == ["before the stimulus", "eyes and muscles only"]
    assert all(control.at_chance for control in good.controls)
    assert good.setup.chosen == ("ridge",) * 4
    assert good.ceiling is not None
    assert len(good.learning) >= 3
    assert good.time_course[0].t < good.time_course[-1].t
    assert good.warnings == ()


def test_a_blocked_order_is_no_evidence(blocked: Assessment) -> None:
    assert blocked.scores.main.value > 0.7
    assert blocked.scores.p_value is None
    assert blocked.verdict == "cannot be told"
    assert "shown in blocks" in blocked.warnings[0]
    assert any("'clock only' is not at chance" in text for text in blocked.warnings)


def test_eyes_that_tell_what_was_shown_are_told() -> None:
    p = problem(n=160)
    found = assess(p, [Path("one_raw.fif")], eyes=problem(n=160, seed=2))
    assert found.scores.verdict == "above chance"
    assert found.verdict == "cannot be told"
    assert "'eyes and muscles only' is not at chance" in found.warnings[0]


def test_a_score_far_above_a_control_that_is_not_at_chance_stands() -> None:
    """The same random order in all runs tells something by the time alone, but not all."""
    once = np.random.default_rng(5).permutation(np.repeat([0, 1], 20))
    p = problem(n=160, shown=np.tile(once, 4))
    assert p.order.kind == "random"
    found = assess(p, [Path("one_raw.fif")])
    clock = next(c for c in found.controls if c.name == "clock only")
    assert clock.main.high < found.scores.main.low
    assert found.verdict == "above chance"


@pytest.mark.parametrize("kind", ["good", "blocked"])
def test_the_report_is_one_page_that_says_it_all(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    assessment: Assessment = request.getfixturevalue(kind)
    odd = replace(assessment.setup, candidates=("<b>bold</b>", "house"))
    write_report(replace(assessment, setup=odd), tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert assessment.verdict.capitalize() in page
    assert f"{assessment.scores.main.value:.3f}" in page
    assert "&lt;b&gt;bold" in page
    for warning in assessment.warnings:
        assert re.sub(r"'", "&#x27;", warning[1:]) in page
    for title in ("Beside what cannot know", "Minutes of calibration", "Patterns on the scalp"):
        assert title in page
    assert not re.search(r"<(?:script|link|img)[^>]+(?:src|href)=\"https?:", page)


def test_maps_are_drawn_where_places_are_known(good: Assessment) -> None:
    assert good.pattern is not None
    assert set(plot_maps(good.pattern)) == {"electrodes"}
    assert plot_maps(replace(good.pattern, positions=())) == {}
