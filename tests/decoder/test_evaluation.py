from __future__ import annotations

import io
import json
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console
from scipy.stats import mannwhitneyu, norm
from sklearn.metrics import roc_auc_score, top_k_accuracy_score

from decoder.design import Order
from decoder.evaluation import Evaluation, evaluate, one_line
from decoder.metrics import mean_score
from decoder.permutation import N_PERMUTATIONS
from decoder.resampling import bootstrap
from decoder.tables import as_table
from models.folds import Protocol
from models.heldout import HeldOut
from streaming.errors import EvaluationError

RANDOM = Order("random", 0.0, 0.0, 0.5)

Problem = tuple[NDArray[np.float32], NDArray[np.intp], NDArray[np.intp]]


def score(
    similarity: NDArray[np.float32],
    truth: NDArray[np.intp],
    groups: NDArray[np.intp],
    *,
    protocol: Protocol = "closed_set",
    pools: NDArray[np.bool_] | None = None,
    stim_files: Sequence[str] = (),
    cross_validated: bool = True,
    order: Order = RANDOM,
) -> Evaluation:
    fold = groups if cross_validated else np.zeros(len(truth), np.intp)
    n_folds = max(int(fold.max(initial=0)) + 1, 1 + cross_validated)
    if pools is None:
        pools = np.ones((n_folds, similarity.shape[1]), bool)
    held_out = HeldOut(
        protocol=protocol,
        similarity=similarity,
        truth=truth,
        groups=groups,
        t=np.arange(len(truth), dtype=np.float64),
        stim_files=tuple(stim_files),
        n_purged=0,
        fold=fold,
        pools=pools,
        index=np.arange(len(truth)),
        encoders=(),
    )
    return evaluate(held_out, order)


def problem(n: int, pool: int, signal: float, seed: int = 0, runs: int = 5) -> Problem:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, pool, n)
    similarity = rng.standard_normal((n, pool)).astype(np.float32)
    similarity[np.arange(n), truth] += signal
    return similarity, truth, np.arange(n) * runs // n


def test_scores_of_many_candidates_are_those_of_sklearn() -> None:
    similarity, truth, groups = problem(400, 30, 1.5)
    e = score(similarity, truth, groups)
    for k, top in ((1, e.top1), (5, e.top5), (10, e.top10)):
        oracle = top_k_accuracy_score(truth, similarity, k=k, labels=range(30))
        assert top.value == pytest.approx(oracle)
        assert top.chance == pytest.approx(k / 30, rel=0.2)
        assert top.low < top.value < top.high
    beaten = (similarity < similarity[np.arange(400), truth][:, None]).sum(1)
    assert e.pairwise.value == pytest.approx((beaten / 29).mean())
    assert e.median_rank.value == np.median(30 - beaten)
    assert e.median_rank.chance == pytest.approx(15.5, abs=1)
    assert e.majority == np.bincount(truth).max() / 400
    assert (e.n, e.pool, e.n_groups, e.auc) == (400, 30, 5, None)
    assert e.statistic == "pairwise"
    assert e.p_value == 1 / (1 + N_PERMUTATIONS)
    assert e.clusters == "run and stimulus"


def test_the_auc_of_one_run_is_that_of_sklearn() -> None:
    similarity, truth, _ = problem(200, 2, 0.3)
    groups = np.zeros(200, np.intp)
    e = score(similarity, truth, groups)
    assert e.auc is not None
    oracle = roc_auc_score(truth, similarity[:, 1] - similarity[:, 0])
    assert e.auc.value == pytest.approx(oracle)
    assert e.auc.low < oracle < e.auc.high
    assert (e.top5.value, e.top5.chance) == (1.0, 1.0)
    assert e.clusters == "trial"


def test_drift_between_runs_counts_for_nothing() -> None:
    similarity, truth, groups = problem(400, 2, 0.5)
    drifted = similarity.copy()
    drifted[:, 1] += groups * np.float32(100)
    e, d = (score(s, truth, groups) for s in (similarity, drifted))
    assert e.auc is not None
    assert d.auc is not None
    assert d.auc.value == pytest.approx(e.auc.value, abs=1e-3)  # float32 rounds the drifted
    assert d.p_value == pytest.approx(e.p_value, abs=1e-3)
    assert d.modal_share > 0.8 > e.modal_share


def test_the_permutation_p_is_that_of_the_rank_test() -> None:
    similarity, truth, groups = problem(60, 2, 0.15, seed=4, runs=1)
    e, cautious = (
        score(
            similarity,
            truth,
            groups,
            cross_validated=cross_validated,
        )
        for cross_validated in (False, True)
    )
    decision = similarity[:, 1] - similarity[:, 0]
    oracle = mannwhitneyu(decision[truth == 1], decision[truth == 0], alternative="greater")
    assert 0.01 < oracle.pvalue < 0.9
    assert e.p_value == pytest.approx(oracle.pvalue, abs=0.02)
    widened = norm.sf(norm.isf(oracle.pvalue) / np.sqrt(2))
    assert cautious.p_value == pytest.approx(widened, abs=0.02)


def test_a_constant_decoder_is_at_chance() -> None:
    _, truth, groups = problem(100, 12, 0.0)
    constant = np.zeros((100, 12), np.float32)
    e = score(constant, truth, groups)
    assert e.pairwise.value == 0.5
    assert e.median_rank.value == e.median_rank.chance
    assert e.p_value == 1.0
    assert e.modal_share == 1.0


