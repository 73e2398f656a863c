from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.candidates import Candidates
from models.dataset import Dataset
from models.fit import fit_model, truth_of
from models.folds import Fold, Split, check_split, concepts_of, make_split
from models.stimuli import Stimulus, StimulusTable
from streaming.errors import EvaluationError, RecordingError
from tests.models.test_fit import dataset, labels


def meaning(n: int) -> Candidates:
    """Give as many candidates in a space where words have a meaning."""
    names = tuple(f"c{k}" for k in range(n))
    vectors = np.random.default_rng(1).standard_normal((n, 16)).astype(np.float32)
    return Candidates(names, names, ("",) * n, (True,) * n, vectors, "sentence:test")


def recurring() -> tuple[Dataset, Candidates]:
    """Give 10 concepts that are all shown in each of 4 runs."""
    return dataset(n=200, n_concepts=10), meaning(10)


def test_zero_shot_leaves_out_runs_and_concepts_where_concepts_recur() -> None:
    data, pool = recurring()
    truth = truth_of(data, pool)
    split = make_split(data, pool, truth, "zero_shot")
    assert len(split.folds) == 4 * 5
    tested = sum(fold.test.astype(int) for fold in split.folds)
    np.testing.assert_array_equal(tested, 1)
    for fold in split.folds:
        assert not set(truth[fold.train]) & set(truth[fold.test])
        assert not set(data.groups[fold.train]) & set(data.groups[fold.test])
        assert not fold.pool[truth[fold.train]].any()
        assert fold.pool[truth[fold.test]].all()
        assert fold.pool.sum() == 2
    held_out = fit_model(data, pool, protocol="zero_shot").held_out
    assert held_out.protocol == "zero_shot"
    assert held_out.pools.shape == (20, 10)
    np.testing.assert_array_equal(held_out.index, range(200))


def test_a_closed_set_is_what_recurs() -> None:
    data, pool = recurring()
    truth = truth_of(data, pool)
    for protocol in (None, "closed_set"):
        split = make_split(data, pool, truth, protocol)
        assert split.protocol == "closed_set"
        assert len(split.folds) == 4
        assert all(fold.pool.all() for fold in split.folds)


def test_stretches_of_a_track_are_zero_shot_also_where_some_recur() -> None:
    data, pool = recurring()
    pool = replace(pool, space="track:envelope")
    assert make_split(data, pool, truth_of(data, pool)).protocol == "zero_shot"
    assert make_split(data, pool, truth_of(data, pool), "closed_set").protocol == "closed_set"


def test_concepts_are_held_out_whole() -> None:
    data, pool = recurring()
    rows = [Stimulus(f"c{k}", "stimulus", f"c{k}", concept=f"k{k // 2}") for k in range(10)]
    data = replace(data, table=StimulusTable(rows))
    concept = concepts_of(data, pool)
    assert concept.tolist() == [f"k{k // 2}" for k in range(10)]
    truth = truth_of(data, pool)
    for fold in make_split(data, pool, truth, "zero_shot").folds:
        assert not set(concept[truth[fold.train]]) & set(concept[truth[fold.test]])
        assert fold.pool.sum() >= 4


def leak(what: str) -> tuple[Dataset, Candidates, Split]:
    """Make a split by hand, and plant a leak in it."""
    data, pool = recurring()
    data = replace(data, t=data.t / 2) if what == "window" else data
    truth = truth_of(data, pool)
    split = make_split(data, pool, truth, "zero_shot")
    train, test = split.folds[0].train.copy(), split.folds[0].test.copy()
    if what == "trial":
        train[np.flatnonzero(test)[0]] = True
    if what == "window":  # of another concept, but next to a test trial
        neighbour = np.flatnonzero(test)[0] + 1
        assert not test[neighbour]
        train[neighbour] = True
    if what == "concept":
        far = np.flatnonzero((truth == truth[test][0]) & (data.groups == 3))[0]
        train[far] = True
    if what == "file":
        files = [f"{n}.jpg" for n in range(200)]
        files[np.flatnonzero(train)[0]] = files[np.flatnonzero(test)[0]]
        data = replace(data, stim_files=tuple(files))
    fold = Fold(train, test, split.folds[0].pool)
    return data, pool, replace(split, folds=(fold, *split.folds[1:]))


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("trial", r"is also tested; keep 1\.4 s"),
        ("window", "shares samples with a test trial"),
        ("concept", r"the concept 'c\d' is in training and in the test"),
        ("file", r"the stimulus file '\d+\.jpg' is in training"),
    ],
)
def test_a_split_that_leaks_is_refused_with_the_reason(what: str, said: str) -> None:
    data, pool, split = leak(what)
    with pytest.raises(EvaluationError, match=said):
        check_split(data, pool, truth_of(data, pool), split)


def test_a_split_without_a_leak_passes() -> None:
    data, pool, split = leak("none")
    check_split(data, pool, truth_of(data, pool), split)
    closed = make_split(data, pool, truth_of(data, pool), "closed_set")
    files = replace(data, stim_files=("same.jpg",) * len(data))
    check_split(files, pool, truth_of(data, pool), closed)  # flatters, and is told


def test_what_cannot_be_scored_by_a_protocol_is_refused() -> None:
    data = dataset()
    with pytest.raises(RecordingError, match="zero_shot needs a sentence space"):
        fit_model(data, labels(), protocol="zero_shot")
    with pytest.raises(RecordingError, match="the same 3 concepts; zero_shot needs at least 4"):
        fit_model(data, meaning(3), protocol="zero_shot")
    once = replace(data, ids=tuple(f"c{n}" for n in range(120)))
    with pytest.raises(RecordingError, match="or score zero_shot"):
        fit_model(once, meaning(120), protocol="closed_set")
