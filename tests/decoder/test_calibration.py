from __future__ import annotations

from dataclasses import replace

import pytest

from decoder.calibration import calibration_of
from models.fit import fit_model
from tests.decoder.trials import problem


def test_it_is_what_a_fit_says() -> None:
    p = problem(signal=0.3)
    fitted = fit_model(p.dataset, p.candidates)
    found = calibration_of(fitted.held_out)
    assert found.error == pytest.approx(fitted.model.scores["calibration_error"])
    assert sum(b.n for b in found.bins) == 320
    assert [b.confidence for b in found.bins] == sorted(b.confidence for b in found.bins)
    assert found.error < 0.12


def test_a_scale_that_is_wrong_in_all_runs_is_mended_and_in_one_is_seen() -> None:
    held_out = problem(signal=0.3).hold_out()
    loud = replace(held_out, similarity=100 * held_out.similarity)
    assert calibration_of(loud).error == pytest.approx(calibration_of(held_out).error, abs=0.01)
    one = held_out.similarity.copy()
    one[held_out.groups == 2] *= 100
    uneven = calibration_of(replace(held_out, similarity=one))
    assert uneven.error > calibration_of(held_out).error


def test_what_was_not_chosen_from_has_no_probability() -> None:
    held_out = problem(n_concepts=3).hold_out()
    pools = held_out.pools.copy()
    kept = held_out.truth != 2
    pools[:, 2] = False
    few = replace(
        held_out,
        similarity=held_out.similarity[kept],
        truth=held_out.truth[kept],
        groups=held_out.groups[kept],
        fold=held_out.fold[kept],
        pools=pools,
    )
    two = replace(few, similarity=few.similarity[:, :2], pools=pools[:, :2])
    assert calibration_of(few).error == pytest.approx(calibration_of(two).error, abs=1e-6)
