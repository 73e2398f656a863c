"""The benchmarks run; what they print is judged by people."""

from __future__ import annotations

import importlib
import multiprocessing
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import numpy as np
import pylsl
import pytest

from benchmarks import __main__ as runner
from benchmarks import (
    adaptation,
    clients,
    encoders,
    evidence,
    latency,
    null,
    previews,
    real,
    recovered,
)
from benchmarks._accounts import lost_in_truth
from benchmarks._assembly import Decoder
from benchmarks._counting import CountingSource, counting_spec
from benchmarks._crowd import Crowd
from benchmarks._rig import CHUNK, SFREQ, noise_model, send_noise, spec_of, write_arrays
from benchmarks._service import Heard
from decoder.evaluation import evaluate
from decoder.randomisation import Design
from decoder.readout import RetrievalReadout
from models.encoder import ENCODERS
from models.trials import Trials
from streaming.signal import Chunk, SignalSpec, Window
from streaming.sources.source import Item
from tests.decoder import tiny
from tests.decoder.learning import learner
from tests.decoder.trials import problem


@pytest.mark.parametrize("name", runner.names())
def test_each_has_a_main(name: str) -> None:
    assert callable(importlib.import_module(f"benchmarks.{name}").main)


def test_an_unknown_name_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert runner.main(["speed"]) == 2
    assert "no benchmark 'speed'" in capsys.readouterr().err


def test_what_clients_did_not_get_is_counted() -> None:
    crowd = Crowd(
        n_early={"all": [1, 0, 0]},
        seqs={"all": [[2, 3, 5], [1, 2, 3, 4], []]},
        ages={"all": [[0.9, 0.1, 0.1], [0.2] * 4, []]},
        closed={"all": [1013]},
    )
    row = clients._row(crowd, "all")
    assert (row["clients"], row["events"], row["not got"]) == (3, 6, 1)
    assert (row["max"], row["early p99"]) == (pytest.approx(200.0), pytest.approx(900.0))
    assert row["closed"] == {1013: 1}


def test_what_a_crowd_costs_is_told_beside_what_the_process_does_alone() -> None:
    crowd = Crowd(
        t_begin=0.0,
        t_first=2.0,
        t_last=12.0,
        cpu=(1.0, 1.6, 4.6),
        n_early={"all": [5, 0]},
        seqs={"all": [[1] * 55, [1] * 50]},
    )
    cost = clients._cost(crowd, alone=0.1)
    assert cost["core"] == pytest.approx(0.3)
    assert cost["us per event"] == pytest.approx(1e6 * 2.0 / 100)
    assert cost["ms per connection"] == pytest.approx(1e3 * 0.4 / 2)


def test_ratios_are_medians_over_rounds() -> None:
    ours = [np.full(9, 1.0), np.full(9, 2.0), np.full(9, 3.0)]
    theirs = [np.full(9, 2.0), np.full(9, 20.0), np.full(9, 30.0)]
    assert latency.ratios(ours, theirs) == {"p50": 0.1, "p95": 0.1, "p99": 0.1}


@pytest.mark.parametrize("n_concepts", [2, 4])
def test_methods_are_compared_on_the_same_resamples(n_concepts: int) -> None:
    one = problem(n=160, n_concepts=n_concepts).hold_out()
    assert real.difference(one, one) == (0.0, 0.0, 0.0)
    noise = np.random.default_rng(0).standard_normal(one.similarity.shape)
    other = replace(one, similarity=noise.astype(np.float32))
    ours, theirs = evaluate(one, with_p=False), evaluate(other, with_p=False)
    value, low, high = real.difference(one, other)
    scores = (ours.top1, theirs.top1) if ours.auc is None else (ours.main, theirs.main)
    assert value == pytest.approx(scores[0].value - scores[1].value)
    assert 0 < low < value < high
    assert np.allclose([-value, -high, -low], real.difference(other, one), atol=0.01)


def test_the_assembly_decodes_what_we_decode(tmp_path: Path) -> None:
    model = noise_model(spec_of(64))
    path = tmp_path / "arrays.npz"
    write_arrays(model, path)
    raw = np.random.default_rng(2).standard_normal((64, 1000)).astype(np.float32)

    theirs = Decoder(path)(raw, 1.0)

    kept = Chunk(raw[:, 9::10], SignalSpec(100.0, model.spec.ch_names))
    readout = RetrievalReadout(model.candidates, model.centre, model.temperature)
    ours = readout.top(readout.rank(model.encode(Window(kept, "w"))), 5)
    assert [one["id"] for one in theirs] == [one.id for one in ours]
    np.testing.assert_allclose([o["p"] for o in theirs], [o.p for o in ours], rtol=1e-4)


def test_the_last_channel_counts() -> None:
    source = CountingSource(counting_spec(SignalSpec(100.0, ("Cz",))), 1e-5, 30, first=7)
    chunks: list[Chunk] = []
    while isinstance(chunk := source.read(0.0), Chunk):
        chunks.append(chunk)
    numbers = np.concatenate([chunk.data[-1] for chunk in chunks])
    np.testing.assert_array_equal(numbers, 7 + np.arange(30))
    assert [chunk.first for chunk in chunks] == [0, 10, 20]


def test_what_an_injector_swallows_is_lost_once() -> None:
    faults = [
        {"kind": "drop", "first": 3, "n_samples": 4},
        {"kind": "nan", "first": 20, "n_samples": 4},
        {"kind": "disconnect", "first": 5, "n_samples": 3},
    ]
    np.testing.assert_array_equal(lost_in_truth(faults), np.arange(3, 8))


