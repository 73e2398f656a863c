"""What is checked of a recording before its scores are believed."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from models.dataset import Dataset
from streaming.causality import check_causal
from streaming.chain import Chain
from streaming.errors import EvaluationError
from streaming.signal import Chunk
from streaming.sources.source import Source

__all__ = ["check_recording"]

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
