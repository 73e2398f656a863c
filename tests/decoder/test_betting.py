from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from benchmarks.evidence import Operator, through_betting
from decoder.betting import Betting
from decoder.control import (
    Blind,
    Input,
    MarkBad,
    Note,
    Pause,
    Recentre,
    Resume,
    SetCandidates,
    Stop,
    SwapModel,
)
from decoder.events import Event, Evidence, TextDecoded
from decoder.evidence import KEPT, LOST
from decoder.pool import Pool
from decoder.randomisation import UNDECLARED, Design
from decoder.session import Session
from decoder.start import FRESH_START, Start
from models.candidates import Candidates
from models.stimuli import Stimulus, StimulusTable
from streaming.signal import Gap, Marker
from tests.decoder.tiny import SPEC, chunk, marker, signal, tiny_model

MODEL = tiny_model()
DATA = signal()
INDEPENDENT, SHUFFLED = Design("independent"), Design("shuffled")
EVERY = range(1500, 2900, 61)
LABELS = [("face", "house")[n] for n in np.random.default_rng(3).integers(0, 2, len(EVERY))]


def run(
    labels: Sequence[str] = LABELS,
    design: Design = INDEPENDENT,
    start: Start = FRESH_START,
    between: dict[int, Sequence[Input]] | None = None,
) -> list[Event]:
    """Feed a session one stimulus in each stretch of 61 samples; `between` comes before one."""
    session = Session(MODEL, SPEC, "S", 1e9, start, design=design)
    events = session.feed(chunk(DATA, 0, 1500), 130.0)
    for n, (first, label) in enumerate(zip(EVERY, labels, strict=False)):
        for item in (between or {}).get(n, ()):
            events += session.feed(item, 130.0)
        events += session.feed(marker(first, label), 130.0)
        events += session.feed(chunk(DATA, first, first + 61), 130.0)
    return events


def insured(won: float) -> float:
    """Return what a bet is worth that pays `won`."""
    return KEPT + (1 - KEPT) * won


def evidence(events: Sequence[Event]) -> list[Evidence]:
    return [event for event in events if isinstance(event, Evidence)]


def decodes(events: Sequence[Event]) -> list[TextDecoded]:
    return [event for event in events if isinstance(event, TextDecoded)]


WHOLE = run()


def test_each_decode_is_bet_on_by_its_probabilities_at_the_declared_odds() -> None:
    said = evidence(WHOLE)
    assert [e.n for e in said] == [*range(1, len(EVERY) + 1)]
    assert [e.decode_id for e in said] == [d.decode_id for d in decodes(WHOLE)]
    assert {(e.protocol, e.design, e.available) for e in said} == {
        ("closed_set", "independent", True)
    }
    product = 0.0
    for event, decode in zip(said, decodes(WHOLE), strict=True):
        assert decode.truth is not None
        p = {ranked.id: ranked.p for ranked in decode.top}
        product += math.log10(
            insured(2 * p[decode.truth.id])
        )  # the bet that is as bold as they are
        assert event.log10_bets[3] == pytest.approx(product)
        assert event.p == 10**-event.log10_e_max
    assert said[-1].log10_e_max == max(0.0, *(e.log10_e for e in said))


def test_a_bet_comes_after_its_decode() -> None:
    kinds = [type(event) for event in WHOLE if isinstance(event, TextDecoded | Evidence)]
    assert kinds == [TextDecoded, Evidence] * len(EVERY)


def test_without_a_design_or_with_blocks_there_is_no_evidence_and_that_is_said_once() -> None:
    (said,) = evidence(run(design=UNDECLARED))
    assert (said.available, said.over, said.design) == (False, True, "undeclared")
    assert said.reason.startswith("no design was declared")
    (blocked,) = evidence(run(design=Design("blocked")))
    assert blocked.reason.startswith("blocked order")


def test_what_the_design_forbids_withdraws_the_evidence() -> None:
    said = evidence(run(["face", "house", "house", "house", "face", "house"], SHUFFLED))
    assert [(e.n, e.available) for e in said] == [(1, True), (2, True), (0, False)]
    assert "'house' came again after 1 of the 2" in said[-1].reason


def test_who_is_last_in_a_block_is_not_bet_on() -> None:
    said = evidence(run(["face", "house", "house", "face"] * 5, SHUFFLED))
    assert [e.n for e in said] == [*range(1, 11)]


def test_an_order_that_is_not_as_declared_is_doubted() -> None:
    said = evidence(run(["face"] * 12 + ["house"] * 12))
    assert not said[0].warning
    assert "not as declared" in said[-1].warning
    assert said[-1].available


