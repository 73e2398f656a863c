from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.candidates import Candidates, embed_candidates
from models.dataset import Dataset
from models.encoder import for_subject
from models.fit import EVOKED_WINDOWS, evoked_chain, fit_encoder, fit_model, truth_of
from models.folds import make_split, too_close
from models.heldout import hold_out
from models.retrieval import directions, similarities
from models.spaces import LabelSpace
from models.stimuli import StimulusTable
from models.trials import Course
from streaming.errors import ConfigError, RecordingError
from streaming.signal import SignalSpec
from streaming.window import LockedWindows
from tests.models.networks import quick_networks

SPEC = SignalSpec(100.0, ("Fz", "Cz", "Pz"))


def dataset(n: int = 120, n_concepts: int = 3, signal: float = 1.0, files: int = 1) -> Dataset:
    rng = np.random.default_rng(0)
    shown = rng.permutation(np.arange(n) % n_concepts)
    patterns = rng.standard_normal((n_concepts, 3, 40))
    windows = signal * patterns[shown] + rng.standard_normal((n, 3, 40))
    names = [f"c{k}" for k in range(n_concepts)]
    return Dataset(
        windows=windows.astype(np.float32),
        ids=tuple(names[k] for k in shown),
        stim_files=("",) * n,
        files=np.arange(n) * files // n,
        groups=np.arange(n) * 4 // n,
        t=np.arange(10.0, 10.0 + 2 * n, 2.0),
        spec=SPEC,
        spec_out=SPEC,
        transforms=[{"transform": "pick", "ch_names": list(SPEC.ch_names)}],
        settling=1.0,
        delay=0.0,
        windowing=LockedWindows(0.0, 0.4),
        table=StimulusTable.from_labels(names),
        dropped={},
        withheld={"settling": 2},
        hashes=("x",),
    )


def labels(n: int = 3) -> Candidates:
    names = [f"c{k}" for k in range(n)]
    return embed_candidates(names, names, LabelSpace())


def test_a_clear_signal_is_decoded_and_calibrated() -> None:
    told: list[float] = []
    fitted = fit_model(dataset(), labels(), progress=told.append)
    held_out, model = fitted.held_out, fitted.model
    assert (held_out.similarity.argmax(1) == held_out.truth).mean() > 0.9
    assert model.scores["calibration_error"] < 0.15
    assert model.training["n_trials"] == 120
    assert model.training["withheld"] == {"settling": 2}
    assert model.candidates.trained == (True, True, True)
    assert model.space == "labels"
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_noise_is_at_chance_and_its_probabilities_are_flat() -> None:
    fitted = fit_model(dataset(400, signal=0.0), labels())
    right = (fitted.held_out.similarity.argmax(1) == fitted.held_out.truth).mean()
    assert right < 1 / 3 + 3 * np.sqrt(2 / 9 / 400)
    assert fitted.model.scores["calibration_error"] < 0.1


def test_a_run_is_predicted_without_its_own_stimuli() -> None:
    data = dataset()
    one = fit_model(data, labels()).held_out
    ids = np.array(data.ids)
    ids[data.groups == 2] = ids[data.groups == 2][::-1]
    other = fit_model(replace(data, ids=tuple(ids.tolist())), labels()).held_out
    same = one.groups == 2
    np.testing.assert_array_equal(one.similarity[same], other.similarity[same])
    assert (one.similarity[~same] != other.similarity[~same]).any()


def test_the_model_serves_what_evaluation_uses() -> None:
    data = dataset()
    model = fit_model(data, labels()).model
    toward = directions(model.candidates.vectors, model.centre)
    right = 0
    for n in range(len(data)):
        latent = model.encode(data.window(n))
        best = similarities(toward, model.centre, latent.vector).argmax()
        right += model.candidates.ids[best] == data.ids[n]
    assert right > 0.9 * len(data)


def test_trials_next_to_the_run_held_out_are_purged() -> None:
    data = dataset()
    for group in range(4):
        test = data.groups == group
        brute = [
            any(
                data.files[i] == data.files[j] and abs(data.t[i] - data.t[j]) < 1.4
                for j in np.flatnonzero(test)
            )
            for i in range(len(data))
        ]
        np.testing.assert_array_equal(too_close(data, test), brute)
    close = replace(data, settling=3.0)  # one trial every 2 s: one on each side of a border
    assert fit_model(close, labels()).held_out.n_purged == 6
    assert fit_model(dataset(files=4), labels()).held_out.n_purged == 0


def test_what_only_one_run_showed_is_not_closed_set() -> None:
    data = dataset()
    ids = list(data.ids)
    ids[3] = "rare"
    names = ["c0", "c1", "c2", "rare"]
    fitted = fit_model(
        replace(data, ids=tuple(ids)), embed_candidates(names, names, LabelSpace())
    )
    assert len(fitted.held_out.truth) == 119
    assert 3 not in fitted.held_out.truth


