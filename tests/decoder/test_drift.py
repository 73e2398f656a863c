from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from decoder.config import AdaptationConfig
from decoder.control import Input, Recentre, SwapModel
from decoder.drift import Drift, check_adapts
from decoder.events import Event, State, TextDecoded, Truth
from decoder.session import Session
from models.checkpoint import Model
from models.latent import Latent
from models.reference import BLOCK, make_reference
from streaming.errors import ModelError
from streaming.window import SlidingWindows
from tests.decoder.learning import learner
from tests.decoder.tiny import SPEC, chunk, marker, signal, tiny_model

RNG = np.random.default_rng(0)
GROUPS = np.zeros(20 * BLOCK, np.intp)
LATENTS = RNG.standard_normal((len(GROUPS), 2)).astype(np.float32)
REFERENCE = make_reference(LATENTS, RNG.random(len(GROUPS)), GROUPS)
MODEL = replace(tiny_model(), reference=REFERENCE)
DECODED = TextDecoded("S/locked/0", (), 2, True, "c", "m", 0, 0, 20, 1.0, 1.2)
DATA = signal()


def run(model: Model, controls: Sequence[Input], labels: str, size: int = 50) -> list[Event]:
    session = Session(model, SPEC, "S", freshness=1e9)
    shown = iter(marker(n, "face" if x == "f" else "house") for n, x in _onsets(labels))
    events = [event for control in controls for event in session.feed(control, 130.0)]
    due = next(shown, None)
    for start in range(0, 3000, size):
        while due is not None and due.sample < start + size:
            events += session.feed(due, 130.0)
            due = next(shown, None)
        events += session.feed(chunk(DATA, start, min(start + size, 3000)), 130.0)
    return events


def _onsets(labels: str) -> list[tuple[int, str]]:
    return [(1000 + 40 * n, label) for n, label in enumerate(labels)]


def decodes(events: Sequence[Event]) -> list[TextDecoded]:
    return [event for event in events if isinstance(event, TextDecoded)]


def states(events: Sequence[Event], what: str) -> list[str]:
    return [e.state for e in events if isinstance(e, State) and e.what == what]


def follow(drift: Drift, vectors: NDArray[np.float64]) -> list[str]:
    said: list[State] = []
    for vector in vectors:
        latent = drift.corrected(Latent(vector.astype(np.float32), "labels", 1.0, "m"))
        said += drift.follow(latent, DECODED, 1.0)
    return [state.state for state in said]


def test_recentring_begins_where_it_is_asked_for_and_reads_no_label() -> None:
    plain = decodes(run(MODEL, [], "fhfhfhfhfhfhfhfhfh"))
    events = run(MODEL, [Recentre(on=True)], "fhfhfhfhfhfhfhfhfh")
    moved = decodes(events)
    assert states(events, "adaptation") == ["started"]
    assert moved[0].top == plain[0].top
    assert moved[-1].top != plain[-1].top
    scrambled = decodes(run(MODEL, [Recentre(on=True)], "hhhhhhhhhhffffffff"))
    assert [d.top for d in scrambled] == [d.top for d in moved]
    cut = decodes(run(MODEL, [Recentre(on=True)], "fhfhfhfhfhfhfhfhfh", size=7))
    assert cut == moved
    off = run(MODEL, [Recentre(on=True), Recentre(on=False)], "fhfhfhfhfhfhfhfhfh")
    assert decodes(off) == plain
    assert states(off, "adaptation") == ["started", "stopped"]


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (tiny_model(), "fit it anew"),
        (replace(tiny_model(SlidingWindows(0.5, 0.1)), reference=REFERENCE), "no marker cuts"),
    ],
)
def test_what_cannot_be_recentred_says_why(model: Model, says: str) -> None:
    session = Session(model, SPEC, "S")
    (said,) = session.feed(Recentre(on=True), 1.0)
    assert isinstance(said, State)
    assert (said.what, said.state) == ("adaptation", "refused")
    assert says in said.detail


def test_another_model_is_followed_anew() -> None:
    session = Session(MODEL, SPEC, "S")
    session.feed(Recentre(on=True), 1.0)
    other = replace(MODEL, temperature=0.3)
    assert states(session.feed(SwapModel(other, 2), 1.0), "adaptation") == ["started"]
    without = replace(other, reference=None)
    assert states(session.feed(SwapModel(without, 3), 1.0), "adaptation") == ["refused"]


def test_latents_that_wander_off_are_an_alarm_and_recentring_ends_it() -> None:
    usual = RNG.standard_normal((40 * BLOCK, 2))
    drift = Drift(MODEL)
    assert follow(drift, usual) == []
    assert follow(drift, usual[: 12 * BLOCK] + 2.0) == ["alarm"]
    assert drift.control(Recentre(on=True), 1.0).state == "started"
    assert follow(drift, usual + 2.0) == ["good"]
    drift = Drift(MODEL)
    follow(drift, usual[: 12 * BLOCK] + 2.0)
    other, said = drift.swapped(replace(MODEL, temperature=0.3), 2.0)
    assert [(state.what, state.state) for state in said] == [("drift", "good")]
    assert not other.swapped(MODEL, 3.0)[1]


def test_decodes_that_get_worse_are_an_alarm_if_they_can_be_compared() -> None:
    def told(decoded: TextDecoded) -> list[str]:
        drift = Drift(MODEL)
        usual = RNG.standard_normal((12 * BLOCK, 2)).astype(np.float32)
        latents = [Latent(vector, "labels", 1.0, "m") for vector in usual]
        return [s.state for latent in latents for s in drift.follow(latent, decoded, 1.0)]

    wrong = replace(DECODED, truth=Truth("house", "house", "", 2, trained=True))
    assert told(wrong) == ["alarm"]
    assert told(replace(wrong, calibrated=False)) == []
    assert told(replace(wrong, truth=Truth("house", "house", "", 2, trained=False))) == []
    assert told(replace(wrong, truth=Truth("house", "house", "", 1, trained=True))) == []


@pytest.mark.parametrize(
    ("model", "asked", "says"),
    [
        (tiny_model(), "recentre", "--adapt recentre: the model does not say what its latents"),
        (MODEL, "refit", "keeps no sums to go on from"),
        (learner(), "recentre,refit", "--adapt recentre"),
    ],
)
def test_what_a_model_cannot_do_is_refused_at_the_start(
    model: Model, asked: str, says: str
) -> None:
    check_adapts(MODEL, AdaptationConfig.of("recentre"))
    check_adapts(learner(), AdaptationConfig.of("refit"))
    with pytest.raises(ModelError, match=says):
        check_adapts(model, AdaptationConfig.of(asked))


def test_what_was_calibrated_no_longer_holds_once_latents_lie_elsewhere_or_are_moved() -> None:
    drift = Drift(MODEL)
    assert not drift.doubtful
    assert follow(drift, RNG.standard_normal((40 * BLOCK, 2)) + 3.0)[0] == "alarm"
    assert drift.doubtful
    plain, moved = (
        decodes(run(MODEL, [], "fhfhfh")),
        decodes(run(MODEL, [Recentre(on=True)], "fh")),
    )
    assert {d.calibrated for d in plain} == {True}
    assert {d.calibrated for d in moved} == {False}
    off = decodes(run(MODEL, [Recentre(on=True), Recentre(on=False)], "fh"))
    assert {d.calibrated for d in off} == {True}
