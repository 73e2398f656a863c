from __future__ import annotations

from streaming.signal import SourceState
from streaming.sources.condition import Condition, worst


class Stopwatch:
    t = 100.0

    def __call__(self) -> float:
        return self.t


def test_two_seconds_without_a_sample_are_a_stall_and_the_next_one_ends_it() -> None:
    clock, said = Stopwatch(), list[SourceState]()
    condition = Condition("amplifier", clock, said.append)
    condition.change("live", "amplifier: 2 channels")
    condition.change("live", "amplifier: 2 channels")
    clock.t += 1.9
    assert not condition.arrived()
    clock.t += 2.0
    assert not condition.is_due()
    clock.t += 0.1
    assert condition.is_due()
    condition.stall()
    assert not condition.is_due()
    assert condition.arrived()
    assert [(s.state, s.t) for s in said] == [
        ("live", 100.0),
        ("stalled", 104.0),
        ("live", 104.0),
    ]


def test_of_several_the_worst_counts() -> None:
    conditions = [Condition(name, Stopwatch(), lambda _: None) for name in "abc"]
    for condition, state in zip(conditions, ("live", "lost", "stalled"), strict=True):
        condition.change(state, "")
    assert worst(conditions) is conditions[1]
