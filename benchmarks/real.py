"""Our encoders beside scikit-learn and pyriemann, on real recordings, in one run.

All get the same windows of the same causal chain and predict the same left-out runs from the
same training trials. Ours go through embedding and retrieval, `auto` chooses within the
training runs; the others are classifiers. A row's difference is the first method's score less
its own, over the same resamples of runs. Run with ``python -m benchmarks.real [name ...]``; it
needs the recordings in ``$BRAINCAST_DATA``, or in ``../shared/data``, and takes three minutes;
with networks (``--encoders mlp tsconv simpleconv``) an hour.
"""

from __future__ import annotations

import argparse
import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyriemann.estimation import Covariances, XdawnCovariances
from pyriemann.tangentspace import TangentSpace
from scipy.signal import butter, sosfilt
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from decoder.evaluation import evaluate
from decoder.fitting import FitSettings
from decoder.metrics import auc_draws
from decoder.problem import Problem
from decoder.resampling import bootstrap
from models.candidates import Candidates, embed_candidates
from models.dataset import Dataset, read_dataset
from models.fit import evoked_chain, truth_of
from models.folds import make_split
from models.heldout import HeldOut
from models.spaces import LabelSpace
from models.trials import flicker_rates

__all__ = ["RECORDINGS", "compare", "difference", "main"]

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("BRAINCAST_DATA", ROOT.parent / "shared" / "data"))

Pipeline = Callable[[], Any]

ENCODERS = ("auto", "ridge", "riemann")
"""Those that are fitted in seconds."""


@dataclass(frozen=True)
class Recordings:
    """Where recordings are, and what was shown in them."""

    pattern: str
    labels: tuple[str, ...]
    drop: tuple[str, ...] = ()


_AUX = ("Right AUX",)
_RATES = ("rest", "13 Hz", "17 Hz", "21 Hz")

RECORDINGS: dict[str, Recordings] = {
    "N170": Recordings("muse/N170_subject1_*_raw.fif", ("face", "house"), _AUX),
    "P300": Recordings("muse/P300_subject1_session1_*_raw.fif", ("cat", "dog"), _AUX),
    "SSVEP": Recordings("muse/SSVEP_subject1_*_raw.fif", ("20 Hz", "30 Hz"), _AUX),
    "exo sub03": Recordings("ssvep/sub03_*_raw.fif", _RATES),
    "exo sub08": Recordings("ssvep/sub08_*_raw.fif", _RATES),
    "exo sub12": Recordings("ssvep/sub12_*_raw.fif", _RATES),
}
"""All by people with four or eight channels; see README.md of the recordings."""


def compare(
    recordings: Recordings, encoders: Sequence[str] = ENCODERS
) -> dict[str, tuple[HeldOut, float]]:
    """Predict left-out runs by all methods.

    Parameters
    ----------
    recordings : Recordings
        One person's runs.
    encoders : sequence of str
        Which of ours.

    Returns
    -------
    dict of str to tuple
        What was predicted, and the CPU time of all folds in seconds, by name of the method.
    """
    settings = FitSettings(events=recordings.labels, drop=recordings.drop)
    table = settings.table()
    dataset = read_dataset(
        sorted(DATA.glob(recordings.pattern)),
        settings.windows(table),
        table,
        partial(evoked_chain, band=settings.frequencies(table)),
        drop=recordings.drop,
    )
    candidates = embed_candidates(recordings.labels, recordings.labels, LabelSpace())
    found: dict[str, tuple[HeldOut, float]] = {}
    for encoder in encoders:
        started = time.process_time()
        held_out = Problem.make(dataset, candidates, encoder=encoder).hold_out()
        found[encoder] = held_out, time.process_time() - started
    first = found[encoders[0]][0]
    rates = flicker_rates(recordings.labels)
    for name, pipeline in _pipelines(rates, dataset.spec_out.sfreq).items():
        started = time.process_time()
        held_out = _classified(dataset, candidates, pipeline, first)
        found[name] = held_out, time.process_time() - started
    return found