def test_what_is_withheld_or_stale_is_not_bet_on_but_was_shown() -> None:
    between: dict[int, Sequence[Input]] = {4: [Pause()], 6: [Resume()]}
    labels = ["face", "house"] * 6
    got = run(labels, SHUFFLED, between=between)
    assert [d.abstained for d in decodes(got)].count("paused") == 2
    assert [e.decode_id.rpartition("/")[2] for e in evidence(got)] == ["0", "2", "6", "8", "10"]
    session = Session(MODEL, SPEC, "S", 1.0, FRESH_START, design=INDEPENDENT)
    late = [event for item in (chunk(DATA, 0, 1500), marker(1500), chunk(DATA, 1500, 1600))
            for event in session.feed(item, 200.0)]  # fmt: skip
    assert [d.stale for d in decodes(late)] == [True]
    assert not evidence(late)


@pytest.mark.parametrize(
    "what", [[Stop("enough"), Resume()], [Gap(117.0, 0.1, "reconnect")]], ids=["stop", "gap"]
)
def test_a_shuffled_block_is_lost_with_stimuli_that_may_have_been_missed(
    what: list[Input],
) -> None:
    table = StimulusTable([*MODEL.stimuli.rows, Stimulus("go", "run_start")])
    session = Session(
        replace(MODEL, stimuli=table), SPEC, "S", 1e9, FRESH_START, design=SHUFFLED
    )
    items: list[Input] = [
        chunk(DATA, 0, 1500),
        marker(1500, "face"),
        chunk(DATA, 1500, 1600),
        *what,
    ]
    items += [chunk(DATA, 1600, 1700), marker(1700, "house"), chunk(DATA, 1700, 2500)]
    items += [marker(2500, "go"), marker(2500, "house"), chunk(DATA, 2500, 2600)]
    said = evidence([event for item in items for event in session.feed(item, 130.0)])
    assert [(e.n, e.available, e.over) for e in said] == [
        (1, True, False),
        (0, False, False),
        (2, True, False),
    ]
    assert "missed" in said[1].reason


def three(trained: tuple[bool, ...] = (True, True, False)) -> Candidates:
    vectors = np.array([[1, 0], [0, 1], [1, 1]], np.float32)
    ids = ("face", "house", "cough")
    return Candidates(ids, ids, ("",) * 3, trained, vectors, "labels", 2)


@pytest.mark.parametrize(
    ("before_marker", "after_marker", "expected"),
    [
        ([], [Pause()], [math.log10(KEPT), None]),
        ([], [Pause(), Resume()], [math.log10(KEPT), 0.0]),
        ([Pause()], [Resume()], [None, 0.0]),
        ([Pause(), Resume()], [], [0.0, 0.0]),
        ([], [MarkBad(("Cz",), bad=True)], [math.log10(KEPT), None]),
        ([], [Recentre(on=False)], [math.log10(KEPT), 0.0]),
        ([], [Note("he blinked"), Blind(on=True)], [0.0, 0.0]),
    ],
)
def test_what_somebody_does_once_a_stimulus_is_there_costs_its_bet(
    before_marker: list[Input], after_marker: list[Input], expected: list[float | None]
) -> None:
    """Two trials; None: not bet on, 0: bet on as ever."""
    session = Session(MODEL, SPEC, "S", 1e9, FRESH_START, design=INDEPENDENT)
    items: list[Input] = [chunk(DATA, 0, 1500), *before_marker, marker(1500), *after_marker]
    items += [chunk(DATA, 1500, 1600), marker(1600), chunk(DATA, 1600, 1700)]
    said = evidence([event for item in items for event in session.feed(item, 130.0)])
    assert [e.decode_id for e in said] == [
        f"S/locked/{n}" for n, won in enumerate(expected) if won is not None
    ]
    assert [e.n for e in said] == [*range(1, len(said) + 1)]
    first = expected[0]
    if first:
        np.testing.assert_allclose(said[0].log10_bets, LOST)
    elif said:
        assert said[0].log10_bets[3] != pytest.approx(math.log10(KEPT))


def test_a_stop_costs_the_bets_on_what_was_under_way() -> None:
    def bets(*what: Input) -> list[Evidence]:
        session = Session(MODEL, SPEC, "S", 1e9, FRESH_START, design=INDEPENDENT)
        items: list[Input] = [chunk(DATA, 0, 1500), marker(1500), *what, Resume()]
        items += [chunk(DATA, 1500, 1600), chunk(DATA, 1600, 2000), marker(2000)]
        items.append(chunk(DATA, 2000, 2100))
        return evidence([event for item in items for event in session.feed(item, 130.0)])

    plain, (stopped,) = bets(), bets(Stop("enough"))
    assert [e.n for e in plain] == [1, 2]
    assert stopped.n == 2
    gained = np.subtract(plain[1].log10_bets, plain[0].log10_bets)
    np.testing.assert_allclose(stopped.log10_bets, np.add(LOST, gained), rtol=1e-6)


