"""What `fit` leaves beside a model, and models on later recordings, through the commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pytest

from decoder.cli import main
from models.checkpoint import load_model
from streaming.signal import SignalSpec
from tests.models.listener import loudness, save_listener

SPEC = SignalSpec(128.0, ("Cz", "Pz"))
EVENTS = ("--events", "down", "up", "--tmax", "0.6", "--encoder", "ridge")


def record(path: Path, seed: int, *, sfreq: float = 128.0, order: str = "random") -> str:
    """Write a step up or down in noise, once a second."""
    rng = np.random.default_rng(seed)
    data = rng.standard_normal((2, round(sfreq * 90))) * 2e-5
    onsets = np.arange(8, 86, 1.0)
    up = rng.random(len(onsets)) < 0.5 if order == "random" else np.full(len(onsets), seed % 2)
    for onset, rises in zip(onsets, up, strict=True):
        at = round(onset * sfreq)
        data[:, at + 20 : at + 70] += (1 if rises else -1) * 1e-5
    raw = mne.io.RawArray(data, SignalSpec(sfreq, SPEC.ch_names).to_info(), verbose="error")
    raw.set_annotations(mne.Annotations(onsets, 0.0, np.where(up, "up", "down")))
    raw.save(path, verbose="error")
    return str(path)


def document(folder: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((folder / "evaluation.json").read_text())
    return values


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("runs")
    return [record(folder / f"{seed}_raw.fif", seed) for seed in range(4)]


@pytest.fixture(scope="module")
def model(runs: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fitted") / "model"
    assert main(["fit", *runs[:2], *EVENTS, "-o", str(folder)]) == 0
    return folder


def test_a_fit_leaves_its_evaluation_beside_the_model(model: Path) -> None:
    found = document(model)
    assert found["verdict"] == "above chance"
    assert found["scores"] == {k: load_model(model).scores[k] for k in found["scores"]}
    assert found["left_out"]["eyes and muscles only"] == "none were recorded"
    assert (model / "report.html").stat().st_size > 10_000


def test_a_new_fit_without_a_report_leaves_no_old_one(runs: list[str], tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "report.html").write_text("of another model")
    assert main(["fit", *runs[:2], *EVENTS, "-o", str(tmp_path / "m"), "--no-report"]) == 0
    left = {path.name for path in (tmp_path / "m").iterdir()}
    assert left == {"model.json", "weights.safetensors"}
    again = ("fit", *runs[1:3], *EVENTS, "-o", str(tmp_path / "m"), "--no-report")
    before = load_model(tmp_path / "m").model_id
    assert main([*again, "--overwrite"]) == 0
    assert load_model(tmp_path / "m").model_id != before


def test_a_model_is_not_replaced_by_mistake(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (model / "model.json").read_bytes()
    # Told before anything is read: the recording is not even there.
    fit = ("fit", str(tmp_path / "none_raw.fif"), *EVENTS, "-o", str(model))
    assert main([*fit]) == 2
    assert "holds a model already; name a new folder, or replace it by --overwrite" in (
        capsys.readouterr().err
    )
    assert (model / "model.json").read_bytes() == before


def test_a_model_is_tested_on_recordings_that_were_kept_back(
    model: Path, runs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "e"
    assert main(["evaluate", "--model", str(model), *runs[2:], "-o", str(output)]) == 0
    assert "above chance" in capsys.readouterr().out
    found = document(output)
    assert found["setup"]["model"] == load_model(model).model_id
    assert found["scores"]["n"] == 156
    assert "tested as it is" in (output / "report.html").read_text(encoding="utf-8")


def test_a_single_later_recording_is_one_run(
    model: Path, runs: list[str], tmp_path: Path
) -> None:
    output = tmp_path / "e"
    assert main(["evaluate", "--model", str(model), runs[2], "-o", str(output)]) == 0
    found = document(output)
    assert (found["setup"]["n_runs"], found["scores"]["n_groups"]) == (1, 1)
    assert found["scores"]["clusters"] == "trial"
    assert found["verdict"] == "above chance"


def test_a_model_with_a_hop_is_tested_on_the_windows_it_was_fitted_to(
    runs: list[str], tmp_path: Path
) -> None:
    folder, output = tmp_path / "m", tmp_path / "e"
    fit = ("fit", *runs[:2], *EVENTS, "--tmin", "0.1", "--hop", "0.5", "--no-report")
    assert main([*fit, "-o", str(folder)]) == 0
    assert main(["evaluate", "--model", str(folder), *runs[2:], "-o", str(output)]) == 0
    found = document(output)
    assert (found["setup"]["tmin"], found["setup"]["tmax"]) == (0.1, 0.6)
    assert found["verdict"] == "above chance"


def test_what_would_not_be_a_test_is_refused(
    model: Path, runs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    test = ("evaluate", "--model", str(model), "-o", str(tmp_path / "e"))
    assert main([*test, *runs[1:]]) == 2
    assert "fitted to recording 1 of 3" in capsys.readouterr().err
    assert main([*test, runs[2], "--tmax", "0.5", "--encoder", "ridge"]) == 2
    assert "--encoder, --tmax: the model says it itself" in capsys.readouterr().err
    assert main([*test, record(tmp_path / "a_raw.fif", 9, sfreq=256.0)]) == 2
    assert "has 256 Hz, and 128 Hz are needed" in capsys.readouterr().err
    assert not (tmp_path / "e").exists()


def test_a_fit_refuses_recordings_of_one_class_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [record(tmp_path / f"{n}_raw.fif", n, order="one") for n in range(4)]
    assert main(["fit", *runs, *EVENTS, "-o", str(tmp_path / "m")]) == 2
    assert "no recording shows two different things" in capsys.readouterr().err
    assert not (tmp_path / "m").exists()


def test_of_a_track_the_report_says_what_it_cannot(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = save_listener(tmp_path / "a_raw.fif", loudness(120, 64.0), 64.0, snr=1.0)
    track = ("--track", "env", "--stretch", "3")
    assert main(["evaluate", str(path), *track, "-o", str(tmp_path / "e")]) == 0
    found = document(tmp_path / "e")
    assert found["verdict"] == "above chance"
    assert {"before the stimulus", "scores over time", "patterns"} <= set(found["left_out"])
    assert found["pattern"] is None
    page = (tmp_path / "e" / "report.html").read_text()
    assert "not here: scores over time" in page
    assert "s after the start of a stretch" in page


def test_a_model_of_a_track_is_tested_on_another_story(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def listener(name: str, story: int, sfreq: float = 64.0) -> str:
        track = loudness(120, sfreq, seed=story)
        return str(save_listener(tmp_path / name, track, sfreq, snr=1.0))

    first, other = listener("a_raw.fif", 0), listener("b_raw.fif", 1)
    model, output = str(tmp_path / "m"), tmp_path / "e"
    track = ("--track", "env")
    assert main(["fit", first, *track, "--stretch", "3", "-o", model, "--no-report"]) == 0
    test = ("evaluate", "--model", model, "-o", str(output))
    assert main([*test, other]) == 2
    assert "name the recordings' with --track" in capsys.readouterr().err
    assert main([*test, other, *track]) == 0
    found = document(output)
    assert found["verdict"] == "above chance"
    assert found["setup"]["model"] == load_model(Path(model)).model_id
    assert (found["scores"]["protocol"], found["scores"]["n_groups"]) == ("zero_shot", 1)
    assert found["left_out"]["before the stimulus"] == "a stretch of a track has no onset"
    assert main([*test, first, *track]) == 2
    assert "fitted to recording 1 of 1" in capsys.readouterr().err
    assert main([*test, listener("c_raw.fif", 2, 128.0), *track]) == 2
    assert "has 128 Hz, and 64 Hz are needed" in capsys.readouterr().err
    assert main([*test, other, *track, "--stretch", "2"]) == 2
    assert "--stretch: the model says it itself" in capsys.readouterr().err
    two = tmp_path / "two.npy"
    np.save(two, np.random.default_rng(0).random((6000, 2)))
    assert main([*test, other, "--track", str(two), "--track-rate", "50"]) == 2
    assert "has 2 features, and the model was fitted to 1" in capsys.readouterr().err


def test_a_track_is_nothing_to_a_model_of_stimuli(
    model: Path, runs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    test = ("evaluate", "--model", str(model), runs[2], "-o", str(tmp_path / "e"))
    assert main([*test, "--track", "env"]) == 2
    assert "the model was not fitted to a track" in capsys.readouterr().err
