"""Which layer of a network is like the brain, when and where.

Two directions. Encoding: each sensor at each latency is predicted from a layer's features of
what was shown. Decoding: these features are predicted from all sensors at a latency. Both by
ridge regression, for stimuli whose concept was not trained on (`models.folds`, zero-shot), and
scored over stimuli whose repeats are averaged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control, spearmanr
from scipy.stats import t as student

from models.candidates import Candidates
from models.dataset import Dataset
from models.folds import Split, check_split, make_split
from models.ridge import leave_group_out_error, solve_ridge
from streaming.errors import ConfigError

__all__ = ["LayerMap", "latency_bins", "map_layers"]

BIN = 0.02
"""Seconds that are averaged: a twentieth of a second tells early areas from late ones."""

_MAX_FEATURES = 100
"""Principal components of a layer; with more, hundreds of stimuli cannot fit them all."""

_ALPHAS: NDArray[np.float64] = np.logspace(0, 6, 7)
_N_SHUFFLES = 999
_SEED = 0
_LEVEL = 0.05
_WIDER = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class LayerMap:
    """Scores by layer, latency and sensor.

    Parameters
    ----------
    layers : tuple of str
        Names, from the first to the last.
    times : array of shape (n_times,)
        Middle of each latency bin after the stimulus, in seconds; the chain's group delay was
        taken off.
    ch_names : tuple of str
        Sensors.
    encoding : array of shape (n_layers, n_times, n_channels)
        Correlation, over stimuli, of predicted and measured responses.
    encoding_q : array, of the same shape
        Its p (one-sided, Student's t), after the false discovery rate of the whole array
        (Benjamini and Hochberg 1995).
    ceiling : array of shape (n_times, n_channels) or None
        The best correlation that the reliability of the responses allows; None where stimuli
        do not recur.
    decoding : array of shape (n_layers, n_times)
        Two-way accuracy: how often features predicted from the sensors correlate higher with
        their own stimulus than with another; chance is 0.5.
    decoding_q : array, of the same shape
        Its p from shuffled stimuli, after the false discovery rate.
    n_stimuli, n_trials, n_folds : int
        How many there were.
    """

    layers: tuple[str, ...]
    times: NDArray[np.float64]
    ch_names: tuple[str, ...]
    encoding: NDArray[np.float64]
    encoding_q: NDArray[np.float64]
    ceiling: NDArray[np.float64] | None
    decoding: NDArray[np.float64]
    decoding_q: NDArray[np.float64]
    n_stimuli: int
    n_trials: int
    n_folds: int

    @property
    def normalised(self) -> NDArray[np.float64]:
        """Encoding in multiples of the noise ceiling, 0 where that is below 0.1.

        As it is, if there is no ceiling.
        """
        if self.ceiling is None:
            return self.encoding
        known = self.ceiling >= 0.1
        scale = np.where(known, self.ceiling, 1.0)
        return np.asarray(np.where(known, self.encoding / scale, 0.0))

    @property
    def course(self) -> NDArray[np.float64]:
        """Variance that each layer explains, mean over sensors, of shape (n_layers, n_times).

        Only where it is significant; and not in multiples of the ceiling, which would let the
        sensors decide that hardly answer.
        """
        found = (self.encoding_q < _LEVEL) & (self.encoding > 0)
        return np.asarray(np.where(found, self.encoding**2, 0.0).mean(axis=2))

    @property
    def peaks(self) -> tuple[float | None, ...]:
        """Latency, in seconds, at which each layer encodes best; None if it nowhere does."""
        rows = zip(self.course, self.course.argmax(axis=1), strict=True)
        return tuple(float(self.times[at]) if row[at] > 0 else None for row, at in rows)

    @property
    def order(self) -> tuple[float, float] | None:
        """Rank correlation of layer and peak latency, and its p; None with fewer than four."""
        known = [(n, t) for n, t in enumerate(self.peaks) if t is not None]
        if len(known) < 4 or len({t for _, t in known}) < 2:
            return None
        found = spearmanr(*zip(*known, strict=True))
        return float(found.statistic), float(found.pvalue)


def latency_bins(dataset: Dataset) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return windows averaged over bins, and when these are.

    Returns
    -------
    array of shape (n, n_times, n_channels)
        Responses.
    array of shape (n_times,)
        Middles of the bins after the stimulus, in seconds, less the chain's delay.
    """
    sfreq, n_times = dataset.spec_out.sfreq, dataset.windows.shape[-1]
    step = max(1, round(BIN * sfreq))
    starts = np.arange(0, n_times - step + 1, step)
    whole = dataset.windows[..., : len(starts) * step].astype(np.float64)
    binned = whole.reshape(*whole.shape[:2], -1, step).mean(axis=-1)
    times = dataset.windowing.tmin + (starts + (step - 1) / 2) / sfreq - dataset.delay
    return binned.transpose(0, 2, 1), times


def map_layers(
    dataset: Dataset,
    candidates: Candidates,
    truth: NDArray[np.intp],
    layers: dict[str, NDArray[np.float32]],
    progress: Callable[[float], None] = lambda _: None,
) -> LayerMap:
    """Compare a network's layers with the brain.

    Parameters
    ----------
    dataset : Dataset
        Windows with what was shown.
    candidates : Candidates
        What was shown; only their ids and concepts are used.
    truth : array of shape (n,)
        Index of the candidate that was shown.
    layers : dict of str to array of shape (n_candidates, width)
        Features of the candidates, first layer first.
    progress : callable
        Told the share that is done.

    Raises
    ------
    RecordingError
        If no concept can be held out.
    EvaluationError
        If a stimulus file is shared by two concepts.
    """
    if not layers:
        msg = "there is no layer to map; name some"
        raise ConfigError(msg)
    responses, times = latency_bins(dataset)
    n_trials, n_times, n_channels = responses.shape
    split = make_split(dataset, candidates, truth, "zero_shot")
    check_split(dataset, candidates, truth, split)
    flat = responses.reshape(n_trials, -1)
    shown = np.unique(np.concatenate([truth[fold.test] for fold in split.folds]))
    measured = _over_stimuli(flat, truth, split, shown)
    reduced = [_reduced(features, shown) for features in layers.values()]
    everything = np.concatenate(reduced, axis=1)
    predicted = np.zeros((len(layers), *flat.shape))
    guessed = np.zeros((n_times, n_trials, everything.shape[1]))
    for n, fold in enumerate(split.folds):
        part = _Part(fold.train, fold.test, _blocks(dataset.groups[fold.train]))
        for features, rows in zip(reduced, predicted, strict=True):
            rows[fold.test] = part.predict(features[truth], flat)
        for at, rows in enumerate(guessed):
            rows[fold.test] = part.predict(responses[:, at], everything[truth], scale=True)
        progress((n + 1) / len(split.folds))
    encoding = [
        _correlation(_over_stimuli(p, truth, split, shown), measured) for p in predicted
    ]
    edges = np.cumsum([features.shape[1] for features in reduced])[:-1]
    pairs = [
        [
            _two_way(guess, features[shown])
            for guess, features in zip(
                np.split(_over_stimuli(rows, truth, split, shown), edges, axis=1),
                reduced,
                strict=True,
            )
        ]
        for rows in guessed
    ]
    two_way = np.array(pairs).transpose(2, 1, 0)  # (score and p, n_layers, n_times)
    r = np.stack(encoding).reshape(len(layers), n_times, n_channels)
    return LayerMap(
        layers=tuple(layers),
        times=times,
        ch_names=dataset.spec_out.ch_names,
        encoding=r,
        encoding_q=_adjusted(_p_of(r, len(shown))),
        ceiling=_ceiling(flat, truth, dataset.groups, n_times),
        decoding=two_way[0],
        decoding_q=_adjusted(two_way[1]),
        n_stimuli=len(shown),
        n_trials=n_trials,
        n_folds=len(split.folds),
    )


def _reduced(features: NDArray[np.float32], shown: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return principal components of a layer's features, of variance 1 in all."""
    centred = features.astype(np.float64) - features[shown].mean(axis=0, dtype=np.float64)
    _, sizes, axes = np.linalg.svd(centred[shown], full_matrices=False)
    kept = sizes > 1e-6 * sizes[0]
    components = centred @ axes[kept][:_MAX_FEATURES].T
    return np.asarray(components / components[shown].std())


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """A fold, and the groups of its training trials."""

    train: NDArray[np.bool_]
    test: NDArray[np.bool_]
    groups: NDArray[np.intp]

    def predict(
        self, x: NDArray[np.float64], y: NDArray[np.float64], *, scale: bool = False
    ) -> NDArray[np.float64]:
        """Return what the test trials should have, by ridge regression on the others.

        The penalty of each target is the one that predicts groups of the training best.
        """
        train, test = x[self.train], x[self.test]
        mean = train.mean(axis=0)
        spread = train.std(axis=0) if scale else np.ones(x.shape[1])
        spread[spread == 0] = 1.0
        train, test = (train - mean) / spread, (test - mean) / spread
        target = y[self.train] - y[self.train].mean(axis=0)
        errors = leave_group_out_error(train, target, self.groups, _ALPHAS)
        coef = solve_ridge(train, target, _ALPHAS[errors.argmin(axis=0)])
        return np.asarray(test @ coef)


def _blocks(groups: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return groups, at least two."""
    if len(np.unique(groups)) > 1:
        return groups
    return np.arange(len(groups)) * 2 // len(groups)


def _over_stimuli(
    values: NDArray[np.float64], truth: NDArray[np.intp], split: Split, shown: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return the mean over all tested trials of each stimulus, (n_shown, ...).

    Less the mean of the fold: models of different folds differ in their offsets, which hang
    together with what they left out.
    """
    total, count = np.zeros((len(shown), values.shape[1])), np.zeros(len(shown))
    for fold in split.folds:
        rows = np.searchsorted(shown, truth[fold.test])
        tested = values[fold.test]
        np.add.at(total, rows, tested - tested.mean(axis=0))
        np.add.at(count, rows, 1)
    return total / count[:, None]


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the correlation of columns; 0 where one is constant."""
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    size = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    return np.where(size > 0, (a * b).sum(axis=0) / np.where(size > 0, size, 1.0), 0.0)


def _two_way(guess: NDArray[np.float64], true: NDArray[np.float64]) -> tuple[float, float]:
    """Return two-way accuracy of guessed features, and its p from shuffled stimuli."""
    guess = guess - guess.mean(axis=0)
    true = true - true.mean(axis=0)
    guess = guess / np.maximum(np.linalg.norm(guess, axis=1, keepdims=True), 1e-300)
    true = true / np.maximum(np.linalg.norm(true, axis=1, keepdims=True), 1e-300)
    alike = guess @ true.T  # (n_stimuli, n_stimuli)
    order = alike.argsort(axis=1).argsort(axis=1) / (len(alike) - 1)
    rng, rows = np.random.default_rng(_SEED), np.arange(len(alike))
    score = float(order[rows, rows].mean())
    shuffled = [order[rows, rng.permutation(len(alike))].mean() for _ in range(_N_SHUFFLES)]
    # With 10,000 tests the share of shuffles that do better is too coarse: its tail is normal
    spread = float(np.std(shuffled)) or 1.0
    z = (score - 0.5) / spread / np.sqrt(_WIDER)
    return score, float(student.sf(z, len(alike) - 2))


def _p_of(r: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Return the one-sided p of correlations over `n` stimuli.

    As all stimuli are predicted from each other, correlations scatter more than those of `n`
    independent pairs: 1.2 times in recordings of noise. Here they may by the root of two.
    """
    r = np.clip(r, -1 + 1e-12, 1 - 1e-12)
    return np.asarray(student.sf(r * np.sqrt((n - 2) / (1 - r**2) / _WIDER), n - 2))


def _adjusted(p: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(false_discovery_control(p.ravel())).reshape(p.shape)


def _ceiling(
    flat: NDArray[np.float64], truth: NDArray[np.intp], groups: NDArray[np.intp], n_times: int
) -> NDArray[np.float64] | None:
    """Return the root of the reliability of responses that are averaged over repeats.

    From the variance between stimuli and within (intraclass correlation, Shrout and Fleiss
    1979); means of runs are taken off.
    """
    centred = flat.copy()
    for group in np.unique(groups):
        centred[groups == group] -= centred[groups == group].mean(axis=0)
    names, stimulus, counts = np.unique(truth, return_inverse=True, return_counts=True)
    n, k = len(flat), len(flat) / len(names)
    if k < 1.5 or len(names) < 3:
        return None
    total = np.zeros((len(names), flat.shape[1]))
    np.add.at(total, stimulus, centred)
    means = total / counts[:, None]
    between = (counts[:, None] * means**2).sum(axis=0) / (len(names) - 1)
    within = ((centred - means[stimulus]) ** 2).sum(axis=0) / (n - len(names))
    reliability = 1 - within / np.maximum(between, 1e-300)  # of a mean of k
    return np.asarray(np.sqrt(np.clip(reliability, 0.0, 1.0)).reshape(n_times, -1))
