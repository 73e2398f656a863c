from __future__ import annotations

import numpy as np
import pytest

from decoder.order_check import OrderCheck

EVEN = np.full(2, 0.5)


def check(labels: list[int], odds: np.ndarray, declared: np.ndarray | None = None) -> str:
    order = OrderCheck([str(n) for n in range(len(odds))], odds)
    for label in labels:
        order.add(label, odds if declared is None else declared)
    return order.warning


def drawn(n: int, odds: list[float]) -> list[int]:
    rng = np.random.default_rng(0)
    return [int(row) for row in rng.choice(len(odds), n, p=odds)]


def test_blocks_alternation_and_other_shares_are_told() -> None:
    assert "not as declared" in check([0] * 15 + [1] * 15, EVEN)
    assert "not as declared" in check([0, 1] * 15, EVEN)
    assert "not as declared" in check([0, 1, 2, 3] * 15, np.full(4, 0.25))
    assert "not as declared" in check(drawn(100, [0.9, 0.1]), EVEN)


@pytest.mark.parametrize("odds", [[0.5, 0.5], [0.85, 0.15], [0.1] * 10])
def test_what_was_drawn_as_declared_passes(odds: list[float]) -> None:
    assert not check(drawn(500, odds), np.array(odds))


def test_rarely_is_what_was_drawn_as_declared_doubted() -> None:
    rng = np.random.default_rng(2)
    doubted = sum(bool(check(rng.integers(0, 2, 100).tolist(), EVEN)) for _ in range(300))
    assert doubted <= 3  # one in 1,000 is to be expected


def test_things_are_told_apart_and_not_their_markers() -> None:
    order = OrderCheck(["face", "face", "house", "house"], np.full(4, 0.25))
    for n in range(15):
        order.add(n % 2, np.full(4, 0.25))
    for n in range(15):
        order.add(2 + n % 2, np.full(4, 0.25))
    assert order.warning
