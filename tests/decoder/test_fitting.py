from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import mne
import numpy as np
import pytest

from decoder.evaluation import evaluate
from decoder.fitting import FitSettings, fit_recordings
from decoder.session import Session
from models.checkpoint import load_model
from streaming.errors import ConfigError, EvaluationError
from streaming.signal import Chunk, SignalSpec
from streaming.window import LockedWindows, SlidingWindows
from tests.decoder.calibrations import WHO, record, settings
from tests.models.networks import quick_networks

SPEC = SignalSpec(128.0, ("Cz", "Pz"))


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make two kinds of responses in noise: a step up and a step down."""
    rng = np.random.default_rng(0)
    data = rng.standard_normal((2, 128 * 120)) * 1e-5
    onsets = np.arange(8, 116, 1.0)
    for n, onset in enumerate(onsets):
        at = round(onset * 128)
        data[:, at + 20 : at + 70] += (1 if n % 2 else -1) * 1e-5
    raw = mne.io.RawArray(data, SPEC.to_info(), verbose="error")
    raw.set_annotations(mne.Annotations(onsets, 0.0, ["down", "up"] * (len(onsets) // 2)))
    path = tmp_path_factory.mktemp("fitting") / "one_raw.fif"
    raw.save(path, verbose="error")
    return path


def test_what_was_fitted_is_what_is_saved(recording: Path, tmp_path: Path) -> None:
    told: list[float] = []
    settings = FitSettings(events=("up", "down"), tmax=0.6, drop=("Pz",))
    fitted = fit_recordings([recording], tmp_path / "m", settings, told.append)
    model, evaluation = fitted.model, fitted.evaluation
    assert evaluation.auc is not None
    assert evaluation.auc.value > 0.95
    saved = load_model(tmp_path / "m")
    assert saved.model_id == model.model_id
    assert saved.windowing == LockedWindows(0.0, 0.6)
    assert saved.spec.ch_names == ("Cz",)
    assert saved.scores["auc"]["value"] == evaluation.auc.value
    assert 0 <= saved.scores["calibration_error"] <= 1
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_with_a_hop_it_decodes_without_markers(recording: Path, tmp_path: Path) -> None:
    settings = FitSettings(events=("up", "down"), tmax=0.6, hop=0.1)
    fit_recordings([recording], tmp_path / "m", settings)
    model = load_model(tmp_path / "m")
    assert model.windowing == SlidingWindows(0.6, 0.1)
    session = Session(model, SPEC, "S")
    data = np.random.default_rng(1).standard_normal((2, 2560)).astype(np.float32)
    events = session.feed(Chunk(1e-5 * data, SPEC), 20.0)
    decoded = [e for e in events if getattr(e, "top", ())]
    assert len(decoded) > 100


@pytest.mark.parametrize("both", [{}, {"events": ("a",), "stimuli": Path("s.tsv")}])
def test_one_account_of_what_was_shown_is_needed(both: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="either --events"):
        FitSettings(**both)  # type: ignore[arg-type]


def test_labels_that_are_rates_ask_for_another_window_and_band() -> None:
    flicker, evoked = FitSettings(events=("13 Hz", "17 Hz")), FitSettings(events=("a", "b"))
    assert flicker.windows(flicker.table()) == LockedWindows(0.5, 3.5)
    assert flicker.frequencies(flicker.table()) == (5.0, 45.0)
    assert evoked.windows(evoked.table()) == LockedWindows(0.0, 0.8)
    assert evoked.frequencies(evoked.table()) == (0.5, 30.0)
    own = FitSettings(events=("13 Hz", "17 Hz"), tmin=1.0, band=(8.0, 40.0))
    assert own.windows(own.table()) == LockedWindows(1.0, 3.5)
    assert own.frequencies(own.table()) == (8.0, 40.0)


def test_the_encoder_and_the_band_are_stored(recording: Path, tmp_path: Path) -> None:
    settings = FitSettings(events=("up", "down"), tmax=0.6, encoder="riemann", band=(1.0, 20.0))
    fit_recordings([recording], tmp_path / "m", settings)
    saved = load_model(tmp_path / "m")
    assert saved.encoder.kind == "riemann"
    (band,) = [step for step in saved.transforms if step["transform"] == "bandpass"]
    assert (band["low"], band["high"]) == (1.0, 20.0)
    assert saved.training["encoders_tried"] == {}
    automatic = replace(settings, encoder="auto")
    fitted = fit_recordings([recording], tmp_path / "a", automatic)
    model = fitted.model
    tried = model.training["encoders_tried"]
    assert set(tried) == {"ridge", "riemann"}
    assert model.encoder.kind == max(tried, key=lambda name: tried[name])


def test_an_encoder_that_is_unknown_is_refused() -> None:
    with pytest.raises(ConfigError, match="'rigde' is unknown; use one of auto, ridge"):
        FitSettings(events=("a", "b"), encoder="rigde")


def test_a_network_is_saved_and_what_it_left_is_gone(recording: Path, tmp_path: Path) -> None:
    settings = FitSettings(events=("up", "down"), tmax=0.6, encoder="mlp")
    told: list[float] = []
    with quick_networks():
        fitted = fit_recordings([recording], tmp_path / "m", settings, told.append)
        model, evaluation = fitted.model, fitted.evaluation
    assert evaluation.auc is not None
    assert evaluation.auc.value > 0.9
    saved = load_model(tmp_path / "m")
    assert saved.model_id == model.model_id
    assert saved.encoder.kind == "mlp"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m"]
    assert told == sorted(told)


def test_another_day_begins_with_the_model_of_the_first(tmp_path: Path) -> None:
    said = settings(tmp_path)
    first = fit_recordings([record(tmp_path / "a_raw.fif", 90)], tmp_path / "one", said)
    path = record(tmp_path / "b_raw.fif", 60, replace(WHO, session_seed=2, turned=15.0))
    warm = FitSettings(parent=load_model(tmp_path / "one"))
    second = fit_recordings([path], tmp_path / "two", warm)
    older, younger = first.model, load_model(tmp_path / "two")
    assert younger.training["parent"] == older.model_id
    assert younger.training["sha256_before"] == older.training["sha256"]
    assert younger.training["prior_share"] > 0
    assert younger.chain().to_json() == older.chain().to_json()
    assert younger.stimuli == older.stimuli
    anew = evaluate(second.problem.anew().hold_out(), with_p=False)
    assert second.evaluation.top1.value > anew.top1.value
    assert second.evaluation.n >= anew.n
    with pytest.raises(EvaluationError, match="would score what it remembers"):
        fit_recordings([tmp_path / "a_raw.fif"], tmp_path / "three", warm)


def test_what_the_older_model_says_is_not_said_again(tmp_path: Path) -> None:
    fit_recordings([record(tmp_path / "a_raw.fif", 40)], tmp_path / "one", settings(tmp_path))
    older = load_model(tmp_path / "one")
    with pytest.raises(ConfigError, match=r"--space, --drop, --tmin: .* leave it out"):
        FitSettings(parent=older, tmin=0.0, drop=("Fz",), space="minilm")
    with pytest.raises(ConfigError, match="--encoder"):
        FitSettings(parent=older, encoder="riemann")
    kept = FitSettings(parent=older, encoder="ridge", stimuli=tmp_path / "stimuli.tsv")
    assert kept.pool(kept.table()) is older.candidates
    assert kept.windows(kept.table()) == older.windowing
