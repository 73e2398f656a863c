"""What an encoder is fitted to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["MAX_FOLDS", "Course", "Trials", "flicker_rates"]

MAX_FOLDS = 5
"""Most parts that runs are cut into when an encoder chooses its settings by itself."""

_RATE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*hz\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True, eq=False)
class Trials:
    """Training windows and what each should be mapped to.

    Parameters
    ----------
    windows : array of shape (n, n_channels, n_times)
        The chain's output around each stimulus.
    targets : array of shape (n, n_dims)
        The embedding of what was shown in each.
    groups : array of shape (n,)
        The run of each, at least two: what an encoder chooses by itself is what predicts a run
        best from the others.
    sfreq : float
        Rate of the windows, in Hz.
    rates : tuple of float
        Flicker rates that were shown, in Hz; empty where what was shown did not flicker.
    positions : array of shape (n_channels, 3) or None
        Where the sensors are, in m; None if that is unknown.
    subjects : array of shape (n,)
        Whose trials they are, counted from 0; if not given, of one person.
    """

    windows: NDArray[np.float32]
    targets: NDArray[np.float32]
    groups: NDArray[np.intp]
    sfreq: float
    rates: tuple[float, ...] = ()
    positions: NDArray[np.float64] | None = None
    subjects: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, np.intp))

    def __post_init__(self) -> None:
        """Check that the parts fit together."""
        n = len(self.windows)
        if self.windows.ndim != 3 or self.targets.ndim != 2:
            msg = (
                "windows must have shape (n, n_channels, n_times) and targets (n, n_dims), "
                f"got {self.windows.shape} and {self.targets.shape}"
            )
            raise ValueError(msg)
        if len(self.targets) != n or self.groups.shape != (n,):
            msg = (
                f"there are {n} windows, {len(self.targets)} targets and groups of shape "
                f"{self.groups.shape}; they must match"
            )
            raise ValueError(msg)
        if not self.subjects.size:
            object.__setattr__(self, "subjects", np.zeros(n, np.intp))
        if self.subjects.shape != (n,):
            msg = f"subjects must have shape ({n},), got {self.subjects.shape}"
            raise ValueError(msg)
        if len(np.unique(self.groups)) < 2:
            msg = "choosing settings needs at least two groups"
            raise ValueError(msg)

    def __len__(self) -> int:
        """Return the number of trials."""
        return len(self.windows)

    def take(self, which: NDArray[np.bool_]) -> Trials:
        """Return some of the trials, still of two groups or more: blocks, if need be."""
        groups = self.groups[which]
        if len(np.unique(groups)) < 2:
            groups = np.arange(len(groups)) * MAX_FOLDS // max(len(groups), 1)
        return replace(
            self,
            windows=self.windows[which],
            targets=self.targets[which],
            groups=groups,
            subjects=self.subjects[which],
        )

    def folds(self) -> list[NDArray[np.bool_]]:
        """Return which trials each fold leaves out: whole groups, in `MAX_FOLDS` at most.

        Every fifth goes together, so that a person's are not all in the same fold.
        """
        names = np.unique(self.groups)
        n_folds = min(len(names), MAX_FOLDS)
        return [np.isin(self.groups, names[n::n_folds]) for n in range(n_folds)]


@dataclass(frozen=True, slots=True)
class Course:
    """Who is told of a fit that takes long, and where it is kept.

    Parameters
    ----------
    tell : callable
        Told the share that is done, from 0 to 1.
    keep : Path or None
        A folder in which a fit that is interrupted leaves what it has, and finds it again.
    """

    tell: Callable[[float], None] = lambda _: None
    keep: Path | None = None


def flicker_rates(texts: Iterable[str]) -> tuple[float, ...]:
    """Return the rates that labels name, in Hz and rising; none if fewer than two do.

    Examples
    --------
    >>> flicker_rates(["rest", "17 Hz", "13Hz"])
    (13.0, 17.0)
    >>> flicker_rates(["face", "house", "10 Hz"])
    ()
    """
    found = {float(match[1]) for text in texts if (match := _RATE.fullmatch(text))}
    rates = tuple(sorted(found - {0.0}))
    return rates if len(rates) > 1 else ()
