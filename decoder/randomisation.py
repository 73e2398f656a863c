"""The declared randomisation: how probable each stimulus was to come next.

What is true of the order of stimuli cannot be seen from it; whoever made the experiment knows.
Nothing here looks at the signal or at a decode.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from streaming.errors import ConfigError

if TYPE_CHECKING:
    from models.stimuli import Stimulus, StimulusTable  # an ingest has no models

__all__ = [
    "UNDECLARED",
    "Design",
    "Draw",
    "Draws",
    "Kind",
    "declared_counts",
    "declared_odds",
    "design_of",
]

Kind = Literal["independent", "shuffled", "blocked"]

_SUM = 1e-3
"""By how much declared probabilities may miss 1 in sum: they are written with a few digits."""

_FRACTION = 1e-6
"""By how much a count may miss a whole number, as a share of it."""


@dataclass(frozen=True, slots=True)
class Design:
    """How stimuli follow one another.

    Parameters
    ----------
    kind : str or None
        ``"independent"``: each is drawn by the column ``prob`` of the table of stimuli,
        whatever came before; all are as probable if the table has no ``prob``.
        ``"shuffled"``: blocks, each in random order, that show every stimulus as often as the
        others do; a block begins with a ``run_start``, and when the one before is used up.
        ``"blocked"``: none of these. None: nobody said; a table in which every stimulus has a
        ``prob`` then says ``"independent"``.
    block : int or None
        Stimuli in a shuffled block, each as often as its ``prob`` says; None: each row of the
        table once.

    Raises
    ------
    ConfigError
        If there is a block without shuffling, or nothing in it.
    """

    kind: Kind | None = None
    block: int | None = None

    def __post_init__(self) -> None:
        """Refuse what means nothing."""
        if self.block is None:
            return
        if self.kind != "shuffled":
            msg = f"a block of {self.block} stimuli belongs to the design shuffled; name that"
            raise ConfigError(msg)
        if self.block < 2:
            msg = f"a block of {self.block} stimuli is never shuffled; give 2 or more"
            raise ConfigError(msg)

    def check(self, stimuli: StimulusTable) -> None:
        """Refuse a table that cannot be drawn from so.

        Raises
        ------
        ConfigError
            If its ``prob`` are not fit for it.
        """
        if self.kind == "shuffled":
            declared_counts(stimuli, self.block)
        elif self.kind == "independent":
            declared_odds(stimuli)


UNDECLARED = Design()
"""Nobody said."""


def design_of(kind: str | None, block: int | None) -> Design:
    """Make a design of what was said.

    Raises
    ------
    ConfigError
        If there is none of this name, or it has no blocks.
    """
    known = get_args(Kind)
    if kind is not None and kind not in known:
        msg = f"--design {kind} is not known; there are {', '.join(known)}"
        raise ConfigError(msg)
    return Design(cast("Kind | None", kind), block)


_NO_DESIGN = (
    "no design was declared: say how stimuli are drawn, with --design or the column prob of "
    "the table of stimuli"
)
_BLOCKED = (
    "blocked order: slow drift of the signal tells what is shown as well as the brain does; "
    "show things in random order"
)
_MISSED = (
    "stimuli may have been missed, so that it is not known which are left of the block; it "
    "goes on with the next run_start"
)


def declared_odds(stimuli: StimulusTable) -> NDArray[np.float64]:
    """Return how probable each stimulus is, by the table.

    Parameters
    ----------
    stimuli : StimulusTable
        Whose column ``prob`` is full, or empty.

    Returns
    -------
    array of shape (n_stimuli,)
        In the order of the rows with the role ``stimulus``; sums to 1.

    Raises
    ------
    ConfigError
        If only some have a ``prob``, or they do not add up to 1.
    """
    rows = _shown(stimuli)
    probs = [row.prob for row in rows if row.prob is not None]
    if not probs:
        return np.full(len(rows), 1 / len(rows))
    if len(probs) < len(rows):
        without = next(row.marker for row in rows if row.prob is None)
        msg = f"stimulus {without!r} has no prob and others have: give all of them one, or none"
        raise ConfigError(msg)
    if abs(sum(probs) - 1) > _SUM:
        msg = f"prob of all {len(rows)} stimuli adds up to {sum(probs):.4g}, not to 1; mend it"
        raise ConfigError(msg)
    return np.array(probs) / sum(probs)


def declared_counts(stimuli: StimulusTable, block: int | None) -> NDArray[np.intp]:
    """Return how often a shuffled block shows each stimulus.

    Parameters
    ----------
    stimuli : StimulusTable
        With probabilities, as for `declared_odds`.
    block : int or None
        Stimuli in a block; None: each row once.

    Returns
    -------
    array of shape (n_stimuli,)
        Whole numbers, at least 1.

    Raises
    ------
    ConfigError
        If the counts are not whole.
    """
    odds = declared_odds(stimuli)
    if block is None:
        if np.ptp(odds) > 0:
            msg = (
                "a shuffled table shows each stimulus once, but their prob differ: say how "
                "many stimuli a block has with --block"
            )
            raise ConfigError(msg)
        return np.ones(len(odds), np.intp)
    counts = np.maximum(np.rint(odds * block), 1)
    off = np.abs(odds * block - counts) / counts
    if off.max() > _FRACTION:
        row = _shown(stimuli)[int(off.argmax())]
        msg = (
            f"a block of {block} would show {row.marker!r} "
            f"{float(odds[off.argmax()]) * block:.4g} times: --block must give whole numbers"
        )
        raise ConfigError(msg)
    return counts.astype(np.intp)


def _shown(stimuli: StimulusTable) -> list[Stimulus]:
    rows = [row for row in stimuli.rows if row.role == "stimulus"]
    if not rows:
        msg = "the table lists no stimulus, so that there is nothing to draw; add their rows"
        raise ConfigError(msg)
    return rows


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """A stimulus that came.

    Parameters
    ----------
    row : int
        Which, among the rows with the role ``stimulus``.
    expected : array of shape (n_stimuli,)
        How probable each was, given all that came before.
    hidden : array of shape (n_stimuli,) or None
        How often each is among those of its block that were not told yet; this one changes it
        when it is. None where draws do not depend on one another.
    """

    row: int
    expected: NDArray[np.float64]
    hidden: NDArray[np.intp] | None


class Draws:
    """Follows what is shown, to tell how probable it was.

    Which block a stimulus is of is decided when it comes; the odds are those given all that
    was *told* of that block, so that neither the order in which windows are decided, nor one
    that is never decided, makes them wrong: any part of a shuffled block is a random draw of
    what the others leave.

    Parameters
    ----------
    design : Design
        What was declared.
    stimuli : StimulusTable
        What can be shown.

    Attributes
    ----------
    name : str
        Of the design.
    rows : tuple of Stimulus
        What can be shown.
    reason : str
        Why the odds are not known now; empty if they are.
    over : bool
        Whether they never will be again.
    """

    def __init__(self, design: Design, stimuli: StimulusTable) -> None:
        self.rows = tuple(row for row in stimuli.rows if row.role == "stimulus")
        kind = design.kind
        if kind is None and self.rows and all(row.prob is not None for row in self.rows):
            kind = "independent"
        self.name: str = kind or "undeclared"
        self.reason, self.over = "", False
        self._stimuli = stimuli
        self._row_of = {row.marker: n for n, row in enumerate(self.rows)}
        self._counts: NDArray[np.intp] | None = None
        try:
            self.base = declared_odds(stimuli)
            if kind == "shuffled":
                self._counts = declared_counts(stimuli, design.block)
        except ConfigError as error:
            self.end(str(error))
        if kind in {None, "blocked"}:
            self.end(_NO_DESIGN if kind is None else _BLOCKED)
        self.begin()

    def begin(self) -> None:
        """Begin a block."""
        if self.over or self._counts is None:
            return
        self.reason = ""
        self._left = self._counts.copy()
        self._hidden = self._counts.copy()

    def miss(self) -> None:
        """Stimuli may have come that nobody told of."""
        if not self.over and self._counts is not None:
            self.reason = _MISSED

    def end(self, reason: str) -> None:
        """Nothing is known from now on."""
        if not self.over:
            self.reason, self.over = reason, True

    def come(self, label: str) -> Draw | None:
        """Take the next stimulus; None if the odds are not known.

        One that the design does not allow ends it all.
        """
        stimulus = self._stimuli.find(label)
        if self.reason or stimulus is None:
            return None
        row = self._row_of[stimulus.marker]
        if self._counts is None:
            return Draw(row, self.base, None)
        if not self._left.any():
            self.begin()
        if not self._left[row]:
            n, of = int(self._counts.sum() - self._left.sum()), int(self._counts.sum())
            self.end(
                f"the order is not as declared: {label!r} came again after {n} of the {of} "
                "stimuli of a shuffled block"
            )
            return None
        expected = self._left / self._left.sum()
        self._left[row] -= 1
        return Draw(row, expected, self._hidden)

    def odds(self, draw: Draw) -> NDArray[np.float64]:
        """Return how probable each row was, given what was told of its block; sums to 1."""
        hidden = draw.hidden
        return self.base if hidden is None else hidden / hidden.sum()

    def tell(self, draw: Draw) -> None:
        """Note that it is known what was shown: the decode is made, or never will be."""
        if draw.hidden is not None:
            draw.hidden[draw.row] -= 1
