"""Somebody simulated who looks at three things, as a recording and as it would come live."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from decoder.fitting import FitSettings
from models.stimuli import Role, Stimulus, StimulusTable
from streaming.ingest import Fed
from streaming.signal import Chunk, Marker
from streaming.sources.simulated import SimulatedSettings, SimulatedSource, simulate_recording

THINGS = ("tree", "house", "dog")
VECTORS = np.eye(3, dtype=np.float32)
WHO = SimulatedSettings(n_channels=8, sfreq=125.0, soa=0.8)


def write_table(folder: Path) -> Path:
    path = folder / "stimuli.tsv"
    rows = [Stimulus(name, "stimulus", name) for name in THINGS]
    roles: tuple[Role, ...] = ("run_start", "run_end", "pause", "resume", "stop")
    StimulusTable([*rows, *(Stimulus(role, role) for role in roles)]).write(path)
    return path


def settings(folder: Path, encoder: str = "ridge") -> FitSettings:
    return FitSettings(stimuli=write_table(folder), space="labels", encoder=encoder)


def record(path: Path, n_trials: int, who: SimulatedSettings = WHO) -> Path:
    raw = simulate_recording(THINGS, VECTORS, who, n_trials=n_trials)
    raw.save(path, overwrite=True, verbose="error")
    return path


def live(n_trials: int, ends: str = "run_end") -> Iterator[Fed]:
    """Yield what an ingest would send, with a marker after the last stimulus."""
    source = SimulatedSource(THINGS, VECTORS, WHO, n_trials=n_trials, chunk_size=100)
    n, row = 0, 0
    while (item := source.read(0.0)) is not None:
        yield Fed(item, row, 0.0)
        if isinstance(item, Chunk):
            row += item.n_times
        elif isinstance(item, Marker):
            n += 1
            if n == n_trials and ends:
                at = item.sample + 50
                yield Fed(Marker(ends, item.t + 0.4, item.segment, at), row, 0.0)
