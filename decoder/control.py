"""What people tell a session: inputs like the signal, so that they replay."""

from __future__ import annotations

from dataclasses import dataclass

from streaming.sources.source import Item

__all__ = ["Input", "MarkBad"]


@dataclass(frozen=True, slots=True)
class MarkBad:
    """The operator says that channels are bad, or good again, from the next sample on.

    Parameters
    ----------
    ch_names : tuple of str
        Channels of the model.
    bad : bool
        Whether they are bad.
    """

    ch_names: tuple[str, ...]
    bad: bool


Input = Item | MarkBad
"""All that a session can be fed."""
