"""Whether decodes can be expected now, and whether anything goes on at all."""

from __future__ import annotations

from collections.abc import Mapping

from decoder.events import State

__all__ = ["HANG", "not_alive", "not_ready"]

HANG = 5.0
"""Seconds without a turn of the decoder's loop that mean it hangs. It takes 4 a second."""

_NEEDED = {"source": "live", "decoder": "ready"}
"""What must have been said, and how it must be."""

_STOPPED = ("paused", "stopped")


def not_ready(states: Mapping[str, State]) -> str:
    """Return why no decode can be expected now; empty if one can.

    Parameters
    ----------
    states : mapping of str to State
        What was said last of ``source``, ``decoder``, ``recorder`` and ``session``.

    Examples
    --------
    >>> not_ready({"source": State("source", "live", 0.0, "")})
    'no word from the decoder yet'
    """
    for what, good in _NEEDED.items():
        if what not in states:
            return f"no word from the {what} yet"
        if states[what].state != good:
            return _said(states[what])
    if "recorder" in states and states["recorder"].state == "failed":
        return _said(states["recorder"])
    if "session" in states and states["session"].state in _STOPPED:
        return _said(states["session"])
    return ""


def not_alive(t_turn: float | None, now: float) -> str:
    """Return why the service has to be started again; empty if it has not.

    Parameters
    ----------
    t_turn : float or None
        When the decoder's loop last took a turn; None before the first.
    now : float
        On the same clock.
    """
    if t_turn is not None and now - t_turn > HANG:
        return f"the decoder's loop has not turned for {now - t_turn:.0f} s"
    return ""


def _said(state: State) -> str:
    return f"{state.what} is {state.state}" + (f": {state.detail}" if state.detail else "")
