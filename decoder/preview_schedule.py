"""Which decode is pictured, and when not. No thread, process or clock.

The newest decode alone is worth a picture. So one may wait, which a newer one replaces; the one
in the making is cancelled when a newer decode has come, pictured or not; and what is not there
`deadline` after its text is given up. Every decode that was offered ends as one of `OUTCOMES`.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["CANCEL", "OUTCOMES", "Cancel", "Job", "Make", "Order", "Outcome", "Schedule"]

Outcome = Literal["made", "cancelled", "late", "failed"]

OUTCOMES: tuple[Outcome, ...] = ("made", "cancelled", "late", "failed")
"""What becomes of a decode: its final picture went out, a newer decode or a stop came first,
the deadline passed, or its picture could not be made."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """A decode that is to be pictured.

    Parameters
    ----------
    decode_id : str
        Which.
    vector : array of shape (n_dims,)
        Its latent, not normalised.
    seed : int
        Of all that is random in its picture.
    t_start, t_end : float
        What its window covers, in seconds on the LSL clock.
    t_text : float
        When its text went out, on the same clock.
    """

    decode_id: str
    vector: NDArray[np.float32]
    seed: int
    t_start: float
    t_end: float
    t_text: float


@dataclass(frozen=True, slots=True, eq=False)
class Make:
    """Tell the worker to picture a job, and to give up after `within` seconds."""

    job: Job
    within: float


@dataclass(frozen=True, slots=True)
class Cancel:
    """Tell the worker to give up what it makes."""


CANCEL = Cancel()

Order = Make | Cancel


class Schedule:
    """Orders for one worker.

    Parameters
    ----------
    deadline : float
        Seconds after its text at which a picture is not worth making any more.

    Attributes
    ----------
    counts : Counter of str
        How many decodes ended as each of `OUTCOMES`.
    running, waiting : Job or None
        What the worker makes, and what is next.
    t_cancelled : float or None
        Since when the worker is to give up what it makes.
    """

    def __init__(self, deadline: float) -> None:
        self.counts: Counter[str] = Counter(dict.fromkeys(OUTCOMES, 0))
        self.running: Job | None = None
        self.waiting: Job | None = None
        self.t_cancelled: float | None = None
        self._deadline = deadline
        self._there = False
        self._done: Outcome | None = None
        self._t_rest = -math.inf

    def offer(self, job: Job | None, t: float) -> list[Order]:
        """Take the newest decode at time `t`; None for one that is not to be pictured."""
        if self.waiting is not None:
            self.counts["cancelled"] += 1
        self.waiting = job
        if self.running is not None:
            if self.t_cancelled is not None:
                return []
            self.t_cancelled = t
            return [CANCEL]
        return self._next(t)

    def _next(self, t: float) -> list[Order]:
        job = self.waiting
        if job is None or not self._there:
            return []
        self.waiting = None
        if t < self._t_rest:
            self.counts["failed"] += 1
            return []
        within = job.t_text + self._deadline - t
        if within <= 0:
            self.counts["late"] += 1
            return []
        self.running, self._done, self.t_cancelled = job, None, None
        return [Make(job, within)]

    def pictured(self, t: float, *, final: bool) -> Job | None:
        """Return of what a picture is that came at time `t`; None if it is not to be shown."""
        job = self.running
        if job is None or self.t_cancelled is not None or self._done is not None:
            return None
        if t > job.t_text + self._deadline:
            self._done = "late"
            return None
        if final:
            self._done = "made"
        return job

    def ended(self, how: Outcome, t: float, rest: float = 0.0) -> list[Order]:
        """Take that the worker is done with what it made, and how; ask none for `rest` [s]."""
        self._t_rest = t + rest
        if self.running is None:
            return []
        unseen: Outcome = "cancelled" if self.t_cancelled is not None else "late"
        self.counts[self._done or (unseen if how == "made" else how)] += 1
        self.running, self.t_cancelled = None, None
        return self._next(t)

    def withdrawn(self) -> None:
        """Take back that one was made: something newer came before it went out."""
        if self._done == "made" and self.running is not None:
            self._done = "cancelled"
        else:
            self.counts["made"] -= 1
            self.counts["cancelled"] += 1

    def opened(self, t: float) -> list[Order]:
        """Take that the worker can work."""
        self._there = True
        return self._next(t)

    def died(self) -> None:
        """Take that there is no worker any more; what it made failed."""
        if self.running is not None:
            self.counts[self._done or "failed"] += 1
        self.running, self.t_cancelled, self._there = None, None, False
