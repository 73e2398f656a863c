"""A simulated participant through the product's own path, on trials after those fitted to."""

from __future__ import annotations

from pathlib import Path

import pytest

from decoder.evaluation import evaluate
from models.candidates import demo_concepts
from models.dataset import Dataset, read_dataset
from models.fit import EVOKED_WINDOWS, evoked_chain, fit_model
from models.folds import Protocol
from models.heldout import predict
from models.stimuli import Stimulus, StimulusTable
from streaming.sources.simulated import SimulatedSettings, simulate_recording


@pytest.mark.slow
def test_the_demo_decodes_what_it_was_trained_on_and_what_it_never_saw(tmp_path: Path) -> None:
    pool = demo_concepts()
    seen = [i for i, trained in zip(pool.ids, pool.trained, strict=True) if trained]
    new = [i for i in pool.ids if i not in seen]
    table = StimulusTable(Stimulus(i, "stimulus", i) for i in pool.ids)

    def session(seed: int, n_trials: int, *shown: list[str]) -> Dataset:
        raw = simulate_recording(
            pool.ids,
            pool.vectors,
            SimulatedSettings(snr="easy", session_seed=seed),
            n_trials=n_trials,
            shown=shown,
        )
        path = tmp_path / f"session{seed}_raw.fif"
        raw.save(path, verbose="ERROR")
        return read_dataset([path], EVOKED_WINDOWS, table, evoked_chain)

    calibration = session(1, 1000, seen)
    model = fit_model(calibration, pool).model

    later = session(2, 500, seen, new)
    protocols: tuple[tuple[Protocol, int], ...] = (("closed_set", 30), ("zero_shot", 5))
    for protocol, times_chance in protocols:
        e = evaluate(predict(model, later, protocol))
        assert e.top1.value >= times_chance * e.top1.chance  # measured 157 and 20 times
        assert e.p_value is not None
        assert e.p_value < 0.001
