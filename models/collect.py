"""Windows of what was shown, from the items of one recording: from a file, or as they come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from models.stimuli import Stimulus, StimulusTable
from streaming.chain import Chain
from streaming.errors import RecordingError
from streaming.fill import Filler
from streaming.signal import Chunk, Gap, Marker, SignalSpec, Window
from streaming.sources.source import Item
from streaming.window import LockedWindows, Windower, Withheld

__all__ = ["Collector"]


class Collector:
    """Runs one recording through a chain, and keeps a window for each stimulus.

    Parameters
    ----------
    path : Path
        The recording, for what is said of it.
    spec : SignalSpec
        What it delivers.
    chain : Chain
        Is prepared for it; nobody else may use it meanwhile.
    windowing : LockedWindows
        Where the windows lie around each stimulus.
    table : StimulusTable
        What the markers mean.

    Attributes
    ----------
    spec_out : SignalSpec
        Of the windows.
    windows, stimuli, runs : list
        What was seen, what was shown, and the number of the run: how many ``run_start``
        markers came before.
    withheld : Counter of str
        How many windows could not be made, by reason.
    labels : Counter of str
        How many markers came of each kind.
    roles : Counter of str
        The same by what the table says that they are; ``"unknown"`` if it does not.
    paused : bool
        Whether what is shown now does not count.
    """

    def __init__(
        self,
        path: Path,
        spec: SignalSpec,
        chain: Chain,
        windowing: LockedWindows,
        table: StimulusTable,
    ) -> None:
        self.path = path
        self.spec_out = chain.prepare(spec)
        self.windows: list[Window] = []
        self.stimuli: list[Stimulus] = []
        self.runs: list[int] = []
        self.withheld: Counter[str] = Counter()
        self.labels: Counter[str] = Counter()
        self.roles: Counter[str] = Counter()
        self.paused = False
        self._chain, self._table = chain, table
        self._windower = Windower(windowing, spec, self.spec_out, chain.settling)
        self._run_of: dict[Marker, int] = {}
        self._filler = Filler()

    def feed(self, item: Item) -> None:
        """Take what the source says next."""
        if isinstance(item, Chunk):
            self._keep(self._windower.feed(self._chain(self._filler(item))))
        elif isinstance(item, Gap):
            self._filler.expect(item)
        elif isinstance(item, Marker):
            self._mark(item)

    def _mark(self, marker: Marker) -> None:
        self.labels[marker.label] += 1
        stimulus = self._table.find(marker.label)
        role = stimulus.role if stimulus else "unknown"
        self.paused = role == "pause" or (self.paused and role != "resume")
        self.roles[role] += 1
        if role == "stimulus" and not self.paused:
            self._run_of[marker] = self.roles["run_start"]
            self._keep(self._windower.mark(marker))

    def _keep(self, decided: Sequence[Window | Withheld]) -> None:
        """Take windows, those of stimuli that are known."""
        for window in decided:
            stimulus = self._table.find(window.marker.label) if window.marker else None
            if not isinstance(window, Window):
                self.withheld[window.reason] += 1
            elif stimulus and window.marker:
                self.windows.append(window)
                self.stimuli.append(stimulus)
                self.runs.append(self._run_of[window.marker])

    def take(self) -> list[tuple[Stimulus, int]]:
        """Return what was shown since, with the run, and keep no window of it."""
        taken = list(zip(self.stimuli, self.runs, strict=True))
        self.windows.clear()
        self.stimuli.clear()
        self.runs.clear()
        return taken

    def check_shown(self) -> None:
        """Refuse a recording without a stimulus, and say which events it has instead.

        Raises
        ------
        RecordingError
            If nothing that the table lists was shown.
        """
        if self._run_of:
            return
        wanted = [row.marker for row in self._table.rows if row.role == "stimulus"]
        some = ", ".join(wanted[:8]) + (", ..." if len(wanted) > 8 else "")
        there = ", ".join(f"{label} ({n})" for label, n in self.labels.most_common(12))
        msg = f"{self.path} has none of the events {some}; its events are: {there or 'none'}"
        raise RecordingError(msg)