def test_a_window_that_is_withheld_blindly_costs_nothing() -> None:
    session = Session(MODEL, SPEC, "S", 1e9, FRESH_START, design=INDEPENDENT)
    spoilt = DATA.copy()
    spoilt[:, 1510] = np.nan
    items: list[Input] = [chunk(spoilt, 0, 1500), marker(1500), chunk(spoilt, 1500, 1600)]
    items += [marker(1800), chunk(spoilt, 1600, 1900)]
    got = [event for item in items for event in session.feed(item, 130.0)]
    assert [d.abstained for d in decodes(got)] == ["bad samples", ""]
    assert [(e.n, e.decode_id) for e in evidence(got)] == [(1, "S/locked/1")]


@pytest.mark.parametrize("operator", ["pauses", "resumes"])
def test_who_sees_the_stimulus_and_acts_by_it_wins_no_more_often_than_is_promised(
    operator: Operator,
) -> None:
    (crossed, _) = through_betting(INDEPENDENT, 40, n_trials=40, operator=operator)
    assert crossed <= binom.ppf(0.999, 40, 0.05)


def test_it_would_win_if_it_were_not_counted() -> None:
    (crossed, _) = through_betting(INDEPENDENT, 10, n_trials=60, operator="not counted")
    assert crossed > 5


def test_candidates_that_change_after_a_stimulus_cost_its_bet() -> None:
    session = Session(MODEL, SPEC, "S", 1e9, FRESH_START, design=INDEPENDENT)
    items: list[Input] = [chunk(DATA, 0, 1500), marker(1500), SetCandidates(three(), "x")]
    items += [chunk(DATA, 1500, 1600), marker(1600), chunk(DATA, 1600, 1700)]
    got = [event for item in items for event in session.feed(item, 130.0)]
    said = evidence(got)
    assert [(e.n, e.decode_id) for e in said] == [(1, "S/locked/0"), (2, "S/locked/1")]
    assert said[0].log10_bets == LOST


def test_a_swap_goes_on_with_the_stake_unless_other_things_can_be_shown() -> None:
    colder = replace(MODEL, temperature=MODEL.temperature / 2)
    said = evidence(run(between={5: [SwapModel(colder, 2)]}))
    assert [e.n for e in said] == [*range(1, len(EVERY) + 1)]
    more = StimulusTable([*MODEL.stimuli.rows, Stimulus("cat", "stimulus", candidate_id="cat")])
    said = evidence(run(between={5: [SwapModel(replace(MODEL, stimuli=more), 2)]}))
    assert [e.available for e in said] == [True] * 5 + [False]
    assert "another table" in said[-1].reason


def of_trial(trial: int, name: str) -> str:
    return json.dumps({"marker": name, "trial_id": trial})


