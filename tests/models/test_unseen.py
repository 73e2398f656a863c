from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from models.candidates import Candidates
from models.dataset import Dataset
from models.encoder import Encoder
from models.fit import fit_encoder, fit_model, truth_of
from models.folds import make_split
from models.unseen import hold_out_unseen
from tests.models.test_fit import dataset, labels

FIT = partial(fit_encoder, encoder="ridge")


def words(n: int) -> Candidates:
    """Return things in a space where those that were never seen have a meaning."""
    vectors = np.random.default_rng(0).standard_normal((n, 8)).astype(np.float32)
    return replace(labels(n), vectors=vectors, space="sentence:test", trained=(True,) * n)


def test_neither_the_run_nor_the_concept_of_a_trial_was_seen() -> None:
    data, candidates = dataset(240, n_concepts=12), words(15)
    truth = truth_of(data, candidates)
    trained: list[tuple[set[int], set[int]]] = []

    def fit(data: Dataset, targets: NDArray[np.float32], train: NDArray[np.bool_]) -> Encoder:
        trained.append((set(data.groups[train].tolist()), set(truth[train].tolist())))
        return FIT(data, targets, train)

    found = hold_out_unseen(data, candidates, truth, fit)
    assert found is not None
    split = make_split(data, candidates, truth, "zero_shot")
    assert len(trained) == len(found.pools) == 4 < len(split.folds)
    assert len(set(found.index.tolist())) == len(found.index)
    for fold, run, shown in zip(found.fold, found.groups, found.truth, strict=True):
        runs, concepts = trained[fold]
        assert run not in runs
        assert shown not in concepts
    assert found.similarity.shape[1] == 15


def test_labels_that_were_never_seen_are_not_guessed() -> None:
    data = dataset()
    assert hold_out_unseen(data, labels(), truth_of(data, labels()), FIT) is None


def test_a_model_with_candidates_never_seen_keeps_both_apart() -> None:
    fitted = fit_model(dataset(240, n_concepts=12), words(15))
    assert fitted.model.candidates.trained == (True,) * 12 + (False,) * 3
    assert set(fitted.model.conformal) == {"closed_set", "zero_shot"}
    assert len(fitted.model.conformal["closed_set"]) == 240
    closed, unseen = (fitted.model.conformal[name] for name in ("closed_set", "zero_shot"))
    assert closed.right.mean() > unseen.right.mean()
    alone = fit_model(dataset(240, n_concepts=12), words(12))
    assert set(alone.model.conformal) == {"closed_set"}
