"""Real recordings evaluated as a user does, and the report in a real browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pytest
from playwright.sync_api import sync_playwright

from decoder.cli import main
from tests.e2e.browser import CHROMIUM, launch
from tests.recordings import recordings

FACES = "muse/N170_subject1_*_raw.fif"


def evaluate(files: list[Path], output: Path, *events: str) -> dict[str, Any]:
    arguments = ["--events", *events, "--drop", "Right AUX", "--encoder", "ridge"]
    code = main(["evaluate", *map(str, files), *arguments, "-o", str(output)])
    assert code == 0
    values: dict[str, Any] = json.loads((output / "evaluation.json").read_text())
    return values


def relabelled(folder: Path, what: str) -> list[Path]:
    """Copy the recordings, with faces and houses told anew: shuffled, or in blocks of 20."""
    rng = np.random.default_rng(1)
    copies = []
    for run, path in enumerate(recordings(FACES)[:4]):
        raw = mne.io.read_raw(path, preload=True, verbose="error")
        marks = raw.annotations
        labels = np.array(marks.description)
        shown = np.flatnonzero(np.isin(labels, ["face", "house"]))
        block = (np.arange(len(shown)) // 20 + run) % 2
        orders = {
            "shuffled": rng.permutation(labels[shown]),
            "blocks": np.where(block, "face", "house"),
            "one a run": np.full(len(shown), "face" if run % 2 else "house"),
        }
        labels[shown] = orders[what]
        raw.set_annotations(
            mne.Annotations(marks.onset, marks.duration, labels, marks.orig_time)
        )
        copies.append(folder / f"{run}_raw.fif")
        raw.save(copies[-1], verbose="error")
    return copies


@pytest.mark.slow
def test_faces_and_houses_are_decoded_and_the_page_shows_it(tmp_path: Path) -> None:
    found = evaluate(recordings(FACES), tmp_path / "e", "face", "house")
    assert found["verdict"] == "above chance"
    assert found["scores"]["auc"]["value"] >= 0.64  # measured 0.663
    assert all(control["at_chance"] for control in found["controls"])
    assert found["controls"][-1]["name"] == "before the stimulus"
    ten = found["averaging"][-1]
    assert ten["n_averaged"] == 10
    assert ten["main"]["value"] > 0.85  # measured 0.90
    early = [p["q_value"] for p in found["time_course"] if p["t"] < 0.05]
    late = [p["q_value"] for p in found["time_course"] if 0.1 < p["t"] < 0.5]
    assert min(early) > 0.05 > min(late)
    if not CHROMIUM.exists():
        pytest.skip(f"no browser at {CHROMIUM}: the page was not looked at")
    asked: list[str] = []
    said: list[str] = []
    with sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.goto((tmp_path / "e" / "report.html").as_uri())
        assert page.get_by_text("Above chance").first.is_visible()
        figures = page.locator("svg").count() + page.locator("img").count()
        assert figures >= 7
        wide = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert wide
        browser.close()
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


@pytest.mark.slow
def test_rarity_is_said_to_be_confounded(tmp_path: Path) -> None:
    files = recordings("muse/P300_subject1_session1_*_raw.fif")[:3]
    found = evaluate(files, tmp_path / "e", "cat", "dog")
    assert found["scores"]["auc"]["value"] > 0.65
    assert any("cannot tell rarity from category" in text for text in found["warnings"])
    prior = next(c for c in found["controls"] if c["name"] == "prior only")
    assert prior["top1"]["value"] > 0.8  # more often right than the decoder, and knows nothing


@pytest.mark.slow
def test_labels_that_cannot_be_decoded_are_at_chance(tmp_path: Path) -> None:
    found = evaluate(relabelled(tmp_path, "shuffled"), tmp_path / "e", "face", "house")
    assert found["order"]["kind"] == "random"
    assert found["verdict"] == "not above chance"
    assert found["scores"]["p_value"] > 0.05
    assert found["scores"]["auc"]["low"] < 0.5 < found["scores"]["auc"]["high"]


@pytest.mark.slow
def test_blocks_are_no_evidence_and_one_a_run_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = evaluate(relabelled(tmp_path, "blocks"), tmp_path / "e", "face", "house")
    assert found["order"]["kind"] == "blocked"
    assert found["verdict"] == "cannot be told"
    assert found["scores"]["p_value"] is None
    (tmp_path / "other").mkdir()
    files = map(str, relabelled(tmp_path / "other", "one a run"))
    assert main(["evaluate", *files, "--events", "face", "house", "-o", "x"]) == 2
    assert "no recording shows two different things" in capsys.readouterr().err
