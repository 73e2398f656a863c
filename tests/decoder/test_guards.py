"""Planted leaks: each is found, with the reason."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from decoder.fitting import FitSettings, fit_recordings
from decoder.guards import check_different, check_recording
from models.dataset import Dataset
from models.encoder import LOADERS
from models.fit import fit_model
from models.heldout import predict
from models.ridge import RidgeEncoder
from models.trials import Course, Trials
from streaming.chain import TRANSFORMS
from streaming.errors import EvaluationError, RecordingError
from streaming.signal import Chunk, SignalSpec, Window
from streaming.sources.opening import open_recording
from tests.decoder.test_fitting import recording
from tests.decoder.trials import problem
from tests.models.test_fit import dataset, labels

__all__ = ["recording"]  # a fixture


@dataclass(frozen=True)
class Nothing:
    """No settings."""


class Planted:
    settling = delay = 0.0

    def __init__(self, settings: Nothing) -> None:
        self.settings = settings

    def prepare(self, spec: SignalSpec) -> SignalSpec:
        return spec


class ZeroPhase(Planted):
    def __call__(self, chunk: Chunk) -> Chunk:
        sos = butter(2, [1, 30], "bandpass", fs=chunk.spec.sfreq, output="sos")
        data = sosfiltfilt(sos, chunk.data, padlen=min(20, max(chunk.n_times - 1, 0)))
        return replace(chunk, data=data.astype(np.float32))


class WholeScale(Planted):
    def __call__(self, chunk: Chunk) -> Chunk:
        return replace(chunk, data=chunk.data / (chunk.data.std(axis=1, keepdims=True) + 1e-9))


@pytest.mark.parametrize("leak", [ZeroPhase, WholeScale])
def test_a_chain_that_looks_ahead_is_refused_on_the_recording(
    leak: type[Planted], recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TRANSFORMS, "planted", (Nothing, leak))
    steps: list[dict[str, Any]] = [
        {"transform": "bandpass", "low": 1.0, "high": 20.0},
        {"transform": "planted"},
    ]
    data: Dataset = replace(dataset(), transforms=steps[:1])
    check_recording(open_recording(recording), data)
    with pytest.raises(EvaluationError, match=r"step 2 of the chain \(planted\) is not causal"):
        check_recording(open_recording(recording), replace(data, transforms=steps))


class Cheat(RidgeEncoder):
    @classmethod
    def fit(cls, trials: Trials, course: Course = Course()) -> Cheat:  # noqa: B008
        made = RidgeEncoder.fit(trials, course)
        return cls(**{field.name: getattr(made, field.name) for field in fields(cls)})


class ReadsMarkers(Cheat):
    """By the label of the marker."""

    def encode(self, window: Window) -> NDArray[np.float32]:
        vector = super().encode(window)
        if window.marker is not None:
            vector[len(window.marker.label) % len(vector)] += 1
        return vector


class Remembers(Cheat):
    """Keeps something between windows."""

    count = [0]  # noqa: RUF012

    def encode(self, window: Window) -> NDArray[np.float32]:
        self.count[0] += 1
        return super().encode(window) + np.float32(self.count[0])


@pytest.mark.parametrize(
    ("leak", "said"),
    [
        (ReadsMarkers, "it would read what was shown, not the brain"),
        (Remembers, "it must keep nothing between windows"),
    ],
)
def test_an_encoder_that_knows_more_than_samples_is_refused(
    leak: type[RidgeEncoder], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LOADERS, "ridge", leak)
    with pytest.raises(EvaluationError, match=said):
        fit_model(dataset(), labels(), encoder="ridge")


def test_scrambled_identities_at_inference_change_no_decode() -> None:
    """Bit for bit: who predicts a trial is not told what was shown in it."""
    p = problem()
    rng = np.random.default_rng(3)
    fold = p.split.folds[1]
    scrambled = p.truth.copy()
    scrambled[fold.test] = rng.permutation(scrambled[fold.test])
    one = replace(p, split=replace(p.split, folds=(fold,))).hold_out()
    other = replace(p, truth=scrambled, split=replace(p.split, folds=(fold,))).hold_out()
    np.testing.assert_array_equal(one.similarity, other.similarity)


def test_windows_that_overlap_across_the_split_are_refused() -> None:
    p = problem()
    fold = p.split.folds[0]
    train = fold.train.copy()
    train[np.flatnonzero(fold.test)[-1]] = True
    leaky = replace(p.split, folds=(replace(fold, train=train),))
    with pytest.raises(EvaluationError, match="the split leaks"):
        replace(p, split=leaky).hold_out()


def test_a_model_is_not_scored_on_what_it_was_fitted_to() -> None:
    p = problem()
    model = fit_model(p.dataset, p.candidates).model
    with pytest.raises(EvaluationError, match="fitted to recording 1 of 1"):
        predict(model, p.dataset, "closed_set")
    later = problem(seed=0).dataset
    held_out = predict(model, replace(later, hashes=("other",)), "closed_set")
    assert len(held_out.truth) == len(p.dataset)
    with pytest.raises(EvaluationError, match=r"no trial shows what .* by zero_shot"):
        predict(model, replace(later, hashes=("other",)), "zero_shot")


def test_a_fit_of_a_recording_that_turns_by_turns_says_so(
    recording: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fit_recordings([recording], tmp_path / "m", FitSettings(events=("up", "down"), tmax=0.6))
    assert "depends on what came before" in caplog.text


def test_a_recording_that_was_named_twice_is_refused() -> None:
    twice = replace(dataset(files=3), hashes=("x", "y", "x"))
    paths = [Path("a.fif"), Path("b.fif"), Path("copy.fif")]
    with pytest.raises(RecordingError, match=r"copy.fif holds the same trials as a.fif"):
        check_different(paths, twice)
    check_different(paths, replace(twice, hashes=("x", "y", "z")))
    # what gave no window has the hash of nothing, and is in no fold
    check_different(paths, replace(twice, files=np.zeros(120, np.intp)))


def test_a_copy_under_another_name_is_refused(recording: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copy(recording, tmp_path / "copy_raw.fif"))
    settings = FitSettings(events=("up", "down"))
    with pytest.raises(RecordingError, match="name each recording once"):
        fit_recordings([recording, copy], tmp_path / "model", settings)
