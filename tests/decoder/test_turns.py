from __future__ import annotations

import pytest

from decoder.server.turns import Turns, all_turns, frame_turns, own_turns


@pytest.mark.parametrize("turns", [own_turns(), all_turns(), frame_turns()])
def test_a_flood_of_requests_waits_and_one_who_asks_now_and_then_does_not(turns: Turns) -> None:
    now = 1000.0
    waits = [turns.wait(now) for _ in range(turns.burst + 500)]
    assert waits[: turns.burst] == [0.0] * turns.burst
    assert waits[-1] == pytest.approx(500 / turns.rate, abs=0.1)
    now += 10 * (turns.burst + 500) / turns.rate
    assert [turns.wait(now + k) for k in range(100)] == [0.0] * 100
