"""A tiny model that can go on learning, and trials in which faces and houses have changed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from decoder.readout import RetrievalReadout
from decoder.refitter import Trial
from models.checkpoint import Model
from models.latent import Latent
from models.refit import make_sums
from models.ridge import RidgeEncoder
from models.trials import Trials
from tests.decoder.tiny import tiny_model


def windows(n: int, sign: float, seed: int) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Return windows in which houses are above zero and faces below, or the other way."""
    rng = np.random.default_rng(seed)
    shown = rng.integers(2, size=n)
    data = rng.standard_normal((n, 2, 10)) + sign * (2.0 * shown - 1)[:, None, None]
    return (1e-5 * data).astype(np.float32), shown


def learner() -> Model:
    tiny = tiny_model()
    data, shown = windows(60, 0.5, seed=0)
    targets = tiny.candidates.vectors[shown]
    encoder = RidgeEncoder.fit(Trials(data, targets, np.arange(60) // 15, 50.0))
    trained = replace(tiny.candidates, trained=(True, True))
    return replace(
        tiny, encoder=encoder, candidates=trained, sums=make_sums(encoder, data, targets)
    )


def trials(model: Model, n: int, sign: float, seed: int) -> list[Trial]:
    """Return trials as `model` decodes them."""
    readout = RetrievalReadout(model.candidates, model.centre, model.temperature)
    assert isinstance(model.encoder, RidgeEncoder)
    found = []
    for data, truth in zip(*windows(n, sign, seed), strict=True):
        latent = Latent(model.encoder.encode_data(data), "labels", 0.0, model.model_id)
        rank = readout.rank(latent).rank_of(int(truth))
        found.append(Trial(data, model.candidates.ids[truth], rank))
    return found
