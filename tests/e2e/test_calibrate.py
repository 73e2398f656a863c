"""Calibrate live: the twin of the PsychoPy script shows, a simulated participant sees."""

from __future__ import annotations

import importlib.util
import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from uuid import uuid4

import pytest

from decoder.fitting import FitSettings, fit_recordings
from models.checkpoint import load_model
from models.stimuli import StimulusTable
from tests.decoder.calibrations import THINGS, write_table
from tests.e2e.processes import braincast
from tests.pages import ROOT

TWIN = ROOT / "deploy" / "headless_calibration.py"


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_schedule_needs_no_window_and_names_each_trial(tmp_path: Path) -> None:
    psychopy = load(TWIN.with_name("psychopy_calibration.py"))
    path = write_table(tmp_path)
    table = StimulusTable.read(path)
    steps = list(psychopy.schedule(psychopy.read_stimuli(path), 3, 4, random.Random(1)))
    kinds = Counter(step.kind for step in steps)
    assert kinds == {"run_start": 3, "show": 36, "pause": 2, "resume": 2, "run_end": 1}
    assert steps[-1].kind == "run_end"
    shown = [step for step in steps if step.kind == "show"]
    assert len({step.trial_id for step in shown}) == 36
    for step in steps:
        meant = table.find(psychopy.marker_of(step))
        assert meant is not None
        assert meant.role == ("stimulus" if step.kind == "show" else step.kind)
    for start in range(0, 36, 12):
        counts = Counter(step.row["marker"] for step in shown[start : start + 12])
        assert counts == dict.fromkeys(THINGS, 4)
    path.write_text("marker\trole\ntree\tstimulus\n")
    with pytest.raises(SystemExit, match="does not list pause, resume, run_end, run_start"):
        psychopy.read_stimuli(path)


def test_the_participant_sees_what_the_twin_shows(tmp_path: Path) -> None:
    twin = load(TWIN)
    shows = twin.script(write_table(tmp_path), 2, 3, 1.5, 1)
    seen = [each for each in shows if each.concept]
    assert Counter(each.concept for each in seen) == dict.fromkeys(THINGS, 6)
    for each in seen:
        assert json.loads(each.label)["marker"] == each.concept
    pause = next(n for n, each in enumerate(shows) if each.label == "pause")
    assert shows[pause + 1].t - shows[pause].t == pytest.approx(1.5)


@contextmanager
def experiment(table: Path, name: str) -> Iterator[None]:
    """Show everything, ten times as fast as people can see it."""
    options: dict[str, object] = {
        "--blocks": 2,
        "--repeats": 10,
        "--channels": 8,
        "--sfreq": 125,
        "--speed": 10,
    }
    options |= {"--name": name, "--wait": 240, "--rest": 2, "--space": "labels"}
    arguments = [str(part) for pair in options.items() for part in pair]
    child = subprocess.Popen([sys.executable, "-P", str(TWIN), str(table), *arguments])
    try:
        yield
    finally:
        child.terminate()
        child.wait()


@pytest.mark.slow
def test_a_calibration_gives_what_a_fit_of_its_recording_gives(tmp_path: Path) -> None:
    table, name = write_table(tmp_path), f"test-{uuid4().hex}"
    source = ("--name", name, "--markers", f"{name} markers", "--timeout", "240")
    shown = ("--stimuli", table, "--space", "labels", "--encoder", "ridge")
    with (
        experiment(table, name),
        braincast(
            *("calibrate", *source, *shown, "-o", "model", "--no-report"), cwd=tmp_path
        ) as calibrating,
    ):
        assert calibrating.rest().splitlines()[-1] == "model"
        assert calibrating.wait() == 0, calibrating.errors
    assert "the last run is over" in calibrating.errors
    (session,) = (tmp_path / "sessions").iterdir()
    model = load_model(tmp_path / "model")
    assert model.training["n_groups"] == 2
    assert model.training["n_trials"] == 60
    assert model.scores["top1"]["value"] > 0.5
    said = FitSettings(stimuli=table, space="labels", encoder="ridge", streams=(name,))
    again = fit_recordings([session / "raw.xdf"], tmp_path / "again", said)
    assert again.model.model_id == model.model_id
