"""Windows of one trial are pooled, by its number alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from decoder.control import Resume, SetCandidates, Stop
from decoder.events import TextDecoded
from decoder.session import Session
from decoder.uncertainty import CERTAIN, Uncertainty
from models.checkpoint import Model, load_model, save_model
from models.conformal import Odds
from models.repeats import Repeats
from streaming.signal import Marker
from tests.decoder.sharpening import growing_model
from tests.decoder.tiny import SPEC, chunk, marker, signal, tiny_model

DATA = signal()
TRUTH = np.linspace(0.05, 0.95, 19)[:, None]
ODDS = Odds(TRUTH, np.maximum(TRUTH, 1 - TRUTH))
MODEL = replace(tiny_model(), conformal={"closed_set": ODDS}, repeats=(Repeats(2, 1.5, ODDS),))
AT = (1500, 1600, 1700, 1800)


def numbered(sample: int, trial: str, label: str = "face") -> Marker:
    return marker(sample, json.dumps({"marker": label, "trial_id": trial}))


def run(
    markers: list[Marker], model: Model = MODEL, asked: Uncertainty = CERTAIN
) -> list[TextDecoded]:
    session = Session(model, SPEC, "S", 1e9, asked=asked)
    session.feed(chunk(DATA, 0, 1900), 130.0)
    events = [event for item in markers for event in session.feed(item, 130.0)]
    return [e for e in events if isinstance(e, TextDecoded)]


def logits(decoded: TextDecoded) -> float:
    p = {ranked.id: ranked.p for ranked in decoded.top}
    return float(np.log(p["face"] / p["house"]))


ALONE = run([marker(n) for n in AT])


def test_repeats_add_their_evidence_at_the_fitted_worth() -> None:
    found = run([numbered(n, "7") for n in AT])
    own = [logits(d) for d in ALONE]
    assert [d.n_repeats for d in found] == [1, 2, 3, 4]
    assert logits(found[0]) == own[0]
    assert logits(found[1]) == pytest.approx(sum(own[:2]) / 1.5)
    assert logits(found[2]) == pytest.approx(sum(own[:3]) / (1.5 * 3 / 2))
    assert [d.calibrated for d in found] == [True, True, False, False]
    assert all(d.truth is not None and d.truth.id == "face" for d in found)


def test_only_windows_of_the_same_trial_are_pooled() -> None:
    found = run([numbered(n, trial) for n, trial in zip(AT, "abab", strict=True)])
    assert [d.n_repeats for d in found] == [1, 1, 2, 2]
    assert [logits(d) for d in found[:2]] == [logits(d) for d in ALONE[:2]]
    assert [d.n_repeats for d in run([marker(n) for n in AT])] == [1] * 4


def test_what_was_shown_changes_nothing_of_the_pooled_answer() -> None:
    names = ("face", "house", "house", "face")
    scrambled = [numbered(n, "7", name) for n, name in zip(AT, names, strict=True)]
    found, expected = run(scrambled), run([numbered(n, "7") for n in AT])
    assert [(d.top, d.n_repeats) for d in found] == [(d.top, d.n_repeats) for d in expected]


def test_a_pooled_answer_has_a_set_where_sums_were_calibrated() -> None:
    found = run([numbered(n, "7") for n in AT], asked=Uncertainty(risk=0.2))
    assert [d.conformal is not None for d in found] == [True, True, False, False]


def test_a_stop_and_other_candidates_begin_to_count_anew() -> None:
    session = Session(MODEL, SPEC, "S", 1e9)
    session.feed(chunk(DATA, 0, 1900), 130.0)

    def repeats(sample: int) -> int:
        events = session.feed(numbered(sample, "7"), 130.0)
        (decoded,) = [e for e in events if isinstance(e, TextDecoded)]
        return decoded.n_repeats

    assert [repeats(1500), repeats(1600)] == [1, 2]
    session.feed(SetCandidates(MODEL.candidates, "saved"), 130.0)
    assert [repeats(1700), repeats(1800)] == [1, 2]
    session.feed(Stop("enough"), 130.0)
    session.feed(Resume(), 131.0)
    session.feed(chunk(DATA, 1900, 2900), 140.0)
    assert repeats(2700) == 1


def test_only_final_answers_are_added_and_a_later_window_is_seen_to_its_end() -> None:
    model = replace(growing_model(), repeats=(Repeats(2, 1.5, ODDS),))
    asked = Uncertainty(stop_at_risk=0.1)
    found = run([numbered(n, "7") for n in AT[:2]], model, asked)
    single = run([marker(n) for n in AT[:2]], model, asked)
    first = [d for d in found if d.n_repeats == 1]
    assert [logits(d) for d in first] == [
        logits(d) for d in single if d.decode_id == "S/locked/0"
    ]
    second = [d for d in found if d.n_repeats == 2]
    assert [d.final for d in second] == [False, False, True]
    assert [d.calibrated for d in second] == [False, False, False]  # the first was a part
    alone = run([marker(AT[1])], model)
    assert logits(second[-1]) == pytest.approx((logits(first[-1]) + logits(alone[-1])) / 1.5)


@pytest.mark.parametrize(("stop", "promised"), [(None, True), (0.1, False)])
def test_a_sum_with_a_part_of_a_window_has_no_set(stop: float | None, promised: bool) -> None:
    model = replace(growing_model(), repeats=(Repeats(2, 1.5, ODDS),))
    found = run([numbered(n, "7") for n in AT[:2]], model, Uncertainty(0.2, None, stop))
    assert found[-1].n_repeats == 2
    assert (found[-1].conformal is not None, found[-1].calibrated) == (promised, promised)


def test_a_model_folder_keeps_what_repeats_are_worth(tmp_path: Path) -> None:
    save_model(MODEL, tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert again.model_id == MODEL.model_id
    assert [(r.n, r.temperature) for r in again.repeats] == [(2, 1.5)]


def test_sums_over_repeats_do_not_count_in_the_running_score() -> None:
    found = run([numbered(n, "7") for n in AT], asked=Uncertainty(risk=0.2))
    assert [d.truth is not None for d in found] == [True] * 4
    assert [(d.running[0].n, d.running[0].n_sets) for d in found] == [(1, 1)] * 4
    assert run([numbered(AT[0], "7")])[0].running == run([marker(AT[0])])[0].running
