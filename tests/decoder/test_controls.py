from __future__ import annotations

import numpy as np
import pytest

from decoder.controls import controls_of
from decoder.evaluation import evaluate
from tests.decoder.trials import problem


def test_controls_are_at_chance_beside_a_score_that_is_not() -> None:
    p = problem()
    held_out = p.hold_out()
    score = evaluate(held_out, p.order)
    assert score.main.value > 0.9
    controls = {control.name: control for control in controls_of(p, held_out)}
    assert set(controls) == {"shuffled brain", "noise", "prior only", "clock only"}
    for control in controls.values():
        assert control.at_chance
        assert control.main.value == pytest.approx(0.5, abs=0.12)
    assert controls["prior only"].main.value == 0.5


def test_the_prior_alone_is_right_as_often_as_what_is_frequent() -> None:
    shown = (np.random.default_rng(0).random(320) < 0.2).astype(int)
    p = problem(shown=shown, signal=0.0)
    held_out = p.hold_out()
    prior = next(c for c in controls_of(p, held_out) if c.name == "prior only")
    assert prior.top1.value == pytest.approx(1 - shown.mean())
    assert prior.top1.chance == pytest.approx(1 - shown.mean())
    assert prior.at_chance


def test_a_blocked_order_that_drift_tells_is_found() -> None:
    """Nothing is decoded but the time: the score is high, and nothing is claimed."""
    shown = np.tile(np.repeat([0, 1], 40), 4)
    p = problem(shown=shown, signal=0.0, drift=4.0)
    assert p.order.kind == "blocked"
    held_out = p.hold_out()
    score = evaluate(held_out, p.order)
    assert score.main.value > 0.8
    assert score.p_value is None
    assert score.verdict == "cannot be told"
    clock = next(c for c in controls_of(p, held_out) if c.name == "clock only")
    assert clock.main.value > 0.9
    assert not clock.at_chance
