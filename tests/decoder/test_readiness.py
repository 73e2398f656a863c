from __future__ import annotations

import pytest

from decoder.events import State
from decoder.readiness import not_alive, not_ready

GOOD = {"source": "live", "decoder": "ready"}


def states(**said: str) -> dict[str, State]:
    return {what: State(what, state, 1.0, "why") for what, state in (GOOD | said).items()}


@pytest.mark.parametrize(
    "said",
    [{}, {"recorder": "recording"}, {"session": "decoding"}, {"model": "refused"}],
)
def test_ready_while_decodes_can_be_expected(said: dict[str, str]) -> None:
    assert not_ready(states(**said)) == ""


@pytest.mark.parametrize(
    ("what", "state"),
    [
        ("source", "stalled"),
        ("source", "lost"),
        ("source", "ended"),
        ("source", "ahead"),
        ("decoder", "settling"),
        ("decoder", "failed"),
        ("recorder", "failed"),
        ("session", "paused"),
        ("session", "stopped"),
    ],
)
def test_not_ready_says_what_and_why(what: str, state: str) -> None:
    assert not_ready(states(**{what: state})) == f"{what} is {state}: why"


@pytest.mark.parametrize("missing", ["source", "decoder"])
def test_not_ready_before_anything_was_said(missing: str) -> None:
    said = states()
    del said[missing]
    assert not_ready(said) == f"no word from the {missing} yet"


def test_alive_while_the_loop_turns() -> None:
    assert not_alive(None, 100.0) == ""
    assert not_alive(99.0, 100.0) == ""
    assert "not turned for 20 s" in not_alive(80.0, 100.0)
