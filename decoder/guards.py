"""What is checked of a recording before its scores are believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from models.dataset import Dataset
from streaming.causality import check_causal
from streaming.chain import Chain
from streaming.errors import EvaluationError, RecordingError
from streaming.signal import Chunk
from streaming.sources.source import Source

__all__ = ["check_different", "check_recording"]

_CHECKED = 12.0
"""Seconds of a recording on which its chain is checked: longer than its statistics take."""


def check_recording(source: Source, dataset: Dataset) -> None:
    """Check on a recording's first seconds that its chain is causal.

    Parameters
    ----------
    source : Source
        The recording, from its beginning.
    dataset : Dataset
        Whose chain.

    Raises
    ------
    EvaluationError
        With the step that is not.
    """
    chunks: list[Chunk] = []
    while (item := source.read(0.0)) is not None:
        if not isinstance(item, Chunk):
            continue
        if chunks and item.segment != chunks[0].segment:
            break
        chunks.append(item)
        if sum(chunk.n_times for chunk in chunks) >= _CHECKED * item.spec.sfreq:
            break
    if not chunks:
        return
    chunk = replace(chunks[0], data=np.concatenate([c.data for c in chunks], axis=1), bad=None)
    steps = dataset.transforms
    try:
        check_causal(partial(Chain.from_json, steps), chunk)
    except EvaluationError:
        for n, step in enumerate(steps, start=1):  # which is it?
            name = f"step {n} of the chain ({step['transform']})"
            check_causal(partial(Chain.from_json, steps[:n]), chunk, name)
        raise


def check_different(recordings: Sequence[Path], dataset: Dataset) -> None:
    """Check that no recording was named twice: it would be trained on and tested on.

    Parameters
    ----------
    recordings : sequence of Path
        Where the dataset is from.
    dataset : Dataset
        Its windows; a copy under another name has the same.

    Raises
    ------
    RecordingError
        With the two that are the same.
    """
    first: dict[str, Path] = {}
    for n in np.unique(dataset.files):  # those that gave windows
        path, digest = recordings[n], dataset.hashes[n]
        if digest in first:
            msg = (
                f"{path} holds the same trials as {first[digest]}, which would be in training "
                "and in the test; name each recording once"
            )
            raise RecordingError(msg)
        first[digest] = path
