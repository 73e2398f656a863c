"""Real recordings through the product's own path: chain, windows, held-out fit and scores."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from decoder.evaluation import Evaluation, evaluate
from models.candidates import embed_candidates
from models.dataset import Dataset, read_dataset
from models.fit import EVOKED_WINDOWS, evoked_chain, fit_model
from models.spaces import LabelSpace
from models.stimuli import StimulusTable
from streaming.window import LockedWindows
from tests.recordings import recordings


@cache
def read(pattern: str, labels: tuple[str, ...], windows: LockedWindows) -> Dataset:
    paths = recordings(f"muse/{pattern}")
    table = StimulusTable.from_labels(labels)
    return read_dataset(paths, windows, table, evoked_chain, drop=["Right AUX"])


def score(dataset: Dataset) -> Evaluation:
    labels = sorted(set(dataset.ids))
    held_out = fit_model(dataset, embed_candidates(labels, labels, LabelSpace())).held_out
    return evaluate(held_out)


def test_faces_are_told_from_houses() -> None:
    e = score(read("N170_subject1_*_raw.fif", ("face", "house"), EVOKED_WINDOWS))
    assert (e.n_groups, e.pool) == (6, 2)
    assert e.n > 1100
    assert e.auc is not None
    assert e.auc.value >= 0.64  # measured 0.663
    assert e.auc.low > 0.55
    assert e.p_value is not None
    assert e.p_value < 0.001


def test_rare_pictures_are_told_from_frequent_ones() -> None:
    e = score(read("P300_subject1_session1_*_raw.fif", ("cat", "dog"), EVOKED_WINDOWS))
    assert e.auc is not None
    assert e.auc.value > 0.65  # measured 0.70; rarity and category are confounded here
    assert e.p_value is not None
    assert e.p_value < 0.001


def test_before_the_stimulus_there_is_nothing_to_read() -> None:
    windows = LockedWindows(-0.4, 0.0)
    e = score(read("N170_subject1_*_raw.fif", ("face", "house"), windows))
    assert e.auc is not None
    assert e.auc.low < 0.5
    assert e.p_value is not None
    assert e.p_value > 0.01


def test_shuffled_labels_are_at_chance() -> None:
    dataset = read("N170_subject1_*_raw.fif", ("face", "house"), EVOKED_WINDOWS)
    rng = np.random.default_rng(0)
    ids = np.array(dataset.ids)
    for group in np.unique(dataset.groups):
        here = dataset.groups == group
        ids[here] = rng.permutation(ids[here])
    e = score(replace(dataset, ids=tuple(ids.tolist())))
    assert e.auc is not None
    assert e.auc.low < 0.5
    assert e.p_value is not None
    assert e.p_value > 0.01
