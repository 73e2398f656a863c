"""A session's bets: what is shown meets what the decoder found, at the declared odds.

Concepts that were seen in calibration and concepts that never were have a stake each. Which of
the two a stimulus is counts as known before the bet, so that the odds are those among its like:
one stake says that the signal tells the seen from one another, the other that it tells the
never-seen, and that what is new surprises is evidence for neither. What is no candidate is bet
on by none, in the same way.

Who runs the experiment may see what is shown before it is decoded. So whether a trial is bet on
is settled when its marker comes; what keeps it from that later is either blind to the label, as
the quality of the signal is, or somebody's doing, and that is a bet lost but for what was kept
(`decoder.evidence.KEPT`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoder.events import Evidence, TextDecoded
from decoder.evidence import LOST, NOTHING, Stake, gains
from decoder.order_check import OrderCheck
from decoder.pool import Pool
from decoder.randomisation import Design, Draw, Draws
from models.stimuli import StimulusTable, read_marker
from streaming.signal import Marker

__all__ = ["Betting"]

_N_WAITING = 8192
"""Stimuli kept that no window was decided for: twice as many as a windower lets wait."""

_LEAST = 1e-300
"""Smallest probability that a logarithm is taken of."""

_OTHER_TABLE = (
    "a model with another table of stimuli was swapped in: what can be shown is not known"
)

_OTHER_STIMULUS = (
    "a trial came again with another marker: what is drawn anew cannot be told from repeats; "
    "number trials through the whole session"
)


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """A stimulus that came.

    Parameters
    ----------
    draw : Draw
        How probable it was.
    pool : Pool
        What was chosen from then.
    open : bool
        Whether it was to be bet on then.
    n_acts : int
        How often somebody had changed something before.
    """

    draw: Draw
    pool: Pool
    open: bool
    n_acts: int


class Betting:
    """Follows stimuli and decodes; says after each bet what came of it.

    Parameters
    ----------
    design : Design
        The declared randomisation.
    stimuli : StimulusTable
        What can be shown.
    before : mapping or None
        What a decoder that died left, from `decoder.start.Start`; None at the start of a
        session.
    """

    def __init__(
        self, design: Design, stimuli: StimulusTable, before: Mapping[str, Any] | None = None
    ) -> None:
        self._draws = Draws(design, stimuli)
        self._stimuli = stimuli
        self._stakes: dict[str, Stake] = {}
        self._warning = ""
        self._waiting: dict[tuple[str, float], deque[_Waiting]] = {}
        self._shown_in: dict[str, str] = {}  # the marker that each trial came with first
        self._told = ""
        self._n_acts = 0
        self._check: OrderCheck | None = None
        if not self._draws.over:
            things = [row.candidate_id for row in self._draws.rows]
            self._check = OrderCheck(things, self._draws.base)
        self._pool: Pool | None = None
        self._index, self._trained = np.zeros(0, np.intp), np.zeros(0, np.bool_)
        if before is not None:
            self._go_on(before)

    def _go_on(self, before: Mapping[str, Any]) -> None:
        self._draws.miss()
        self._warning = before["warning"]
        for label in before.get("trials", ()):  # older sessions have none
            self._is_draw(label)
        if before["over"]:
            self._draws.end(before["reason"])
        for protocol, (n, bets, most) in before["stakes"].items():
            self._stakes[protocol] = Stake(n, tuple(bets), most)

    def see(self, marker: Marker, pool: Pool, *, paused: bool = False) -> list[Evidence]:
        """Take a stimulus that came, before anything is decoded of it.

        Parameters
        ----------
        marker : Marker
            Which.
        pool : Pool
            What is chosen from.
        paused : bool
            Whether nothing is decoded: it is not bet on then, whatever follows.
        """
        draw = self._draws.come(marker.label) if self._is_draw(marker.label) else None
        if draw is None:
            return self._unavailable()
        if self._check is not None:
            self._check.add(draw.row, draw.expected)
            self._warning = self._warning or self._check.warning
        queue = self._waiting.setdefault((marker.label, marker.t), deque())
        queue.append(_Waiting(draw, pool, not paused, self._n_acts))
        if len(self._waiting) > _N_WAITING:
            del self._waiting[next(iter(self._waiting))]
        return []

    def _is_draw(self, label: str) -> bool:
        """Note the trial of a marker; return whether what is shown in it was not known yet.

        What comes again in a trial is not drawn again, whoever decodes by then.
        """
        name, trial = read_marker(label)
        if not trial:
            return True
        if trial not in self._shown_in:
            self._shown_in[trial] = name
            return True
        if self._shown_in[trial] != name:
            self._draws.end(_OTHER_STIMULUS)
        return False

    def begin_run(self) -> None:
        """Take a ``run_start``."""
        self._draws.begin()

    def act(self) -> None:
        """Somebody changed decodes, or keeps them back: they may know what is shown."""
        self._n_acts += 1

    def stop(self) -> None:
        """Give up all that is not decided yet: a stop is somebody's doing, too."""
        for queue in self._waiting.values():
            for waiting in queue:
                if waiting.open and not self._draws.over:
                    self._bet(waiting, self._draws.odds(waiting.draw), None)
        self.miss()

    def miss(self) -> None:
        """Stimuli may have come that nobody told of; what no window is cut for is forgotten."""
        self._draws.miss()
        self._waiting.clear()

    def swap(self, stimuli: StimulusTable) -> None:
        """Take another model's table: the stake goes on if the same things can be shown."""
        if stimuli.rows != self._stimuli.rows:
            self._draws.end(_OTHER_TABLE)

    def decide(
        self,
        decoded: TextDecoded,
        marker: Marker | None,
        probabilities: NDArray[np.float64] | None,
    ) -> list[Evidence]:
        """Bet on a decode, now that it is made, and say what came of it.

        Parameters
        ----------
        decoded : TextDecoded
            The decode, or why there is none.
        marker : Marker or None
            What its window is locked to.
        probabilities : array of shape (n_candidates,) or None
            Of all candidates; None if there is no decode, or one that does not count.
        """
        if not decoded.final:
            return []  # another answer to the same stimulus follows, and that is bet on
        waiting = self._take(marker)
        if waiting is None or self._draws.over:
            return self._unavailable()
        odds = self._draws.odds(waiting.draw)
        self._draws.tell(waiting.draw)
        if not waiting.open:
            return []
        if waiting.n_acts != self._n_acts:
            probabilities = None
        elif probabilities is None:
            return []
        protocol = self._bet(waiting, odds, probabilities)
        if not protocol:
            return []
        self._told = ""
        return [self._evidence(decoded.decode_id, protocol, self._stakes[protocol])]

    def _bet(
        self,
        waiting: _Waiting,
        odds: NDArray[np.float64],
        probabilities: NDArray[np.float64] | None,
    ) -> str:
        """Bet on a stimulus, and lose if there are no probabilities.

        Returns whose stake that was: none if it is no candidate, or was known before.
        """
        row = waiting.draw.row
        index, trained = self._candidates(waiting.pool)
        if index[row] < 0:
            return ""
        odds = np.where((index >= 0) & (trained == trained[row]), odds, 0.0)
        if len(np.unique(index[odds > 0])) < 2:
            return ""
        won = np.array(LOST)
        if probabilities is not None:
            scores = np.log(np.maximum(probabilities[index], _LEAST))
            won = gains(scores, odds / odds.sum(), row)
        protocol = "closed_set" if trained[row] else "zero_shot"
        self._stakes[protocol] = self._stakes.get(protocol, NOTHING).after(won)
        return protocol

    def _take(self, marker: Marker | None) -> _Waiting | None:
        key = None if marker is None else (marker.label, marker.t)
        if key is None or key not in self._waiting:
            return None
        queue = self._waiting[key]
        waiting = queue.popleft()
        if not queue:
            del self._waiting[key]
        return waiting

    def _candidates(self, pool: Pool) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Return each row's candidate, -1 for none, and whether that was seen before."""
        if pool is not self._pool:
            self._pool = pool
            self._index = pool.indices([row.candidate_id for row in self._draws.rows])
            self._trained = np.array(pool.candidates.trained, np.bool_)[self._index]
        return self._index, self._trained

    def _evidence(self, decode_id: str, protocol: str, stake: Stake) -> Evidence:
        return Evidence(
            decode_id=decode_id,
            protocol=protocol,
            design=self._draws.name,
            n=stake.n,
            log10_e=stake.log10_e,
            log10_e_max=stake.log10_e_max,
            p=stake.p,
            log10_bets=stake.log10_bets,
            warning=self._warning,
        )

    def _unavailable(self) -> list[Evidence]:
        """Say why there is no evidence, once; what there was of it is withdrawn or waits."""
        reason = self._draws.reason
        if not reason or reason == self._told:
            return []
        self._told = reason
        said = self._evidence("", "", NOTHING)
        return [replace(said, available=False, reason=reason, over=self._draws.over)]
