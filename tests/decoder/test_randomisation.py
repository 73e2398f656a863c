from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decoder.randomisation import Design, Draws, declared_counts, declared_odds
from models.stimuli import Stimulus, StimulusTable
from streaming.errors import ConfigError
from tests.examples import examples

INDEPENDENT, SHUFFLED = Design("independent"), Design("shuffled")


def table(n: int = 3, probs: Sequence[float | None] = ()) -> StimulusTable:
    rows = [
        Stimulus(name, "stimulus", candidate_id=name, prob=prob)
        for name, prob in zip("abcdefgh"[:n], probs or [None] * n, strict=True)
    ]
    return StimulusTable([*rows, Stimulus("go", "run_start")])


def test_probabilities_are_those_of_the_table_or_all_the_same() -> None:
    np.testing.assert_array_equal(declared_odds(table(2)), [0.5, 0.5])
    np.testing.assert_allclose(declared_odds(table(2, [0.85, 0.15])), [0.85, 0.15])
    thirds = declared_odds(table(3, [0.333] * 3))
    assert thirds.sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(
    ("probs", "block", "says"),
    [
        ([0.5, None], None, "'b' has no prob"),
        ([0.5, 0.4], None, "adds up to 0.9"),
        ([0.85, 0.15], None, "--block"),
        ([0.85, 0.15], 10, r"'b' 1.5 times"),
        ([None, None], 7, r"'a' 3.5 times"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    probs: list[float | None], block: int | None, says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        declared_counts(table(2, probs), block)
    draws = Draws(Design("shuffled", block), table(2, probs))
    assert draws.over
    assert re.search(says, draws.reason)
    assert draws.come("a") is None


@pytest.mark.parametrize(
    ("kind", "block", "says"), [("independent", 4, "shuffled"), ("shuffled", 1, "never")]
)
def test_a_block_belongs_to_a_shuffled_design(kind: str, block: int, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Design(kind, block)  # type: ignore[arg-type]


def test_blocks_have_counts() -> None:
    assert declared_counts(table(2, [0.85, 0.15]), 20).tolist() == [17, 3]
    assert declared_counts(table(3), None).tolist() == [1, 1, 1]
    assert declared_counts(table(3), 12).tolist() == [4, 4, 4]


def test_independent_draws_know_no_past() -> None:
    draws = Draws(INDEPENDENT, table(2, [0.85, 0.15]))
    for label in "aaab":
        draw = draws.come(label)
        assert draw is not None
        np.testing.assert_allclose(draws.odds(draw), [0.85, 0.15])
        draws.tell(draw)


def test_who_gives_every_stimulus_a_probability_has_declared_them() -> None:
    assert Draws(Design(), table(2, [0.85, 0.15])).name == "independent"
    undeclared = Draws(Design(), table(2))
    assert (undeclared.name, undeclared.over) == ("undeclared", True)
    assert undeclared.reason.startswith("no design was declared")
    assert Draws(Design("blocked"), table(2)).reason.startswith("blocked order")
    no_stimulus = StimulusTable([Stimulus("go", "run_start")])
    assert "no stimulus" in Draws(INDEPENDENT, no_stimulus).reason


@examples(30)
@given(order=st.permutations(range(4)), told=st.permutations(range(4)))
def test_odds_are_those_of_what_is_left_in_whichever_order_it_is_told(
    order: list[int], told: list[int]
) -> None:
    """Windows of one block that are decided in another order than stimuli came in."""
    draws = Draws(SHUFFLED, table(4))
    came = [draws.come("abcd"[n]) for n in order]
    left = set(range(4))
    for n in told:
        draw = came[n]
        assert draw is not None
        want = [1 / len(left) if row in left else 0.0 for row in range(4)]
        np.testing.assert_allclose(draws.odds(draw), want)
        draws.tell(draw)
        left.remove(order[n])


def test_one_that_is_never_told_is_as_any_that_is_left() -> None:
    draws = Draws(SHUFFLED, table(3))
    draws.come("a")
    second = draws.come("b")
    assert second is not None
    np.testing.assert_allclose(second.expected, [0, 0.5, 0.5])
    np.testing.assert_allclose(draws.odds(second), [1 / 3] * 3)


def test_a_block_begins_when_one_is_used_up_and_with_a_run() -> None:
    draws = Draws(SHUFFLED, table(2))
    assert draws.come("a") is not None
    assert draws.come("b") is not None
    assert draws.come("b") is not None
    draws.begin()
    first = draws.come("b")
    assert first is not None
    np.testing.assert_allclose(draws.odds(first), [0.5, 0.5])


def test_what_the_design_forbids_ends_it() -> None:
    draws = Draws(SHUFFLED, table(3))
    assert draws.come("a") is not None
    assert draws.come("a") is None
    assert draws.over
    assert "'a' came again after 1 of the 3" in draws.reason
    draws.begin()
    assert draws.come("b") is None


def test_after_missed_stimuli_it_goes_on_with_a_run() -> None:
    draws = Draws(SHUFFLED, table(3))
    draws.come("a")
    draws.miss()
    assert draws.come("a") is None
    assert "missed" in draws.reason
    assert not draws.over
    draws.begin()
    assert draws.come("a") is not None
    independent = Draws(INDEPENDENT, table(3))
    independent.miss()
    assert independent.come("a") is not None


def test_what_is_not_listed_is_no_draw() -> None:
    draws = Draws(SHUFFLED, table(3))
    assert draws.come("cough") is None
    assert not draws.reason