def test_intervals_widen_when_runs_differ() -> None:
    similarity, truth, groups = problem(500, 5, 1.0)
    uneven = similarity.copy()
    uneven[groups < 2] = -uneven[groups < 2]
    widths = [
        (e.top1.high - e.top1.low)
        for e in (score(s, truth, groups) for s in (similarity, uneven))
    ]
    assert widths[1] > 2 * widths[0]


def test_intervals_of_six_runs_cover_the_truth() -> None:
    rng = np.random.default_rng(0)
    groups = np.arange(120) // 20
    resamples = bootstrap(
        np.zeros(120, np.intp), groups, np.arange(120.0), [], cross_validated=False
    )
    covered = 0
    for _ in range(400):
        values = rng.standard_normal(6)[groups] + rng.standard_normal(120)
        nothing = np.zeros(120, np.intp)
        mean = mean_score(norm.cdf(values)[:, None], nothing, np.ones((120, 1)), resamples)
        covered += mean.low < 0.5 < mean.high
    assert 0.9 < covered / 400 < 0.98  # measured 0.94 over 2000; plain percentiles 0.87


def test_a_run_without_one_of_the_classes_is_no_trouble() -> None:
    similarity, truth, groups = problem(100, 2, 1.0)
    truth[groups == 0] = 1
    e = score(similarity, truth, groups)
    assert e.auc is not None
    one_class = score(similarity, np.ones(100, np.intp), groups)
    assert one_class.auc is None
    assert one_class.p_value == 1.0


def test_protocols_are_not_mixed() -> None:
    similarity, truth, groups = problem(50, 4, 0.0)
    truth[:10] = 3
    zero_shot = np.array([[False, False, True, True]])
    with pytest.raises(EvaluationError, match="what the model was trained on; zero_shot ref"):
        score(
            similarity,
            truth,
            groups,
            protocol="zero_shot",
            pools=zero_shot,
            cross_validated=False,
        )
    with pytest.raises(EvaluationError, match="what the model never saw; closed_set refuses"):
        score(similarity, truth, groups, pools=~zero_shot, cross_validated=False)
    new = truth >= 2
    e = score(
        similarity[new],
        truth[new],
        groups[new],
        protocol="zero_shot",
        pools=zero_shot,
        cross_validated=False,
    )
    assert (e.protocol, e.pool, e.auc) == ("zero_shot", 2, None)
    better = similarity[new, truth[new]] > similarity[new, 5 - truth[new]]
    assert e.top1.value == pytest.approx(better.mean())
    assert e.pairwise.value == e.top1.value


def test_chance_follows_pools_of_different_sizes() -> None:
    similarity, truth, groups = problem(400, 4, 0.0, runs=2)
    truth[groups == 0] %= 2
    pools = np.array([[True, True, False, False], [True] * 4])
    e = score(similarity, truth, groups, pools=pools)
    assert e.top1.chance == pytest.approx((0.5 + 0.25) / 2, abs=0.005)
    assert e.top1.low < e.top1.chance < e.top1.high
    assert e.pairwise.low < 0.5 < e.pairwise.high


def test_no_p_is_given_where_the_order_allows_none() -> None:
    similarity, truth, groups = problem(100, 2, 2.0)
    blocked = score(similarity, truth, groups, order=Order("blocked", 0.9, 0.0, 0.0005))
    assert blocked.p_value is None
    assert blocked.verdict == "cannot be told"
    assert "no p" in one_line(blocked)
    shifted = score(similarity, truth, groups, order=Order("alternating", -1, 0.0, 0.0005))
    assert shifted.p_value is not None
    assert "circular shifts" in shifted.permutation
    assert score(similarity, truth, groups).verdict == "above chance"


def test_what_cannot_be_scored_is_refused() -> None:
    similarity, truth, groups = problem(50, 4, 0.0)
    with pytest.raises(ValueError, match="they must match"):
        score(similarity, truth[1:], groups)
    none = np.zeros(0, np.intp)
    with pytest.raises(EvaluationError, match="0 trials"):
        score(similarity[:0], none, none)
    similarity[3, 2] = np.nan
    with pytest.raises(EvaluationError, match="not finite"):
        score(similarity, truth, groups)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([], "unknown"),
        (["a.jpg"] * 49 + [""], "unknown"),
        (["a.jpg", "b.jpg"] * 25, "shared"),
        ([f"{n // 10}{n % 2}.jpg" for n in range(50)], "disjoint"),
    ],
)
def test_shared_stimulus_files_are_told(files: list[str], said: str) -> None:
    similarity, truth, groups = problem(50, 4, 0.0)
    e = score(similarity, truth, groups, stim_files=files)
    assert e.stimulus_files == said
    assert e.to_json()["stimulus_files"] == said


def test_it_is_told_in_json_in_a_line_and_as_a_table() -> None:
    for pool in (2, 30):
        similarity, truth, groups = problem(60, pool, 2.0)
        e = score(similarity, truth, groups)
        values = json.loads(json.dumps(e.to_json(), allow_nan=False))
        assert values["top1"]["value"] == e.top1.value
        assert "nothing was refitted" in values["permutation"]
        assert one_line(e).startswith("closed_set, 60 trials: ")
        console = Console(width=100, record=True, file=io.StringIO())
        console.print(as_table(e))
        said = console.export_text()
        assert "closed_set: 60 trials in 5 runs" in said
        assert ("AUC" in said) == (pool == 2)
        assert ("top-5" in said) == (pool > 5)
