"""Fits an adapter between two embedding spaces to things that lie in both, in closed form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.adapter import Adapter, AdapterScore
from models.candidates import embed_candidates
from models.gallery import read_gallery
from models.media import flat_picture
from models.ridge import ALPHAS, leave_group_out_error, solve_ridge
from models.spaces import Space, open_space
from streaming.errors import ConfigError

__all__ = ["fit_adapter", "fit_adapter_to_gallery"]

_MIN_PAIRS = 10  # fewer cannot be divided into those to fit to and those to score on
_N_FOLDS = 5


def fit_adapter_to_gallery(folder: Path, source: str, target: str) -> Adapter:
    """Fit an adapter to the pictures of a gallery, or to their names where a space takes those.

    Parameters
    ----------
    folder : Path
        See `models.gallery`.
    source, target : str
        Spaces; the target may be ``image-embeds:...``, a pipeline's own.

    Raises
    ------
    ConfigError
        If the gallery is none, or has too few pictures.
    ModelError
        If a space's network is nowhere.
    """
    table, files = read_gallery(folder)

    def embedded(space: Space) -> NDArray[np.float32]:
        pictures = [(file,) for file in files]
        return embed_candidates(table.ids, table.texts, space, files=pictures).vectors

    spaces = open_space(source), open_space(target)
    nothing = None
    if "image" in spaces[1].modalities:
        nothing = spaces[1].embed([flat_picture()])[0]
    sources, targets = map(embedded, spaces)
    return fit_adapter(spaces[0].name, spaces[1].name, sources, targets, nothing)


def fit_adapter(
    source: str,
    target: str,
    sources: NDArray[np.float32],
    targets: NDArray[np.float32],
    nothing: NDArray[np.float32] | None = None,
) -> Adapter:
    """Fit a ridge between two spaces, and score it on pairs left out.

    Parameters
    ----------
    source, target : str
        Names of the spaces.
    sources : array of shape (n, n_in)
        Things in the one.
    targets : array of shape (n, n_out)
        The same things in the other.
    nothing : array of shape (n_out,), optional
        Where a picture lies that is nothing.

    Raises
    ------
    ConfigError
        If there are fewer than ten pairs, or all are the same.
    """
    n = len(sources)
    if n < _MIN_PAIRS:
        msg = f"an adapter needs {_MIN_PAIRS} things in both spaces at least, got {n}; add more"
        raise ConfigError(msg)
    for name, vectors in ((source, sources), (target, targets)):
        if not np.ptp(vectors, axis=0).any():
            msg = f"all {n} things lie at one point of {name}; give things that differ"
            raise ConfigError(msg)
    score = _score(sources, targets)
    centre, weights, mean = _ridge(sources, targets)
    lengths = np.linalg.norm(targets - mean, axis=1)
    return Adapter(
        source=source,
        target=target,
        centre=centre.astype(np.float32),
        weights=weights.astype(np.float32),
        mean=mean.astype(np.float32),
        length=float(np.sqrt((lengths**2).mean())),
        nothing=mean.astype(np.float32) if nothing is None else nothing,
        score=score,
    )


def _score(sources: NDArray[np.float32], targets: NDArray[np.float32]) -> AdapterScore:
    """Return how well each fifth is found by an adapter that was fitted to the others."""
    n = len(sources)
    fold = np.random.default_rng(0).permutation(n) % _N_FOLDS
    rank = np.empty(n, np.intp)
    for left in (np.flatnonzero(fold == k) for k in range(_N_FOLDS)):
        kept = np.setdiff1d(np.arange(n), left)
        centre, weights, mean = _ridge(sources[kept], targets[kept])
        around = targets - mean  # all of them are chosen from
        around /= np.maximum(np.linalg.norm(around, axis=1, keepdims=True), 1e-12)
        near = (sources[left] - centre) @ weights @ around.T  # (n_left, n)
        rank[left] = (near > near[np.arange(len(left)), left][:, None]).sum(axis=1)
    return AdapterScore(
        n=n,
        top1=float((rank < 1).mean()),
        top5=float((rank < 5).mean()),
        two_way=float(1 - rank.mean() / (n - 1)),
    )


def _ridge(
    sources: NDArray[np.float32], targets: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the centre, the weights and the mean, under the penalty that predicts best."""
    centre = sources.mean(axis=0, dtype=np.float64)
    mean = targets.mean(axis=0, dtype=np.float64)
    features, wanted = sources - centre, targets - mean
    scale = float(features.std())
    features = features / scale
    n = len(features)
    groups = np.arange(n) % min(n, 2 * _N_FOLDS)
    errors = leave_group_out_error(features, wanted, groups, ALPHAS).sum(axis=1)
    alpha = np.full(wanted.shape[1], ALPHAS[int(errors.argmin())])
    return centre, solve_ridge(features, wanted, alpha) / scale, mean
