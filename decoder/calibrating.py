"""A calibration: takes in and records a stream, and watches what it is worth meanwhile.

Taking in and recording is a process of its own, as for `serve`, and so is fitting: whatever
happens here, what was recorded stays, and `braincast fit` takes it.
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from decoder.appraising import Appraisal, Appraiser
from decoder.config import Config
from decoder.fitting import FitSettings
from decoder.folder import (
    SessionFolder,
    create_folder,
    new_session_id,
    recording_name,
    write_manifest,
)
from decoder.ingesting import ingest_process
from decoder.runtime import Feed
from decoder.tally import Tally
from models.encoder import NETWORKS
from streaming.link_feed import LinkFeed
from streaming.lsl_clock import Clock
from streaming.signal import Chunk, Gap, Marker, SourceState

__all__ = ["Calibration", "Ended", "Plan", "View", "recorded", "taking_in"]

logger = logging.getLogger(__name__)

MAX_LAG = 60.0
"""Seconds of signal that may wait for us: nothing here is late."""

_LOOK = 0.1
_SHOW_EVERY = 0.25
_GRACE = 3.0
"""Seconds that samples may be late after the last run has ended."""

Ended = Literal["", "run_end", "minutes", "key", "stopped", "source", "withdrawn"]
"""Why a calibration ended; empty while it goes on."""

View = Callable[[Tally, Appraisal | None, str, bool], None]
"""What is shown: the tally, the newest appraisal, the newest news, and whether there will be
another appraisal soon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is calibrated, and until when.

    Parameters
    ----------
    settings : FitSettings
        What is shown, and what will be made of it.
    minutes : float or None
        Of calibration that are enough, without long pauses.
    n_runs : int
        How many ``run_end`` markers end it.
    """

    settings: FitSettings
    minutes: float | None = None
    n_runs: int = 1


class Calibration:
    """Follows a feed until it is time to fit.

    Parameters
    ----------
    plan : Plan
        What, and until when.
    feed : Feed
        Where samples and markers come from; they are recorded there.
    tally : Tally
        Counts them.
    appraiser : Appraiser
        Fits beside.
    recorded : callable
        Returns the recordings that there are.
    clock : Clock
        LSL's, where the samples are taken in.

    Attributes
    ----------
    appraisal : Appraisal or None
        The newest.
    """

    def __init__(
        self,
        plan: Plan,
        feed: Feed,
        tally: Tally,
        appraiser: Appraiser,
        recorded: Callable[[], list[Path]],
        clock: Clock,
    ) -> None:
        self.appraisal: Appraisal | None = None
        self._plan = plan
        self._feed = feed
        self._tally = tally
        self._appraiser = appraiser
        self._recorded = recorded
        self._shown = set[str]()  # recordings in which something was
        self._clock = clock
        self._news = ""
        self._withdrawn = False
        self._full_at: float | None = None

    def run(self, stop: threading.Event, view: View, pressed: Callable[[], str]) -> Ended:
        """Go on until the runs are over, the minutes are full, or somebody ends it.

        Parameters
        ----------
        stop : threading.Event
            Ends it.
        view : callable
            Is shown what there is, about four times a second.
        pressed : callable
            Returns the keys that were pressed since; an f ends it.

        Returns
        -------
        str
            Why it ended.
        """
        shown_at = self._clock()
        why: Ended = ""
        while not why:
            fed = self._feed.get(_LOOK)
            if fed is not None:
                self._take(fed.item)
                if self._tally.counts(fed.item):
                    self._shown.add(fed.recording)
            now = self._clock()
            if now >= shown_at:
                shown_at = now + _SHOW_EVERY
                self._appraise()
                view(self._tally, self.appraisal, self._news, self._appraiser.busy)
                why = "key" if "f" in pressed().lower() else ""
            why = why or self._over(stop)
        self._appraise()
        view(self._tally, self.appraisal, self._news, False)
        return why

    def recordings(self) -> list[Path]:
        """Return what can be fitted: a recording in which nothing was shown would be refused.

        There is one if taking in began again before the first stimulus, or after the last.
        """
        found = self._recorded()
        return [path for path in found if path.name in self._shown] or found

    def _take(self, item: object) -> None:
        if isinstance(item, SourceState):
            self._news = "" if item.state in {"live", "good"} else item.detail
            self._withdrawn = self._withdrawn or item.what == "session"
        elif isinstance(item, Chunk | Marker | Gap):
            self._tally.feed(item)

    def _appraise(self) -> None:
        self.appraisal = self._appraiser.answer() or self.appraisal
        self._appraiser.ask(self.recordings, self._tally.n_windows)

    def _over(self, stop: threading.Event) -> Ended:
        """Say whether it is over, and why."""
        if self._withdrawn:
            return "withdrawn"
        if stop.is_set():
            return "stopped"
        if self._feed.ended:
            return "source"
        tally, plan = self._tally, self._plan
        if tally.n_ended >= plan.n_runs and self._is_complete(tally.ended_at):
            return "run_end"
        if plan.minutes is not None and tally.seconds >= 60 * plan.minutes:
            self._full_at = tally.newest if self._full_at is None else self._full_at
            if self._is_complete(self._full_at):
                return "minutes"
        return ""

    def _is_complete(self, last: float | None) -> bool:
        """Say whether the window of what was shown until `last` is recorded."""
        if last is None:
            return False
        end = last + self._tally.after
        return self._tally.newest >= end + _LOOK or self._clock() >= end + _GRACE


def recorded(folder: SessionFolder) -> list[Path]:
    """Return the recordings of a session, in their order.

    A number is missing where taking in began again and found no stream.
    """
    numbers = (path.stem.partition("-")[2] or "1" for path in folder.path.glob("raw*.xdf"))
    parts = sorted(int(number) for number in numbers if number.isdecimal())
    return [folder.path / recording_name(part) for part in parts]


@contextmanager
def taking_in(
    config: Config, plan: Plan, stop: threading.Event
) -> Iterator[tuple[SessionFolder, Calibration]]:
    """Take in and record a stream in a process of its own; it ends when this does.

    Parameters
    ----------
    config : Config
        What to take in, and where sessions are kept.
    plan : Plan
        What is calibrated.
    stop : threading.Event
        Ends the wait for the stream.

    Raises
    ------
    BraincastError
        If there is no stream, or it is not what the plan needs.
    """
    root = config.session.record
    assert root is not None  # noqa: S101 - a calibration is always recorded
    table = plan.settings.table()
    stops = tuple(sorted({r.marker.strip() for r in table.rows if r.role == "stop"}))
    config = config.model_copy(
        update={
            "source": config.source.model_copy(update={"max_lag": MAX_LAG}),
            "session": config.session.model_copy(update={"stop_markers": stops}),
        }
    )
    folder = create_folder(root, new_session_id(), config)
    try:
        with ingest_process(folder, stop) as address:
            where = (address.host, address.port)
            with closing(LinkFeed(where, address.token)) as feed:
                write_manifest(folder, feed.hello, config)
                quick = plan.settings
                if quick.encoder in NETWORKS:
                    logger.warning(
                        "a network takes minutes to fit: accuracy so far is that of the linear "
                        "encoders, and %s is fitted at the end",
                        quick.encoder,
                    )
                    quick = replace(quick, encoder="auto")
                with closing(Appraiser(quick)) as appraiser:
                    tally = Tally(feed.hello.spec, plan.settings)
                    yield (
                        folder,
                        Calibration(
                            plan, feed, tally, appraiser, lambda: recorded(folder), feed.clock
                        ),
                    )
    finally:
        if not any(folder.path.glob("raw*.xdf")):  # there was no stream: nothing to keep
            shutil.rmtree(folder.path)
