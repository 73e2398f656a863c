from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from models.usual import MARGIN, RISK, Usual, length_of, make_usual, size_of

CENTRE = np.zeros(3, np.float32)


def drawn(n: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    heavy = rng.standard_t(3, (n, 1))
    latents = heavy * rng.standard_normal((n, 3))
    windows = rng.standard_t(3, (n, 1, 1)) * rng.standard_normal((n, 2, 5))
    return latents.astype(np.float32), windows.astype(np.float32)


def test_limits_are_what_was_seen_times_a_margin() -> None:
    latents, windows = drawn(50, seed=0)
    usual = make_usual(latents, CENTRE, windows)
    assert usual is not None
    assert usual.length == pytest.approx(MARGIN * np.linalg.norm(latents, axis=1).max())
    assert usual.size == pytest.approx(MARGIN * np.sqrt((windows**2).mean(axis=(1, 2))).max())
    assert usual.risk == pytest.approx(2 / 51)


def test_of_many_trials_the_most_extreme_have_no_say() -> None:
    latents, windows = drawn(999, seed=0)
    before = make_usual(latents, CENTRE, windows)
    latents[np.argsort([length_of(v, CENTRE) for v in latents])[-4:]] *= 1000
    assert make_usual(latents, CENTRE, windows) == before
    assert before is not None
    assert before.risk == RISK


@pytest.mark.parametrize("n", [20, 199, 400])
def test_of_windows_like_those_of_calibration_no_more_are_unusual_than_promised(n: int) -> None:
    """Also where a few are far larger than the others, and without the margin's help."""
    beyond, risk = [], 0.0
    for seed in range(200):
        latents, windows = drawn(n + 20, seed)
        usual = make_usual(latents[:n], CENTRE, windows[:n])
        assert usual is not None
        risk = usual.risk
        bare = Usual(usual.length / MARGIN, usual.size / MARGIN, n)
        beyond += [
            not bare.holds(vector, CENTRE, data)
            for vector, data in zip(latents[n:], windows[n:], strict=True)
        ]
    assert np.mean(beyond) <= risk + 3 * np.sqrt(risk / len(beyond))


def test_either_is_enough_and_what_was_seen_passes() -> None:
    usual = Usual(2.0, 3.0, 100)
    here, data = np.array([1, 2, 2], np.float32), np.full((2, 4), 3, np.float32)
    centre = np.array([0, 1, 1], np.float32)
    assert usual.holds(here, centre, data)
    assert not usual.holds(2 * here, centre, data)
    assert not usual.holds(here, centre, 1.01 * data)
    assert (length_of(here, CENTRE), size_of(data)) == (3.0, 3.0)


def test_nothing_held_out_says_nothing() -> None:
    assert make_usual(np.zeros((0, 0), np.float32), CENTRE, []) is None
    windows = np.zeros((2, 2, 5), np.float32)
    assert make_usual(np.zeros((2, 3), np.float32), CENTRE, windows) is None
    with pytest.raises(ValueError, match="finite limits above 0"):
        Usual(0.0, 1.0, 5)
