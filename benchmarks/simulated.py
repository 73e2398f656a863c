"""How well the product decodes the simulated participant, at each signal-to-noise.

A model is fitted to 1,000 trials of 200 concepts and tested on 500 trials of a later session of
the same person, half of them with the 100 concepts that were never seen. Everything runs
through `models.fit` and `decoder.evaluation`. Run with
``python -m benchmarks.simulated [snr ...] [--seeds 1 2 3]``; a person takes about 15 s.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import get_args

import mne
import numpy as np

from decoder.evaluation import Evaluation, evaluate
from decoder.simulation import RECORDING, STIMULI, save_calibration
from models.candidates import demo_concepts
from models.checkpoint import Model
from models.dataset import Dataset, read_dataset
from models.fit import EVOKED_WINDOWS, evoked_chain, fit_model
from models.heldout import predict
from models.stimuli import StimulusTable
from streaming.sources.simulated import SimulatedSettings, Snr, simulate_recording

__all__ = ["fitted_and_later", "main", "score_participant"]


def fitted_and_later(
    settings: SimulatedSettings, n_calibration: int = 1000, n_test: int = 500
) -> tuple[Model, Dataset]:
    """Fit to one session of a participant, and record another one.

    Parameters
    ----------
    settings : SimulatedSettings
        Who, and the session to test on.
    n_calibration, n_test : int
        Trials of each session.

    Returns
    -------
    model : Model
        What was fitted.
    later : Dataset
        The later session; half of it shows what was never seen in calibration.
    """
    concepts = demo_concepts()
    trained = np.array(concepts.trained)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_calibration(settings, n_calibration, folder)
        table = StimulusTable.read(folder / STIMULI)
        fitted = fit_model(_windows(folder / RECORDING, table), concepts)
        ids = np.array(concepts.ids)
        pools = [ids[trained].tolist(), ids[~trained].tolist()]
        later = simulate_recording(
            concepts.ids, concepts.vectors, settings, n_trials=n_test, shown=pools
        )
        later.save(folder / "later_raw.fif", verbose="error")
        return fitted.model, _windows(folder / "later_raw.fif", table)


def score_participant(
    settings: SimulatedSettings, n_calibration: int = 1000, n_test: int = 500
) -> tuple[Evaluation, Evaluation]:
    """Fit to one session of a participant and score another one.

    Parameters
    ----------
    settings, n_calibration, n_test
        As for `fitted_and_later`.

    Returns
    -------
    closed_set, zero_shot : Evaluation
        Scores of concepts that were seen in calibration, and of those that never were.
    """
    model, test = fitted_and_later(settings, n_calibration, n_test)
    return (
        evaluate(predict(model, test, "closed_set")),
        evaluate(predict(model, test, "zero_shot")),
    )


def _windows(path: Path, table: StimulusTable) -> Dataset:
    return read_dataset([path], EVOKED_WINDOWS, table, evoked_chain)


def main() -> None:
    """Print a row for each signal-to-noise, person and protocol."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("snr", nargs="*", default=list(get_args(Snr)))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    arguments = parser.parse_args()
    mne.set_log_level("ERROR")
    print("| snr | person | protocol | n | pool | top-1 [95 %] | chance | top-5 | ", end="")
    print("median rank | two-way | p |")
    print("|---" * 11 + "|")
    for snr in arguments.snr:
        for seed in arguments.seeds:
            settings = replace(SimulatedSettings(snr=snr), subject_seed=seed)
            for e in score_participant(settings):
                assert e.p_value is not None  # the order is random
                top1 = f"{e.top1.value:.3f} [{e.top1.low:.3f}, {e.top1.high:.3f}]"
                print(
                    f"| {snr} | {seed} | {e.protocol} | {e.n} | {e.pool} | {top1} "
                    f"| {e.top1.chance:.4f} | {e.top5.value:.3f} | {e.median_rank.value:g} "
                    f"| {e.pairwise.value:.3f} | {e.p_value:.4f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
