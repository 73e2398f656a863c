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

from decoder.cli import main
from decoder.fitting import FitSettings, fit_recordings
from decoder.guards import check_different, check_recording
from decoder.problem import Problem
from models.dataset import Dataset
from models.encoder import ENCODERS, LOADERS
from models.fit import fit_encoder, fit_model, truth_of
from models.heldout import predict
from models.ridge import RidgeEncoder
from models.stimuli import Stimulus, StimulusTable
from models.trials import Course, Trials
from streaming.chain import TRANSFORMS
from streaming.errors import EvaluationError, RecordingError
from streaming.signal import Chunk, SignalSpec, Window
from streaming.sources.opening import open_recording
from tests.decoder.test_fitting import recording
from tests.decoder.trials import problem
from tests.models.networks import quick_networks
from tests.models.test_fit import dataset, labels
from tests.models.test_folds import recurring

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


@pytest.mark.parametrize("encoder", ["auto", *ENCODERS])
def test_what_is_not_trained_on_changes_no_bit_of_an_encoder(encoder: str) -> None:
    """No scale, mean or covariance is taken over a whole recording, in no encoder."""
    data = dataset()
    targets = labels().vectors[truth_of(data, labels())]
    train = data.groups != 2
    windows = data.windows.copy()
    windows[~train] = 1e3 * np.random.default_rng(1).standard_normal(windows[~train].shape)
    with quick_networks(max_epochs=2):
        one, other = (
            fit_encoder(replace(data, windows=w), targets, train, encoder=encoder).arrays()
            for w in (data.windows, windows)
        )
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name])


def test_windows_that_overlap_across_the_split_are_refused() -> None:
    """Of blocks of one recording, with a trial each 0.3 s: neighbours share samples."""
    p = problem()
    near = replace(p.dataset, files=np.zeros(320, np.intp), t=np.linspace(0.0, 96.0, 320))
    p = Problem.make(near, p.candidates)
    fold = p.split.folds[0]
    train = fold.train.copy()
    neighbour = np.flatnonzero(fold.test)[-1] + 1
    assert not train[neighbour]  # it was purged
    assert not fold.test[neighbour]
    train[neighbour] = True
    leaky = replace(p.split, folds=(replace(fold, train=train),))
    with pytest.raises(EvaluationError, match="shares samples with a test trial"):
        replace(p, split=leaky).hold_out()


def test_a_picture_that_two_concepts_share_is_refused_in_zero_shot() -> None:
    """Who was trained on a picture is not asked for it under another name."""
    data, pool = recurring()
    files = ["same.jpg" if shown in ("c1", "c2") else f"{shown}.jpg" for shown in data.ids]
    shared = replace(data, stim_files=tuple(files))
    with pytest.raises(EvaluationError, match=r"the stimulus file 'same.jpg' is in training"):
        Problem.make(shared, pool, "zero_shot").hold_out()
    apart = replace(data, stim_files=tuple(f"{shown}.jpg" for shown in data.ids))
    assert Problem.make(apart, pool, "zero_shot").hold_out().protocol == "zero_shot"


def test_another_picture_of_what_was_trained_on_is_not_zero_shot() -> None:
    """A model is asked by zero_shot for what has another concept, not another name."""
    data, pool = recurring()
    names = [f"c{k}" for k in range(10)]
    concepts = ["c0", "c1", "c2", "c3", "c0", "c5", "c6", "c7", "c8", "c9"]
    table = StimulusTable(
        Stimulus(name, "stimulus", candidate_id=name, text=name, concept=concept)
        for name, concept in zip(names, concepts, strict=True)
    )
    data = replace(data, table=table)
    first = np.isin(data.ids, names[:4])
    model = fit_model(_of(data, first), pool, encoder="ridge").model
    held_out = predict(model, replace(_of(data, ~first), hashes=("y",)), "zero_shot")
    assert not held_out.pools[0][:5].any()  # c4 shows what c0 does
    assert set(held_out.truth.tolist()) == {5, 6, 7, 8, 9}


def _of(data: Dataset, kept: NDArray[np.bool_]) -> Dataset:
    """Return some of the trials."""
    return replace(
        data,
        windows=data.windows[kept],
        ids=tuple(np.array(data.ids)[kept].tolist()),
        stim_files=("",) * int(kept.sum()),
        files=data.files[kept],
        groups=data.groups[kept],
        t=data.t[kept],
    )


def test_a_model_is_not_scored_on_what_it_was_fitted_to() -> None:
    p = problem()
    model = fit_model(p.dataset, p.candidates).model
    again = replace(p.dataset, hashes=p.dataset.hashes * 4)
    with pytest.raises(EvaluationError, match="recording 1 of 4"):
        predict(model, again, "closed_set")
    later = problem(seed=1).dataset
    held_out = predict(model, replace(later, hashes=tuple("abcd")), "closed_set")
    assert len(held_out.truth) == len(p.dataset)
    with pytest.raises(EvaluationError, match=r"no trial shows what .* by zero_shot"):
        predict(model, replace(later, hashes=tuple("abcd")), "zero_shot")


def test_a_fit_of_a_recording_that_turns_by_turns_says_so(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit = ("fit", str(recording), "--events", "up", "down", "--tmax", "0.6", "-o")
    for model, options in (("m", ["--no-report"]), ("n", [])):
        assert main([*fit, str(tmp_path / model), *options]) == 0
        assert capsys.readouterr().err.count("depends on what came before") == 1


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
