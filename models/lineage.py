"""What a model has seen, and what it descends from: nothing that one of them knows is scored.

Three things are kept of each generation: the hashes of whole recordings, a hash of each window,
and of sessions when the windows lay. The last holds also where the same samples come out a
little different, by another chain or in another file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.checkpoint import Model
from models.dataset import Dataset
from streaming.errors import EvaluationError

__all__ = [
    "Span",
    "ancestors",
    "check_fresh",
    "joined",
    "seen_in",
    "sessions_of",
    "spans_of",
    "window_hashes",
    "without_seen",
]

Span = tuple[float, float]
"""From when to when, in seconds on the LSL clock of whoever recorded."""

_TOUCH = 0.005
"""Seconds by which windows may overlap and count as neighbours: the clock of a recording, read
again from its file, is a millisecond or two off."""


def window_hashes(windows: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Return a number for the samples of each window, whatever was shown in it.

    Parameters
    ----------
    windows : array of shape (n, n_channels, n_times)
        After the chain.

    Returns
    -------
    array of shape (n,)
        The first 64 bits of their BLAKE2 hash.
    """
    found = (hashlib.blake2b(w.tobytes(), digest_size=8) for w in windows)
    return np.array([int.from_bytes(each.digest(), "little") for each in found], np.uint64)


def joined(*spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return stretches of time in order, those that overlap or touch as one.

    Examples
    --------
    >>> joined([(3.0, 4.0), (0.0, 1.0)], [(0.5, 2.0)])
    ((0.0, 2.0), (3.0, 4.0))
    """
    found: list[Span] = []
    for start, stop in sorted((a, b) for part in spans for a, b in part):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(stop, found[-1][1])
        else:
            found.append((start, stop))
    return tuple(found)


def ancestors(model: Model) -> list[str]:
    """Return the hashes of all recordings that a model, or one that it began with, saw."""
    own, before = model.training.get("sha256", ()), model.training.get("sha256_before", ())
    return [*before, *own]


def sessions_of(model: Model) -> dict[str, tuple[Span, ...]]:
    """Return when the windows lay that a model, or one before it, saw of each session."""
    said: Mapping[str, Sequence[Sequence[float]]] = model.training.get("sessions", {})
    return {name: tuple((a, b) for a, b in spans) for name, spans in said.items()}


def spans_of(dataset: Dataset) -> dict[str, tuple[Span, ...]]:
    """Return when the windows of a dataset lie in the sessions that it is of."""
    starts, stops = _extent(dataset)
    names = dataset.sessions or ("",) * len(dataset.hashes)
    found: dict[str, tuple[Span, ...]] = {}
    for number, name in enumerate(names):
        rows = np.flatnonzero(dataset.files == number)
        spans = [(round(float(starts[n]), 3), round(float(stops[n]), 3)) for n in rows]
        if spans and name:
            found[name] = joined(found.get(name, ()), spans)
    return found


def seen_in(model: Model, dataset: Dataset) -> tuple[NDArray[np.bool_], str]:
    """Return which windows a model or one of its ancestors saw, and how that is known.

    Parameters
    ----------
    model : Model
        Whatever it was fitted to, began with, or was refitted to live.
    dataset : Dataset
        Windows of recordings.

    Returns
    -------
    seen : array of shape (n,)
        Those that it saw, or that share samples with such.
    what : str
        The recordings and sessions, for a person; empty if it saw none.
    """
    known = set(ancestors(model))
    whole = np.array([each in known for each in dataset.hashes], bool)[dataset.files]
    seen = whole | np.isin(window_hashes(dataset.windows), model.seen)
    numbers = sorted({int(n) + 1 for n in dataset.files[seen]})
    what = [f"recording {n} of {len(dataset.hashes)}" for n in numbers]
    starts, stops = _extent(dataset)
    for name, spans in sessions_of(model).items():
        if name not in dataset.sessions:
            continue
        ours = np.array([name == each for each in dataset.sessions])[dataset.files]
        begins, ends = np.array(spans).T
        # Of stretches in order, the last that begins before the window is over.
        last = np.searchsorted(begins, stops - _TOUCH) - 1
        inside = ours & (last >= 0) & (ends[last] > starts + _TOUCH)
        if inside.any():
            what.append(f"session {name}")
        seen = seen | inside
    return seen, " and ".join(what)


def check_fresh(model: Model, dataset: Dataset, who: str = "the model to begin with") -> None:
    """Refuse to score windows that a model, or one that it descends from, knows.

    Raises
    ------
    EvaluationError
        If it saw one of them.
    """
    seen, what = seen_in(model, dataset)
    if seen.any():
        msg = (
            f"{who} was fitted to {what} ({seen.sum()} of {len(dataset)} trials), which would "
            "score what it remembers; name others"
        )
        raise EvaluationError(msg)


def without_seen(model: Model, dataset: Dataset) -> tuple[Dataset, str]:
    """Leave out what a model or one of its ancestors saw.

    Returns
    -------
    dataset : Dataset
        The others; what was left out is counted as withheld.
    note : str
        What that was, for a person; empty if nothing was.

    Raises
    ------
    EvaluationError
        If all of a recording is known: it was named by mistake.
    """
    seen, what = seen_in(model, dataset)
    n = int(seen.sum())
    if not n:
        return dataset, ""
    for number in np.unique(dataset.files):
        if seen[dataset.files == number].all():
            msg = (
                f"the model, or one that it descends from, was fitted to {what}; all of "
                f"recording {number + 1} would score what it remembers; name others"
            )
            raise EvaluationError(msg)
    left = replace(dataset.take(~seen), withheld={**dataset.withheld, "known": n})
    note = (
        f"{n} of {len(dataset)} trials are left out: the model, or one that it descends from, "
        f"learnt from them, or from samples that they share ({what})"
    )
    return left, note


def _extent(dataset: Dataset) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return when each window begins and ends, in seconds."""
    return dataset.t, dataset.t + dataset.windows.shape[2] / dataset.spec_out.sfreq
