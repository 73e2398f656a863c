"""A real model made tiny that decodes at three latencies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.checkpoint import Model
from models.conformal import Odds
from models.ridge import RidgeEncoder
from models.stage import Stage
from models.trials import Trials
from streaming.chain import Chain
from streaming.window import LockedWindows
from tests.decoder.tiny import SPEC, tiny_model

LATENCIES = (0.06, 0.12, 0.2)
GROWING = LockedWindows(0.0, 0.2, latencies=LATENCIES)


def growing_model(*, sure: bool = True) -> Model:
    """Return a model whose held-out trials were all right and `sure`, or all unsure."""
    whole = tiny_model()
    spec_out = Chain.from_json(whole.transforms).prepare(SPEC)
    rng = np.random.default_rng(0)
    shown = np.arange(40) % 2
    windows = rng.standard_normal((40, 2, 10)).astype(np.float32) * 1e-5
    windows[shown == 1] += 1e-5
    targets, groups = whole.candidates.vectors[shown], np.arange(40) // 10
    stages = tuple(
        Stage(
            RidgeEncoder.fit(Trials(windows[:, :, :n], targets, groups, spec_out.sfreq)),
            temperature,
        )
        for n, temperature in ((3, 0.3), (6, 0.2))
    )
    best = rng.uniform(0.9 if sure else 0.5, 1.0 if sure else 0.55, (400, 3))
    truth = np.where(rng.random((400, 3)) < (1.0 if sure else 0.5), best, 1 - best)
    return replace(
        whole, windowing=GROWING, stages=stages, conformal={"closed_set": Odds(truth, best)}
    )