def test_the_sender_knows_when_it_sent_a_sample() -> None:
    spawn = multiprocessing.get_context("spawn")
    t_first, t_pushed = spawn.Value("d", 0.0), spawn.Array("d", 2**16)
    sender = latency.Sender(uuid4().hex, t_first, t_pushed)
    process = spawn.Process(target=send_noise, args=(sender.name, 4, t_first, t_pushed))
    process.start()
    try:
        (info,) = pylsl.resolve_byprop("name", sender.name, timeout=20)
        inlet = pylsl.StreamInlet(info, recover=False)
        stamps: list[float] = []
        while len(stamps) < 5 * CHUNK:
            stamps += inlet.pull_chunk(1.0, max_samples=CHUNK)[1]
        arrived = pylsl.local_clock()
    finally:
        process.terminate()
        process.join()
        process.close()
    np.testing.assert_allclose(np.diff(stamps), 1 / SFREQ, atol=1e-6)
    newest = sender.pushed(stamps[-1])
    # A chunk is sent after its newest sample was taken; on a busy machine long after.
    assert stamps[-1] - 1e-4 <= newest < arrived


def test_pictures_are_timed_from_the_text_of_their_decode() -> None:
    def heard(t: float, stream: str, name: str, **more: object) -> Heard:
        return Heard(t, stream, {"decode_id": name, "abstained": ""} | more)

    after = previews.after_text(
        [
            heard(0.5, "image", "S/w/0", final=True),  # whose text came before
            heard(1.0, "text", "S/w/1"),
            heard(1.3, "image", "S/w/1", final=False),
            heard(1.7, "image", "S/w/1", final=True),
            heard(2.0, "text", "S/w/2"),
            heard(2.5, "image", "S/w/2", final=False),
            heard(3.0, "text", "S/w/3", abstained="artifact"),
            heard(4.0, "text", "S/w/4"),
            heard(4.1, "image", "S/w/4", final=False),
        ]
    )
    assert after.n_decodes == 2
    np.testing.assert_allclose(after.first, [0.3, 0.5])
    np.testing.assert_allclose(after.final, [0.7])


def test_who_knows_all_decodes_best() -> None:
    world = recovered.World.draw(12, 6, snr=0.05)
    shown = np.random.default_rng(0).integers(12, size=240)
    windows = world.windows(shown, seed=1)
    scores = recovered.attainable(world, windows, np.arange(12))
    best = (scores.argmax(axis=1) == shown).mean()
    trials = Trials(windows[:180], world.vectors[shown[:180]], np.arange(180) // 45, 100.0)
    ridge = ENCODERS["ridge"].fit(trials)
    found = recovered.recovered(ridge, trials, windows[180:], world.vectors)
    assert 0.3 < (found.argmax(axis=1) == shown[180:]).mean() <= best
    nothing = recovered.World.draw(12, 6, snr=0.0)
    assert not np.ptp(recovered.attainable(nothing, windows, np.arange(12)), axis=1).any()


def test_decodes_are_timed_without_the_pause() -> None:
    trials = encoders.simulated_trials(40, 4, 4, 8)
    ridge = ENCODERS["ridge"].fit(trials)
    times = encoders.decode_times(ridge, trials, 0.001, 5)
    assert times.shape == (5,)
    assert (times > 0).all()


def test_nothing_is_found_in_noise_more_often_than_p_says() -> None:
    """Runs predict each other with the same noise twice, which p makes up for."""
    found = null.evaluated(null.Design(2, 4, 20), "ridge", 40)
    p = np.array([e.p_value for e in found], float)
    assert np.count_nonzero(p < 0.05) <= 6  # of 40; 7 or more have a chance of 0.003
    assert sum(e.verdict == "above chance" for e in found) <= 6
    assert 0.3 < p.mean() < 0.7
    less = null.above_chance(found)
    assert set(less) == {"top1", "pairwise", "median_rank", "auc"}  # two have no fifth place
    for middle, low, high in less.values():
        assert low < middle < high
        assert abs(middle) < 2 * (high - middle)  # four standard errors


class Played:
    """A source of what is given."""

    name, spec, to_si = "played", tiny.SPEC, (1.0,) * 3

    def __init__(self, items: list[Item]) -> None:
        self._items = items

    def read(self, timeout: float) -> Item | None:
        return self._items.pop(0) if self._items else None

    def close(self) -> None:
        pass


def test_sessions_that_adapt_in_other_ways_get_the_same_samples() -> None:
    data = tiny.signal(6000)
    items: list[Item] = []
    for start in range(0, 6000, 50):
        if start > 1000:
            items.append(tiny.marker(start, "face" if start % 100 else "house"))
        items.append(tiny.chunk(data, start, start + 50))
    found = adaptation.adapted(learner(), Played(items), ("", "refit"))
    plain, refitted = (found[name].decodes for name in ("", "refit"))
    assert [d.decode_id for d in plain] == [d.decode_id for d in refitted]
    assert len(plain) > 90
    assert [s.state for s in found[""].states] == []
    assert found["refit"].states[0].state == "shadow"
    assert found[""].top(2, 0.0, 1e9) == 1.0


def test_evidence_errs_as_seldom_as_it_promises_where_the_odds_are_right() -> None:
    # One in 1,000 of right tests has more than 18 of 200 beyond 20 : 1.
    for name, nothing in evidence.NULLS.items():
        beyond, _ = evidence.crossings(nothing, 200, n_trials=100)
        assert (beyond > 18) == name.startswith("NOT VALID"), name
    for design in (Design("independent"), Design("shuffled", 20)):
        assert evidence.through_betting(design, 20, n_trials=20)[0] <= 5
