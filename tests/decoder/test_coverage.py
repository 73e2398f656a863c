from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from decoder.assessing import assess_model
from decoder.coverage import RISKS, coverage_of, latency_points
from decoder.report import write_report
from decoder.uncertainty import Uncertainty
from models.fit import fit_model
from models.heldout import HeldOut, predict
from models.retrieval import probabilities
from tests.decoder.trials import problem


def held_out(n: int = 600, n_candidates: int = 5, seed: int = 0) -> HeldOut:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, n_candidates, n)
    similarity = rng.standard_normal((n, n_candidates)).astype(np.float32)
    similarity[np.arange(n), truth] += 1
    return HeldOut(
        protocol="closed_set",
        similarity=similarity,
        truth=truth,
        groups=np.arange(n) * 6 // n,
        t=np.arange(n, dtype=float),
        stim_files=("",) * n,
        n_purged=0,
        fold=np.arange(n) * 6 // n,
        pools=np.ones((6, n_candidates), bool),
        index=np.arange(n),
        encoders=("ridge",) * 6,
    )


def test_sets_calibrated_on_other_runs_hold_what_they_promise() -> None:
    points = coverage_of(held_out())
    assert [p.risk for p in points] == list(RISKS)
    for p in points:
        assert p.coverage == pytest.approx(1 - p.risk, abs=0.05)
        assert p.low <= p.coverage <= p.high
        assert (p.n, p.n_calibration) == (600, 500)
    sizes = [p.set_size for p in points]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] <= 5


def test_what_shuffled_answers_hold_costs_nearly_all_candidates() -> None:
    h = held_out()
    guessed = replace(h, similarity=np.random.default_rng(1).permutation(h.similarity))
    for p in coverage_of(guessed):
        assert p.coverage == pytest.approx(1 - p.risk, abs=0.07)
        assert p.set_size > 0.6 * 5


def test_too_few_trials_for_a_risk_give_no_point() -> None:
    few = held_out(18)
    assert [p.risk for p in coverage_of(few)] == [0.1, 0.2, 0.3]


def test_a_models_sets_on_later_runs_are_those_that_it_gives_live(tmp_path: Path) -> None:
    first = problem(n=320)
    fitted = fit_model(first.dataset, first.candidates, latencies=(0.2, 0.3, 0.4))
    new = replace(
        first.dataset, windows=first.dataset.windows * np.float32(1.001), hashes=tuple("abcd")
    )
    found = predict(fitted.model, new, "closed_set")
    points = coverage_of(found, fitted.model)
    assert [p.n_calibration for p in points] == [320] * 4
    p = probabilities(found.similarity, fitted.model.temperature)
    (own,) = coverage_of(found, fitted.model, [0.2])
    truth = fitted.model.conformal["closed_set"].truth[:, -1]
    threshold = np.sort(truth)[320 - int(np.ceil(321 * 0.8 - 1e-9))]
    inside = p >= threshold
    inside[np.arange(len(p)), p.argmax(1)] = True
    assert own.coverage == inside[np.arange(len(p)), found.truth].mean()
    assert own.set_size == inside.sum(1).mean()
    assessment = assess_model(fitted.model, new, [Path("two_raw.fif")], "closed_set")
    assert assessment.coverage == tuple(points)
    assert [p.latency for p in assessment.latencies] == [0.2, 0.3, 0.4]
    early, *_, last = assessment.latencies
    assert early.main.value < 0.65 < last.main.value  # the response is in the later half
    assert last.main == assessment.scores.main
    write_report(assessment, tmp_path / "report.html")
    assert "how soon it can be read" in (tmp_path / "report.html").read_text()


def test_a_model_that_promises_nothing_has_no_coverage() -> None:
    p = problem(n=160)
    model = replace(fit_model(p.dataset, p.candidates).model, conformal={})
    assert coverage_of(held_out(n_candidates=2), model) == []
    assert Uncertainty().risk is None


def test_a_point_of_latency_is_the_score_of_its_predictions() -> None:
    weak, strong = held_out(), held_out()
    right = np.eye(5, dtype=np.float32)[strong.truth]
    strong = replace(strong, similarity=strong.similarity + 3 * right)
    points = latency_points([0.2, 0.4], [weak, strong])
    assert [p.latency for p in points] == [0.2, 0.4]
    assert points[0].top1.value < points[1].top1.value
