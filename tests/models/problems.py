"""Trials that encoders are tested on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.trials import Trials
from streaming.signal import Chunk, Marker, SignalSpec, Window

__all__ = ["evoked_trials", "flicker_trials", "window"]


def window(data: NDArray[np.float32], sfreq: float, label: str = "a") -> Window:
    spec = SignalSpec(sfreq, tuple(f"c{n}" for n in range(len(data))))
    return Window(Chunk(data, spec), "locked/0", marker=Marker(label, 0.0, 0, 0))


def evoked_trials(
    n: int = 90, n_channels: int = 4, signal: float = 1.0, n_classes: int = 3, seed: int = 0
) -> Trials:
    """Give each class a response of its own, at the same place in every window."""
    rng = np.random.default_rng(seed)
    shown = rng.permutation(np.arange(n) % n_classes)
    courses = np.cumsum(rng.standard_normal((n_classes, n_channels, 50)), axis=-1)
    courses /= courses.std(axis=(1, 2), keepdims=True)
    windows = signal * courses[shown] + rng.standard_normal((n, n_channels, 50))
    targets = np.eye(n_classes, dtype=np.float32)[shown]
    return Trials(windows.astype(np.float32), targets, np.arange(n) * 3 // n, 100.0)


def flicker_trials(n: int = 60, rates: tuple[float, ...] = (), signal: float = 0.7) -> Trials:
    """Flicker at 9 or 13 Hz, 2 s long, with a phase that is never the same."""
    rng = np.random.default_rng(1)
    shown = rng.permutation(np.arange(n) % 2)
    phase = rng.uniform(0, 2 * np.pi, (n, 1, 1))
    course = np.sin(2 * np.pi * np.array([9.0, 13.0])[shown, None, None] * T + phase)
    windows = signal * np.array([1.0, 0.5, 0.1])[:, None] * course
    windows = windows + rng.standard_normal((n, 3, 200))
    targets = np.eye(2, dtype=np.float32)[shown]
    return Trials(windows.astype(np.float32), targets, np.arange(n) * 3 // n, 100.0, rates)


T = np.arange(200) / 100
