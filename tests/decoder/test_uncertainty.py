from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from decoder.events import TextDecoded
from decoder.pool import Pool
from decoder.readout import Ranking
from decoder.session import Session
from decoder.uncertainty import CERTAIN, Doubt, Uncertainty
from models.candidates import Candidates
from models.conformal import Odds
from models.latent import Latent
from streaming.errors import ConfigError
from tests.decoder.tiny import SPEC, chunk, marker, signal, tiny_model

BARE = tiny_model()


def odds(truth: NDArray[np.float64]) -> Odds:
    """Return what trials of two candidates gave, of which the truth had this probability."""
    column = truth[:, None]
    return Odds(column, np.maximum(column, 1 - column))


MODEL = replace(BARE, conformal={"closed_set": odds(np.linspace(0.05, 0.95, 19))})
DECODED = TextDecoded("S/locked/0", (), 2, True, "c", "m", 0, 0, 20, 1.0, 1.2)


def ranking(p: float) -> Ranking:
    return Ranking(np.array([p, 1 - p]))


def latent(face: float) -> Latent:
    return Latent(np.array([face, 1 - face], np.float32), "labels", 1.2, MODEL.model_id)


def test_a_set_holds_what_is_as_probable_as_the_truth_used_to_be() -> None:
    doubt = Doubt(MODEL, MODEL.candidates, Uncertainty(risk=0.2))
    assert doubt.no_set == ""
    # 16 of 19: the truth had at least 0.2
    sure, unsure = (doubt.set_of(ranking(p), 0, final=True) for p in (0.85, 0.75))
    assert sure is not None
    assert (sure.ids, sure.risk, sure.n_calibration) == (("face",), 0.2, 19)
    assert unsure is not None
    assert unsure.ids == ("face", "house")


def test_the_best_candidate_is_in_the_set_however_little_it_has() -> None:
    certain = replace(BARE, conformal={"closed_set": odds(np.full(19, 0.99))})
    found = Doubt(certain, MODEL.candidates, Uncertainty(risk=0.2))
    alone = found.set_of(ranking(0.4), 0, final=True)
    assert alone is not None
    assert alone.ids == ("house",)


def changed(**fields: object) -> Candidates:
    return replace(BARE.candidates, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("model", "candidates", "asked", "why"),
    [
        (MODEL, MODEL.candidates, CERTAIN, "not asked for"),
        (BARE, MODEL.candidates, Uncertainty(0.2), "nothing was held out .* seen in calib"),
        (MODEL, MODEL.candidates, Uncertainty(0.01), "needs 99 held-out trials.* are 19"),
        (MODEL, changed(ids=("a", "b")), Uncertainty(0.2), "own candidates alone"),
        (
            replace(MODEL, candidates=changed(trained=(True, False))),
            changed(trained=(True, False)),
            Uncertainty(0.2),
            "candidates never seen",
        ),
    ],
)
def test_where_nothing_is_promised_there_is_no_set_and_a_reason(
    model: object, candidates: Candidates, asked: Uncertainty, why: str
) -> None:
    doubt = Doubt(model, candidates, asked)  # type: ignore[arg-type]
    assert doubt.set_of(ranking(0.9), 0, final=True) is None
    assert re.search(why, doubt.no_set)


def test_candidates_seen_in_calibration_and_others_have_each_a_promise() -> None:
    """Of 1,000 trials of either kind, among both kinds, the sets miss no more than promised."""
    rng = np.random.default_rng(0)
    kinds = np.array([True] * 5 + [False] * 5)

    def trials(n: int, *, trained: bool) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        scores = rng.standard_normal((n, 10)) + kinds  # answers are drawn to what was trained
        truth = rng.choice(np.flatnonzero(kinds == trained), n)
        scores[np.arange(n), truth] += 1
        p = np.exp(scores)
        return p / p.sum(axis=1, keepdims=True), truth

    names = tuple(f"c{n}" for n in range(10))
    vectors = np.eye(10, dtype=np.float32)
    candidates = Candidates(names, names, ("",) * 10, tuple(kinds.tolist()), vectors, "s")
    conformal = {}
    for name, trained in (("closed_set", True), ("zero_shot", False)):
        p, truth = trials(2000, trained=trained)
        best = p.max(axis=1, keepdims=True)
        conformal[name] = Odds(p[np.arange(2000), truth][:, None], best)
    model = replace(BARE, conformal=conformal)
    object.__setattr__(model, "candidates", candidates)
    doubt = Doubt(model, candidates, Uncertainty(risk=0.2))
    for trained in (True, False):
        p, truth = trials(1000, trained=trained)
        sets = [doubt.set_of(Ranking(row), 0, final=True) for row in p]
        held = [s is not None and names[t] in s.ids for s, t in zip(sets, truth, strict=True)]
        assert np.mean(held) == pytest.approx(0.8, abs=4 * (0.16 / 1000) ** 0.5)


def test_what_is_no_share_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--risk is a share .* got 1"):
        Uncertainty(risk=1.0)
    with pytest.raises(ConfigError, match="--stop-at-risk"):
        Uncertainty(stop_at_risk=0.0)
    with pytest.raises(ConfigError, match="got 0"):
        Uncertainty(risk=0.1, max_set=0)
    with pytest.raises(ConfigError, match="no --risk"):
        Uncertainty(max_set=2)


def test_a_pool_withholds_what_is_unsure_and_counts_its_set() -> None:
    pool = Pool(MODEL, MODEL.candidates, {}, {}, Uncertainty(risk=0.2, max_set=1))
    sure = pool.choose(DECODED, pool.rank(latent(1.0)), marker(0, "face"))
    assert (sure.abstained, sure.conformal and sure.conformal.ids) == ("", ("face",))
    unsure = pool.choose(DECODED, pool.rank(latent(0.51)), marker(0, "house"))
    assert (unsure.abstained, unsure.top, unsure.truth) == ("unsure", (), None)
    assert unsure.conformal is not None
    (running,) = unsure.running
    assert (running.n, running.n_sets, running.coverage, running.set_size) == (1, 2, 1.0, 1.5)
    wrong = pool.choose(DECODED, pool.rank(latent(1.0)), marker(0, "house"))
    (running,) = wrong.running
    assert (running.n, running.n_sets, running.coverage) == (2, 3, 2 / 3)
    stale = pool.choose(
        replace(DECODED, stale=True), pool.rank(latent(1.0)), marker(0, "house")
    )
    assert stale.running[0].n_sets == 3


def test_a_session_says_why_there_is_no_set() -> None:
    session = Session(MODEL, SPEC, "S", 1e9, asked=Uncertainty(risk=0.01))
    assert "needs 99" in session.doubt.no_set
    data = signal()
    events = session.feed(chunk(data, 0, 2000), 120.0) + session.feed(marker(1500), 120.0)
    (decoded,) = [e for e in events if isinstance(e, TextDecoded)]
    assert decoded.calibrated
    assert decoded.conformal is None
