from __future__ import annotations

import time
from pathlib import Path

import pytest

from decoder.appraising import Appraisal, Appraiser, appraise
from decoder.fitting import fit_recordings
from tests.decoder.calibrations import record, settings

PATIENCE = 240.0


def test_it_says_what_a_fit_would_say(tmp_path: Path) -> None:
    said = settings(tmp_path)
    path = record(tmp_path / "one_raw.fif", 90)
    found = appraise([path], said)
    fitted = fit_recordings([path], tmp_path / "model", said)
    assert found.evaluation == fitted.evaluation
    assert found.n_trials == len(fitted.problem.dataset)
    assert found.encoder == "ridge"
    assert found.minutes == pytest.approx(found.n_trials * 0.8 / 60, rel=0.05)
    assert found.points[-1].top1.value == pytest.approx(found.evaluation.top1.value)
    assert found.forecast is not None
    assert found.forecast.now.minutes == found.minutes


def test_too_little_is_an_answer(tmp_path: Path) -> None:
    found = appraise([record(tmp_path / "one_raw.fif", 12)], settings(tmp_path))
    assert found.evaluation is None
    assert "record" in found.suggestion.text
    assert not found.suggestion.enough


def wait(appraiser: Appraiser) -> Appraisal:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if (found := appraiser.answer()) is not None:
            return found
        time.sleep(0.02)
    raise AssertionError("no appraisal came")


@pytest.mark.slow
def test_another_process_appraises_and_another_one_if_it_dies(tmp_path: Path) -> None:
    path = record(tmp_path / "one_raw.fif", 40)
    appraiser = Appraiser(settings(tmp_path))
    try:
        appraiser.ask(lambda: [path], 19)
        assert not appraiser.busy  # too early
        appraiser.ask(lambda: [path], 20)
        assert appraiser.busy
        assert wait(appraiser).evaluation is not None
        appraiser.ask(lambda: [path], 20)
        assert not appraiser.busy  # nothing new
        appraiser._rest_until = 0.0
        appraiser.ask(lambda: [path], 40)
        assert appraiser._process is not None
        appraiser._process.kill()
        assert "died" in wait(appraiser).suggestion.text
        appraiser._rest_until = 0.0
        appraiser.ask(lambda: [path], 80)
        assert wait(appraiser).evaluation is not None
    finally:
        appraiser.close()
