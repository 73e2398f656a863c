from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from decoder.metrics import mean_score
from decoder.resampling import Resamples, bootstrap


def covered(n_runs: int, n_trials: int, n_recordings: int = 400) -> float:
    """Return how often the interval of a mean of independent trials holds the truth."""
    n = n_runs * n_trials
    groups, t = np.arange(n) // n_trials, np.tile(np.arange(n_trials) * 1.0, n_runs)
    nothing = np.zeros(n, np.intp)
    resamples = bootstrap(nothing, groups, t, [], cross_validated=False)
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(n_recordings):
        right: NDArray[np.bool_] = rng.random((n, 1)) < 0.4
        score = mean_score(right, nothing, np.ones((n, 1)), resamples)
        hits += score.low <= 0.4 <= score.high
    return hits / n_recordings


@pytest.mark.parametrize("n_runs", [2, 3, 4, 6])
def test_intervals_of_a_few_runs_hold_the_truth(n_runs: int) -> None:
    # Drawing whole runs gives 0.60, 0.82 and 0.92 of two, three and four.
    assert 0.87 < covered(n_runs, 60) < 0.985


def drawn(n_runs: int, n_stimuli: int, stim_files: tuple[str, ...] = ()) -> Resamples:
    n = 120
    truth, groups = np.arange(n) % n_stimuli, np.arange(n) * n_runs // n
    return bootstrap(
        truth, groups, np.arange(n, dtype=np.float64), stim_files, cross_validated=True
    )


@pytest.mark.parametrize(
    ("n_runs", "n_stimuli", "clusters", "n_clusters"),
    [
        (6, 2, "run", 6),
        (6, 12, "run and stimulus", 6),
        (3, 2, "fifth of a run", 15),
        (3, 12, "fifth of a run and stimulus", 12),
        (1, 12, "stimulus", 12),
        (1, 2, "trial", 120),
    ],
)
def test_what_is_drawn_is_told(
    n_runs: int, n_stimuli: int, clusters: str, n_clusters: int
) -> None:
    found = drawn(n_runs, n_stimuli)
    assert (found.clusters, found.n_clusters) == (clusters, n_clusters)


def test_parts_of_a_run_are_drawn_whole() -> None:
    weights = drawn(2, 2).weights.reshape(len(drawn(2, 2).weights), 10, 12)
    assert (weights == weights[:, :, :1]).all()
    assert weights.sum(axis=(1, 2)).tolist() == [120.0] * len(weights)


def test_files_count_as_stimuli_where_they_are_known() -> None:
    files = tuple(f"{n % 12}.jpg" for n in range(120))
    assert drawn(6, 2, files).clusters == "run and stimulus"
