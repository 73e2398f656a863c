from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from decoder.design import confounds_of, order_of

RUNS = np.arange(240) // 60
CODES = np.eye(2, dtype=np.float32)


def shown(kind: str) -> NDArray[np.intp]:
    rng = np.random.default_rng(0)
    orders = {
        "random": rng.integers(0, 2, 240),
        "rare": (rng.random(240) < 0.15).astype(int),
        "balanced": np.concatenate([rng.permutation(np.repeat([0, 1], 30)) for _ in range(4)]),
        "halves": np.arange(240) // 30 % 2,
        "blocks": np.arange(240) // 10 % 2,
        "trend": (rng.random(240) < np.tile(np.linspace(0, 1, 60), 4)).astype(int),
        "turns": np.arange(240) % 2,
        "runs": RUNS % 2,
    }
    return np.asarray(orders[kind], np.intp)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("random", "random"),
        ("rare", "random"),
        ("balanced", "random"),
        ("halves", "blocked"),
        ("blocks", "blocked"),
        ("trend", "blocked"),
        ("turns", "alternating"),
        ("runs", "one per run"),
    ],
)
def test_the_order_of_stimuli_is_told(kind: str, said: str) -> None:
    order = order_of(shown(kind), RUNS, CODES)
    assert order.kind == said
    assert bool(order.warning) == (said != "random")
    assert (order.p_value < 0.001) == (said != "random")


def test_blocks_of_alike_things_are_blocks() -> None:
    """No two successive things are the same, but animals come before tools."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((40, 8)).astype(np.float32)
    vectors[:20, 0] += 4
    apart = np.concatenate([rng.permutation(20), 20 + rng.permutation(20)])
    mixed = rng.permutation(40)
    runs = np.zeros(40, np.intp)
    assert order_of(apart, runs, vectors).kind == "blocked"
    assert order_of(mixed, runs, vectors).kind == "random"


def test_few_random_orders_are_taken_for_another() -> None:
    rng = np.random.default_rng(1)
    kinds = [order_of(rng.integers(0, 2, 100), RUNS[:100], CODES).kind for _ in range(60)]
    assert kinds.count("random") >= 59


def test_rarity_is_told() -> None:
    (said,) = confounds_of(shown("rare"), ("dog", "cat"))
    assert "cannot tell rarity from category, and who always answers" in said
    assert said.startswith("'dog' was shown in 8")
    assert confounds_of(shown("random"), ("dog", "cat")) == ()
