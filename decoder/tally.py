"""What calibration has so far: trials, minutes, and how good the signal is."""

from __future__ import annotations

from collections import Counter, deque
from pathlib import Path

from decoder.fitting import FitSettings
from decoder.stretches import Stretches
from models.channels import spec_of_type
from models.collect import Collector
from models.stimuli import StimulusTable
from streaming.chain import Chain, with_watch
from streaming.fill import Filler
from streaming.layout import info_of
from streaming.signal import Chunk, Gap, Marker, SignalSpec
from streaming.sources.source import Item
from streaming.watch import Watch

__all__ = ["Tally", "live_chain"]

MAX_PAUSE = 10.0
"""Seconds between two stimuli that still count as calibration."""

_N_EARLY = 256
"""Markers kept that came before the first sample of their segment."""


def live_chain(settings: FitSettings, table: StimulusTable, spec: SignalSpec) -> Chain:
    """Return the chain that a fit would make for a stream, if no channel is dead.

    Parameters
    ----------
    settings : FitSettings
        What is made of it.
    table : StimulusTable
        What is shown.
    spec : SignalSpec
        What the stream delivers.

    Raises
    ------
    RecordingError
        If no channel is left.
    """
    kept = spec_of_type(spec, "the stream", settings.picks, settings.drop)
    return with_watch(settings.chain_for(table)(kept, info_of(spec)))


class Tally:
    """Counts what comes, through the chain and the windows of the fit.

    Parameters
    ----------
    spec : SignalSpec
        What the source delivers.
    settings : FitSettings
        What will be made of it.

    Attributes
    ----------
    shown : Counter of str
        How many windows there are of each candidate.
    runs : Counter of int
        How many there are of each run.
    seconds : float
        Of calibration: from stimulus to stimulus, of pauses only a part.
    n_ended : int
        How many ``run_end`` markers came.
    ended_at : float or None
        When the last of them was, in seconds on the LSL clock.
    newest : float
        When the newest sample was taken.
    lost : float
        Length of all gaps, in seconds.
    bad : dict of str to str
        Channels that are not good now, and why.
    """

    def __init__(self, spec: SignalSpec, settings: FitSettings) -> None:
        self.table = settings.table()
        self.shown: Counter[str] = Counter()
        self.runs: Counter[int] = Counter()
        self.seconds = 0.0
        self.n_ended = 0
        self.ended_at: float | None = None
        self.newest = 0.0
        self.lost = 0.0
        self.bad: dict[str, str] = {}
        self._last: float | None = None
        chain = live_chain(settings, self.table, spec)
        windows = settings.windows(self.table)
        self.after = windows.tmax
        self._collector = Collector(Path("the stream"), spec, chain, windows, self.table)
        self._watch = next((s for s in chain.steps if isinstance(s, Watch)), None)
        self._filler = Filler()
        self._stretches = Stretches(spec)
        self._early: deque[Marker] = deque(maxlen=_N_EARLY)

    @property
    def n_windows(self) -> int:
        """How many windows could be made."""
        return self.shown.total()

    @property
    def withheld(self) -> Counter[str]:
        """How many could not, by reason."""
        return self._collector.withheld

    @property
    def paused(self) -> bool:
        """Whether nothing that is shown now counts."""
        return self._collector.paused

    @property
    def unknown(self) -> int:
        """How many markers the table does not list."""
        return self._collector.roles["unknown"]

    def counts(self, item: object) -> bool:
        """Return whether an item, once it was taken, is a stimulus that counts."""
        stimulus = self.table.find(item.label) if isinstance(item, Marker) else None
        return stimulus is not None and stimulus.role == "stimulus" and not self.paused

    def feed(self, item: Item) -> None:
        """Take what the source says next."""
        if isinstance(item, Chunk):
            self._chunk(item)
        elif isinstance(item, Marker):
            self._mark(item)
        elif isinstance(item, Gap):
            self.lost += item.duration
            self._filler.expect(item)

    def _chunk(self, delivered: Chunk) -> None:
        chunk = self._filler(delivered)
        now, _, _ = self._stretches.follow(chunk)
        while self._early and self._early[0].segment <= chunk.segment:
            self._collector.feed(self._stretches.place(self._early.popleft()))
        self._collector.feed(self._stretches.renumber(chunk, now))
        self._count()
        if chunk.n_times:
            self.newest = chunk.t_end
        while self._watch is not None and self._watch.reports:
            report = self._watch.reports.popleft()
            verdicts = zip(self._watch.ch_names, report.channels.verdicts, strict=True)
            self.bad = {name: verdict for name, verdict in verdicts if verdict != "good"}

    def _mark(self, marker: Marker) -> None:
        if self._stretches.is_ahead(marker):
            self._early.append(marker)
        else:
            self._collector.feed(self._stretches.place(marker))
        self._count()
        stimulus = self.table.find(marker.label)
        if stimulus is None:
            return
        if stimulus.role == "run_end":
            self.n_ended += 1
            self.ended_at = marker.t
        elif stimulus.role == "stimulus" and not self.paused:
            if self._last is not None:
                self.seconds += min(max(marker.t - self._last, 0.0), MAX_PAUSE)
            self._last = marker.t

    def _count(self) -> None:
        for stimulus, run in self._collector.take():
            self.shown[stimulus.candidate_id] += 1
            self.runs[run] += 1