def difference(one: HeldOut, other: HeldOut) -> tuple[float, float, float]:
    """Return by how much one method is better than another, and the 95 % interval.

    Parameters
    ----------
    one, other : HeldOut
        Predictions of the same trials: AUC is compared for two candidates, else top-1.
    """
    truth = one.truth
    resamples = bootstrap(truth, one.groups, one.t, one.stim_files, cross_validated=True)
    found = []
    for held_out in (one, other):
        similarity = held_out.similarity
        if similarity.shape[1] == 2:
            decision = similarity[:, 1] - similarity[:, 0]
            found.append(auc_draws(decision, truth == 1, one.groups, resamples))
        else:
            right = similarity.argmax(axis=1) == truth
            draws = resamples.weights @ right / resamples.weights.sum(axis=1)
            found.append((float(right.mean()), draws))
    (ours, our_draws), (theirs, their_draws) = found
    return ours - theirs, *resamples.interval(our_draws - their_draws, (-1.0, 1.0))


def _classified(
    dataset: Dataset, candidates: Candidates, pipeline: Pipeline, like: HeldOut
) -> HeldOut:
    """Predict the trials of `like` by a classifier that is fitted to the same trials."""
    truth = truth_of(dataset, candidates)
    log_p = np.zeros((len(dataset), len(candidates)))
    for fold in make_split(dataset, candidates, truth).folds:
        fitted = pipeline().fit(dataset.windows[fold.train].astype(float), truth[fold.train])
        p = fitted.predict_proba(dataset.windows[fold.test].astype(float))
        log_p[fold.test] = np.log(np.maximum(p, 1e-300))
    return replace(like, similarity=log_p[like.index].astype(np.float32))


def _pipelines(rates: tuple[float, ...], sfreq: float) -> dict[str, Pipeline]:
    """Return the field's pipelines; for flicker, the filter bank too."""
    decimate = FunctionTransformer(partial(_decimate, factor=round(sfreq / 32)))
    bank = FunctionTransformer(partial(_filter, rates=rates, sfreq=sfreq))

    def xdawn() -> Any:
        return make_pipeline(XdawnCovariances(4, estimator="lwf"), TangentSpace(), _logistic())

    def lda() -> Any:
        return make_pipeline(
            decimate, LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
        )

    def filter_bank() -> Any:
        return make_pipeline(bank, Covariances("oas"), TangentSpace(), _logistic())

    both: dict[str, Pipeline] = {"xDAWN + tangent + logistic": xdawn, "shrinkage LDA": lda}
    return {**both, "filter bank + tangent + logistic": filter_bank} if rates else both


def _logistic() -> Any:
    return LogisticRegression(max_iter=1000)


def _decimate(windows: NDArray[np.float64], factor: int) -> NDArray[np.float64]:
    """Average every so many samples, and put all channels in a row."""
    n_times = windows.shape[-1] // factor * factor
    pooled = windows[..., :n_times].reshape(*windows.shape[:2], -1, factor).mean(axis=-1)
    return np.asarray(pooled.reshape(len(windows), -1))


def _filter(
    windows: NDArray[np.float64], rates: tuple[float, ...], sfreq: float
) -> NDArray[np.float64]:
    """Stack what is within 1 Hz of each rate and of its double."""
    bands = [*rates, *(2 * rate for rate in rates)]
    filtered = [
        sosfilt(butter(4, (f - 1, f + 1), "bandpass", fs=sfreq, output="sos"), windows)
        for f in bands
    ]
    return np.concatenate(filtered, axis=1)


def main() -> None:
    """Print a row for each recording and method."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(RECORDINGS))
    parser.add_argument("--encoders", nargs="+", default=list(ENCODERS))
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    if not DATA.is_dir():
        print(f"no recordings in {DATA}: set BRAINCAST_DATA")
        return
    print("| recordings | method | trials | score | value [95 %] | chance | ", end="")
    print("first less this [95 %] | CPU [s] |")
    print("|---|---|---|---|---|---|---|---|")
    for name in arguments.names:
        found = compare(RECORDINGS[name], arguments.encoders)
        first = found[arguments.encoders[0]][0]
        for method, (held_out, cpu) in found.items():
            e = evaluate(held_out, with_p=False)
            what, score = ("top-1", e.top1) if e.auc is None else ("AUC", e.auc)
            value = f"{score.value:.3f} [{score.low:.3f}, {score.high:.3f}]"
            less, low, high = difference(first, held_out)
            print(
                f"| {name} | {method} | {e.n} | {what} | {value} | {score.chance:.3f} "
                f"| {less:+.3f} [{low:+.3f}, {high:+.3f}] | {cpu:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
