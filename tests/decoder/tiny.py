"""A real model made tiny, and a stream for it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.candidates import embed_candidates
from models.checkpoint import Model
from models.ridge import RidgeEncoder
from models.spaces import open_space
from models.stimuli import Stimulus, StimulusTable
from models.trials import Trials
from streaming.chain import Chain
from streaming.signal import Chunk, Marker, SignalSpec
from streaming.window import LockedWindows, Windowing

SPEC = SignalSpec(100.0, ("Cz", "Pz", "Oz"))
LOCKED = LockedWindows(tmin=0.0, tmax=0.2)
STEPS: list[dict[str, Any]] = [
    {"transform": "pick", "ch_names": ["Cz", "Pz"]},
    {"transform": "watch"},
    {"transform": "repair"},
    {"transform": "bandpass", "low": 1.0, "high": 20.0, "order": 2},
    {"transform": "decimate", "sfreq": 50.0},
]


def tiny_model(windowing: Windowing = LOCKED) -> Model:
    rng = np.random.default_rng(0)
    chain = Chain.from_json(STEPS)
    spec_out = chain.prepare(SPEC)
    candidates = embed_candidates(["face", "house"], ["face", "house"], open_space("labels"))
    shown = np.arange(40) % 2
    n_times = 10 if isinstance(windowing, LockedWindows) else 25
    windows = rng.standard_normal((40, 2, n_times)).astype(np.float32) * 1e-5
    windows[shown == 1] += 1e-5
    targets = candidates.vectors[shown]
    return Model(
        spec=SignalSpec(SPEC.sfreq, ("Cz", "Pz")),
        transforms=chain.to_json(),
        windowing=windowing,
        encoder=RidgeEncoder.fit(Trials(windows, targets, np.arange(40) // 10, spec_out.sfreq)),
        candidates=candidates,
        centre=targets.mean(axis=0),
        temperature=0.1,
        stimuli=StimulusTable(
            [
                Stimulus("face", "stimulus", candidate_id="face"),
                Stimulus("house", "stimulus", candidate_id="house"),
                Stimulus("pause", "pause"),
            ]
        ),
        protocol="closed_set",
        training={},
        scores={},
    )


def signal(n_times: int = 3000, seed: int = 1) -> NDArray[np.float32]:
    noise = np.random.default_rng(seed).standard_normal((3, n_times)) * 1e-5
    return (noise + 0.05).astype(np.float32)


def chunk(data: NDArray[np.float32], start: int, stop: int, segment: int = 0) -> Chunk:
    return Chunk(data[:, start:stop], SPEC, segment, start, 100.0)


def marker(sample: int, label: str = "face", segment: int = 0) -> Marker:
    return Marker(label, 100.0 + sample / SPEC.sfreq, segment, sample)
