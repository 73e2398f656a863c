from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from decoder.alarm import LIMIT, Alarm


def until_alarm(alarm: Alarm, values: NDArray[np.float64]) -> int:
    for n, value in enumerate(values.tolist(), 1):
        if alarm.add(value) == "alarm":
            return n
    return len(values) + 1


def test_without_a_change_it_sounds_less_often_than_it_promises() -> None:
    rng = np.random.default_rng(0)
    n, n_alarms = 600, 0
    for _ in range(100):
        values = rng.chisquare(3, n + 30)
        n_alarms += until_alarm(Alarm(values[:30]), values[30:]) <= n
    assert n_alarms / 100 < n / LIMIT  # Markov's bound of what is promised; 60,000 values


def test_it_sounds_soon_when_all_is_larger_and_ends_when_it_is_over() -> None:
    rng = np.random.default_rng(1)
    alarm = Alarm(rng.random(40))
    assert [alarm.add(value) for value in rng.random(100)] == [None] * 100
    assert until_alarm(alarm, 1 + rng.random(20)) <= 4
    assert [alarm.add(2.0) for _ in range(30)] == [None] * 30  # it stays, however long
    assert alarm.on
    said = [alarm.add(value) for value in rng.random(40)]
    assert said.count("good") == 1
    assert not alarm.on


def test_a_jump_at_the_start_is_found_and_a_slow_change_too() -> None:
    rng = np.random.default_rng(2)
    found = [until_alarm(Alarm(rng.random(20)), 1 + rng.random(40)) for _ in range(20)]
    assert max(found) <= 8
    slow = [
        until_alarm(
            Alarm(rng.standard_normal(50)), rng.standard_normal(200) + np.arange(200) / 20
        )
        for _ in range(20)
    ]
    assert max(slow) <= 60  # three standard deviations


@pytest.mark.parametrize("n", [1, 8])
def test_values_that_are_all_the_same_are_nothing_strange(n: int) -> None:
    alarm = Alarm([0.5] * n)
    assert [alarm.add(0.5) for _ in range(200)] == [None] * 200
