from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from decoder.refitter import N_FRESH, N_LEAST, N_MOST, Outcome, Refitter, Trial
from decoder.uncertainty import Doubt, Uncertainty
from models.candidates import Candidates, embed_candidates
from models.checkpoint import Model
from models.refit import make_sums
from models.ridge import RidgeEncoder
from models.spaces import open_space
from models.stage import Stage
from models.trials import Trials
from models.usual import Usual, length_of
from streaming.errors import ModelError
from streaming.window import LockedWindows
from tests.decoder.learning import learner, trials, windows

MODEL = learner()


def taken(refitter: Refitter, given: list[Trial]) -> list[Outcome]:
    return [outcome for trial in given for outcome in refitter.take(trial)]


def test_what_has_turned_round_is_learnt_tried_and_takes_over() -> None:
    refitter = Refitter(MODEL)
    said: list[Outcome] = []
    for seed in range(60):  # ten trials at a time, ranked by whatever decodes then
        said += taken(refitter, trials(refitter.model, 10, -0.5, seed=seed))
    assert said[0].state == "shadow"
    models = [outcome.model for outcome in said if outcome.model is not None]
    assert [outcome.state for outcome in said].count("swapped") == len(models) >= 1
    made = models[-1]
    assert refitter.model is made
    assert made.candidates.hash == MODEL.candidates.hash
    assert (made.scores, made.spec) == ({}, MODEL.spec)
    assert models[0].training["refit"]["from"] == MODEL.model_id
    assert models[0].training["refit"]["n_tried"] >= N_LEAST
    fresh = trials(made, 200, -0.5, seed=99)
    assert np.mean([trial.rank == 1 for trial in fresh]) > 0.9
    assert np.mean([trial.rank == 1 for trial in trials(MODEL, 200, -0.5, seed=99)]) < 0.1


def test_where_nothing_has_changed_nothing_takes_over() -> None:
    said = taken(Refitter(MODEL), trials(MODEL, 2 * (N_MOST + N_FRESH), 0.5, seed=3))
    assert {outcome.state for outcome in said} == {"shadow", "refused"}


def test_a_label_is_looked_at_after_the_shadow_has_decoded() -> None:
    """The same trials with the last label swapped: the same verdict on all before it."""
    given = trials(MODEL, N_FRESH + 20, -0.5, seed=1)
    other = {"face": "house", "house": "face"}
    changed = [*given[:-1], replace(given[-1], shown=other[given[-1].shown])]
    both = [Refitter(MODEL), Refitter(MODEL)]
    for refitter, part in zip(both, (given, changed), strict=True):
        taken(refitter, part)
    shadows = [refitter._shadow for refitter in both]
    assert shadows[0] is not None
    assert shadows[1] is not None
    np.testing.assert_array_equal(shadows[0].similarity[-1], shadows[1].similarity[-1])


def test_own_decodes_are_learnt_and_never_judged() -> None:
    unsure = [replace(trial, rank=0) for trial in trials(MODEL, 3 * N_FRESH, -0.5, seed=1)]
    refitter = Refitter(MODEL)
    assert [outcome.state for outcome in taken(refitter, unsure)] == ["shadow"]
    assert refitter._shadow is not None
    assert refitter._shadow.paired.n == 0


def test_what_calibration_had_not_shown_is_not_learnt() -> None:
    never = replace(MODEL, candidates=replace(MODEL.candidates, trained=(True, False)))
    assert isinstance(never.candidates, Candidates)
    refitter = Refitter(never)
    houses = [t for t in trials(never, 200, -0.5, seed=1) if t.shown == "house"]
    assert taken(refitter, houses) == []
    assert refitter._sums is never.sums


def test_what_cannot_learn_says_why() -> None:
    with pytest.raises(ModelError, match="older version and keeps no sums"):
        Refitter(replace(MODEL, sums=None))


def test_a_model_of_several_latencies_is_refused() -> None:
    windowing = LockedWindows(tmin=0.0, tmax=0.2, latencies=(0.1, 0.2))
    assert isinstance(MODEL.encoder, RidgeEncoder)
    stage = Stage(MODEL.encoder, MODEL.temperature)
    with pytest.raises(ModelError, match="2 latencies has an encoder for each"):
        Refitter(replace(MODEL, windowing=windowing, stages=(stage,)))


def test_what_is_usual_of_a_refitted_model_is_what_it_was_tried_on() -> None:
    usual = (Usual(1e-6, 1e-4, 60),)
    refitter = Refitter(replace(MODEL, usual=usual))
    for seed in range(60):
        taken(refitter, trials(refitter.model, 10, -0.5, seed=seed))
    made = refitter.model
    assert made.model_id != MODEL.model_id
    assert isinstance(made.encoder, RidgeEncoder)
    (now,) = made.usual
    assert (now.size, now.n) == (usual[0].size, usual[0].n)
    fresh = [
        length_of(made.encoder.encode_data(trial.data), made.centre)
        for trial in trials(made, 100, -0.5, seed=99)
    ]
    assert np.mean(np.array(fresh) <= now.length) > 0.9


def test_sets_of_a_refit_rest_on_trials_that_it_had_not_learnt() -> None:
    names = ("face", "house", "car")
    space = embed_candidates(names, names, open_space("labels"))
    three = replace(space, trained=(True, True, False))
    data, shown = windows(60, 0.5, seed=0)
    encoder = RidgeEncoder.fit(Trials(data, three.vectors[shown], np.arange(60) // 15, 50.0))
    model = replace(
        MODEL,
        encoder=encoder,
        candidates=three,
        centre=three.vectors[:2].mean(axis=0),
        sums=make_sums(encoder, data, three.vectors[shown]),
    )
    refitter = Refitter(model, "S")
    made: list[Model] = []
    given = trials(MODEL, 400, -0.5, seed=5)
    n_cars = 0
    while not made:
        trial = given.pop()
        n_cars += refitter._shadow is not None
        cars = [replace(trial, shown="car", rank=3)]  # one of them after each
        said = taken(refitter, [replace(trial, rank=3), *cars])
        made = [outcome.model for outcome in said if outcome.model is not None]
    odds = made[0].conformal
    assert len(odds["closed_set"]) == made[0].training["refit"]["n_tried"] >= N_LEAST
    assert len(odds["zero_shot"]) in {n_cars - 1, n_cars}
    assert made[0].training["refit"]["n_learnt"] == N_FRESH + n_cars - 1
    doubt = Doubt(made[0], three, Uncertainty(risk=0.2))
    assert doubt.no_set == ""
    assert Doubt(made[0], three, Uncertainty(risk=0.005)).no_set


def test_the_copy_is_recentred_as_long_as_the_model_is() -> None:
    refitter = Refitter(MODEL)
    given = trials(MODEL, N_FRESH + 9, 0.5, seed=2)
    moved = [replace(trial, recentred=True) for trial in given]
    seen = []
    for trial in [*given[: N_FRESH + 3], *moved[-6:-3], *given[-3:]]:
        taken(refitter, [trial])
        shadow = refitter._shadow
        seen.append(shadow is not None and shadow.recentring is not None)
    assert seen == [False] * (N_FRESH + 3) + [True] * 3 + [False] * 3
