"""The one clock: LSL's, on this machine."""

from __future__ import annotations

from collections.abc import Callable

import pylsl

__all__ = ["Clock", "lsl_clock"]

Clock = Callable[[], float]


def lsl_clock() -> float:
    """Return the time now, in seconds on the LSL clock."""
    return float(pylsl.local_clock())
