"""The one clock: LSL's, on this machine."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Clock", "lsl_clock"]

Clock = Callable[[], float]


def lsl_clock() -> float:
    """Return the time now, in seconds on the LSL clock."""
    from pylsl import local_clock  # here: what only names a clock needs no liblsl

    return float(local_clock())