TWICE = [of_trial(n // 2, LABELS[n // 2]) for n in range(10)]


@pytest.mark.parametrize(
    "what",
    [
        [],
        [SetCandidates(MODEL.candidates, "x")],
        [SwapModel(replace(MODEL, temperature=MODEL.temperature / 2), 2)],
    ],
    ids=["same", "candidates", "swap"],
)
def test_a_trial_is_bet_on_once_whatever_was_changed_meanwhile(what: list[Input]) -> None:
    said = evidence(run(TWICE, between=dict.fromkeys(range(1, 10, 2), what)))
    assert [e.n for e in said] == [1, 2, 3, 4, 5]
    assert not said[-1].warning


def test_repeats_are_no_draws_of_a_shuffled_block() -> None:
    labels = [of_trial(n // 3, ("face", "house")[n // 3 % 2]) for n in range(12)]
    said = evidence(run(labels, SHUFFLED))
    assert [(e.n, e.available) for e in said] == [(1, True), (2, True)]


def test_numbers_of_trials_that_begin_anew_withdraw_the_evidence() -> None:
    labels = [of_trial(0, "face"), of_trial(1, "face"), of_trial(0, "house")]
    said = evidence(run(labels))
    assert [e.available for e in said] == [True, True, False]
    assert "number trials through the whole session" in said[-1].reason


def before(said: Evidence) -> Start:
    stakes = {"closed_set": [said.n, list(said.log10_bets), said.log10_e_max]}
    left = {"stakes": stakes, "reason": said.reason, "over": said.over, "warning": "w"}
    return Start(evidence=left)


def test_after_a_decoder_died_the_stake_goes_on_where_draws_are_independent() -> None:
    said = evidence(WHOLE)[9]
    again = evidence(run(LABELS[:1], start=before(said)))[0]
    assert (again.n, again.warning) == (11, "w")
    assert again.log10_bets[3] == pytest.approx(
        said.log10_bets[3] + evidence(WHOLE)[0].log10_bets[3]
    )
    assert "missed" in evidence(run(start=before(said), design=SHUFFLED))[0].reason
    ended = replace(said, available=False, reason="why", over=True)
    (last,) = evidence(run(start=before(ended)))
    assert (last.reason, last.available) == ("why", False)


def test_a_trial_is_not_bet_on_again_after_a_decoder_died() -> None:
    left = before(evidence(WHOLE)[0])
    assert left.evidence is not None
    start = replace(left, evidence=left.evidence | {"trials": [TWICE[0]]})
    assert [e.n for e in evidence(run(TWICE[1:4], start=start))] == [2]


SHOWN = tuple("abcdefgh")
TABLE = StimulusTable(
    [Stimulus(f"{name}{n}", "stimulus", candidate_id=name) for name in SHOWN for n in (1, 2)]
)


def pool_of(candidates: str, n_trained: int) -> Pool:
    n = len(candidates)
    vectors = np.eye(n, 8, dtype=np.float32)
    trained = tuple(i < n_trained for i in range(n))
    ids = tuple(candidates)
    listed = Candidates(ids, ids, ("",) * n, trained, vectors, "labels")
    model = replace(MODEL, candidates=listed, stimuli=TABLE, centre=vectors.mean(axis=0))
    return Pool(model, listed, {})


def decide(betting: Betting, label: str, t: float, pool: Pool, p: np.ndarray) -> list[Evidence]:
    shown = Marker(label, t, 0, 0)
    betting.see(shown, pool)
    return betting.decide(decodes(WHOLE)[0], shown, p)


def test_seen_and_never_seen_have_a_stake_each_and_odds_of_their_own() -> None:
    pool = pool_of("abcdef", 4)  # g and h are shown, and are no candidates
    betting = Betting(INDEPENDENT, TABLE)
    p = np.array([0.4, 0.2, 0.1, 0.1, 0.15, 0.05])
    (seen,) = decide(betting, "a1", 0.0, pool, p)
    assert (seen.protocol, seen.n) == ("closed_set", 1)
    assert seen.log10_bets[3] == pytest.approx(math.log10(insured(0.4 / 0.2)))
    (never,) = decide(betting, "e2", 1.0, pool, p)
    assert (never.protocol, never.n) == ("zero_shot", 1)
    assert never.log10_bets[3] == pytest.approx(math.log10(insured(0.15 / 0.1)))
    assert decide(betting, "g1", 2.0, pool, p) == []


def test_a_probability_of_zero_can_be_lived_with() -> None:
    pool = pool_of("abcdef", 6)
    betting = Betting(INDEPENDENT, TABLE)
    (said,) = decide(betting, "a1", 0.0, pool, np.array([0.0, 1.0, 0, 0, 0, 0]))
    np.testing.assert_allclose(said.log10_bets, LOST, atol=1e-6)


@pytest.mark.parametrize(
    "design", [INDEPENDENT, SHUFFLED, Design("shuffled", 48)], ids=["drawn", "table", "block"]
)
def test_who_knows_all_that_was_shown_before_wins_no_more_often_than_is_promised(
    design: Design,
) -> None:
    """A decoder without a brain, that hopes for what is left, with hubs."""
    rng = np.random.default_rng(5)
    n_sessions, crossed, markers = 60, 0, [row.marker for row in TABLE.rows]
    pool, n_block = pool_of("abcdef", 3), design.block or 16
    for _ in range(n_sessions):
        blocks = [rng.permutation(np.arange(n_block) % 16) for _ in range(96 // n_block)]
        if design.kind == "independent":
            blocks = [rng.integers(0, 16, 96)]
        betting = Betting(design, TABLE)
        said: list[Evidence | None] = []
        for block in blocks:
            left = np.full(8, n_block // 8)
            for row in block:
                p = np.maximum(left[:6], 0.1) * np.exp(rng.normal(size=6)) * [9, 1, 1, 3, 1, 1]
                t = float(len(said))
                said += decide(betting, markers[row], t, pool, p / p.sum()) or [None]
                left[row // 2] -= 1
        bets = [event for event in said if event is not None and event.protocol == "closed_set"]
        assert all(event.available for event in bets)
        crossed += bets[-1].p <= 0.05
    assert crossed <= binom.ppf(0.999, n_sessions, 0.05)
