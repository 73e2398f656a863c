"""A simulated participant through the product's own path, on trials after those fitted to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from decoder.evaluation import evaluate
from models.candidates import demo_concepts
from models.dataset import Dataset, read_dataset
from models.fit import EVOKED_WINDOWS, evoked_chain, fit_model
from models.retrieval import directions, similarities
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
    toward = directions(model.candidates.vectors, model.centre)
    similarity = np.stack(
        [
            similarities(toward, model.centre, model.encode(later.window(n)).vector)
            for n in range(len(later))
        ]
    )
    truth = np.array([pool.ids.index(i) for i in later.ids])
    known = np.array(model.candidates.trained)[truth]
    for protocol, kept, times_chance in (("closed_set", known, 30), ("zero_shot", ~known, 5)):
        e = evaluate(
            similarity[kept],
            truth[kept],
            later.groups[kept],
            protocol="closed_set" if protocol == "closed_set" else "zero_shot",
            trained=model.candidates.trained,
            cross_validated=False,
        )
        assert e.top1.value >= times_chance * e.top1.chance  # measured 157 and 20 times
        assert e.p_value < 0.001