def test_candidates_that_were_never_shown_are_told_apart() -> None:
    rng = np.random.default_rng(1)
    names = tuple(f"c{k}" for k in range(5))
    vectors = rng.standard_normal((5, 16)).astype(np.float32)
    pool = Candidates(names, names, ("",) * 5, (True,) * 5, vectors, "sentence:x")
    fitted = fit_model(dataset(), pool)
    assert fitted.model.candidates.trained == (True, True, True, False, False)
    assert fitted.held_out.similarity.shape == (120, 5)


def test_what_cannot_be_fitted_is_refused() -> None:
    said = r"no trial shows c3; they show c2 .40., .*, and 2 settling were left out: a label"
    with pytest.raises(ConfigError, match=said):
        fit_model(dataset(), labels(4))
    with pytest.raises(ConfigError, match="'c2' was shown but is not among the candidates"):
        fit_model(dataset(), labels(2))
    with pytest.raises(RecordingError, match="give 12 trials; record at least 20"):
        fit_model(dataset(12), labels())
    one = replace(dataset(), ids=("c0",) * 120)
    rng = np.random.default_rng(1)
    pool = replace(labels(), vectors=rng.random((3, 4), np.float32), space="sentence:x")
    with pytest.raises(RecordingError, match="only show 'c0'"):
        fit_model(one, pool)
    with pytest.raises(RecordingError, match=r"only 0 trials are left .* 500\.0 s kept"):
        fit_model(replace(dataset(), settling=500.0), labels())


def test_the_defaults_fit_together() -> None:
    chain = evoked_chain(SignalSpec(250.0, ("Cz", "Pz")))
    out = chain.prepare(SignalSpec(250.0, ("Cz", "Pz")))
    assert out.to_samples(EVOKED_WINDOWS.tmax - EVOKED_WINDOWS.tmin) > 50


def test_what_never_recurs_is_scored_as_zero_shot() -> None:
    """Each of 120 things is shown once: by its place in the space, others predict it."""
    data = replace(dataset(), ids=tuple(f"c{n}" for n in range(120)))
    rng = np.random.default_rng(1)
    vectors = (data.windows.mean(axis=2) @ rng.standard_normal((3, 8))).astype(np.float32)
    names = data.ids
    trained = (True,) * 120
    candidates = Candidates(names, names, ("",) * 120, trained, vectors, "sentence:test")
    held_out = fit_model(data, candidates).held_out
    assert held_out.protocol == "zero_shot"
    assert len(held_out.truth) == 120
    better = held_out.similarity > held_out.similarity[np.arange(120), held_out.truth][:, None]
    assert better.mean() < 0.2


def test_a_label_that_never_recurs_is_refused() -> None:
    data = dataset(n_concepts=4)
    ids = tuple(f"c{group}" for group in data.groups)
    with pytest.raises(RecordingError, match="show each in at least two runs"):
        fit_model(replace(data, ids=ids), labels(4))


@pytest.mark.parametrize("encoder", ["ridge", "riemann", "auto"])
def test_a_run_of_a_single_trial_does_not_stop_a_fit(encoder: str) -> None:
    data = dataset(n=40)
    data = replace(data, groups=np.r_[np.zeros(39, np.intp), 1])
    truth = truth_of(data, labels())
    fitted = fit_encoder(data, labels().vectors[truth], np.ones(40, bool), encoder=encoder)
    assert fitted.encode(data.window(0)).shape == (3,)


def test_each_trial_is_predicted_as_its_own_person_s() -> None:
    people = replace(dataset(n=80, files=4), subjects=("a", "a", "b", "b"))
    np.testing.assert_array_equal(people.people, people.files >= 2)
    truth = truth_of(people, labels())
    targets = labels().vectors[truth]
    with quick_networks(max_epochs=1):
        encoder = fit_encoder(
            people, targets, np.ones(80, bool), encoder="simpleconv", course=Course()
        )
    split = make_split(people, labels(), truth)
    held_out = hold_out(people, labels(), truth, split, lambda *_: encoder)
    fold = split.folds[0]  # run 0, of person a
    centre = targets[fold.train].mean(axis=0)
    toward = directions(labels().vectors, centre)
    vectors = [for_subject(encoder, k).encode(people.window(0)) for k in (0, 1)]
    assert (vectors[0] != vectors[1]).any()
    expected = similarities(toward, centre, vectors[0])
    np.testing.assert_allclose(held_out.similarity[0], expected, rtol=1e-4, atol=1e-5)


def test_the_model_is_of_the_last_recording_s_person() -> None:
    people = replace(dataset(n=80, files=2), subjects=("b", "a"))
    with quick_networks(max_epochs=1):
        fitted = fit_model(people, labels(), encoder="simpleconv")
    assert fitted.model.training["subjects"] == ["b", "a"]
    assert fitted.model.encoder.arrays()["subject"] == 0
    assert fitted.model.encoder.arrays()["network.personal"].shape[0] == 2
