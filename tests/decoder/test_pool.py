from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from decoder.events import TextDecoded
from decoder.pool import Pool, pool_name
from models.latent import Latent
from streaming.errors import ConfigError
from tests.decoder.tiny import marker, tiny_model

MODEL = tiny_model()
DECODED = TextDecoded("S/locked/0", (), 2, True, "c", "m", 0, 0, 20, 1.0, 1.2)
FACE = Latent(np.array([1, 0], np.float32), "labels", 1.2, MODEL.model_id)


def test_the_best_come_first_and_the_truth_after_the_choice() -> None:
    pool = Pool(MODEL, MODEL.candidates, {})
    decoded = pool.choose(DECODED, pool.rank(FACE), marker(0, "house"))
    assert [ranked.id for ranked in decoded.top] == ["face", "house"]
    assert decoded.truth is not None
    assert (decoded.truth.rank, [r.n for r in decoded.running]) == (2, [1])
    assert pool.choose(DECODED, pool.rank(FACE), None).top == decoded.top
    assert pool.choose(DECODED, pool.rank(FACE), marker(0, "cough")).truth is None
    stale = pool.choose(replace(DECODED, stale=True), pool.rank(FACE), marker(0, "face"))
    assert [score.n for score in stale.running] == [1]


def test_only_the_models_own_candidates_are_calibrated_whatever_their_version() -> None:
    own = MODEL.candidates
    assert Pool(MODEL, replace(own, version=9, glyphs=("F", "H")), {}).calibrated
    turned = replace(own, ids=own.ids[::-1], texts=own.texts[::-1])
    assert not Pool(MODEL, turned, {}).calibrated
    assert pool_name("m", own.hash) != pool_name("m", turned.hash)


def test_a_score_goes_on_from_ranks_before() -> None:
    pool = Pool(MODEL, MODEL.candidates, {"closed_set": [1, 2]})
    decoded = pool.choose(DECODED, pool.rank(FACE), marker(0, "face"))
    assert [(score.n, score.top1) for score in decoded.running] == [(3, 2 / 3)]


@pytest.mark.parametrize(
    "changes", [{"space": "clip:x"}, {"vectors": np.ones((2, 3), np.float32)}]
)
def test_candidates_of_another_space_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="embed them there"):
        Pool(MODEL, replace(MODEL.candidates, **changes), {})  # type: ignore[arg-type]
