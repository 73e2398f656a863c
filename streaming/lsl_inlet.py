"""An open LSL stream, and a search that opens streams in the background."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import numpy as np
import pylsl
from numpy.typing import NDArray
from pylsl.util import LostError, TimeoutError  # noqa: A004 - liblsl's, not Python's

from streaming.description import Described, describe_stream
from streaming.errors import SourceError
from streaming.lsl_streams import summarise
from streaming.outlet import StreamDescription
from streaming.readable import readable_xml

__all__ = ["Finder", "Inlet", "LostError"]

logger = logging.getLogger(__name__)

_BUFFER = 1.0
"""Seconds of samples that are pulled at most at once."""


class Inlet:
    """An open stream, whose clock is known after `wait_for_clock`.

    In two steps, so that several streams can be opened in order and measured at once.

    The data comes as it was sent: liblsl neither moves nor smooths timestamps (its smoothing
    is off by 2 s after a dropout of 2 s), and does not recover lost streams (it hands over a
    stream with other channels without saying so).

    Parameters
    ----------
    info : pylsl.StreamInfo
        A stream that was found.
    timeout : float
        Seconds for each of two answers: data and description.

    Raises
    ------
    SourceError
        If the stream does not answer.
    """

    def __init__(self, info: pylsl.StreamInfo, timeout: float = 10.0) -> None:
        self.uid: str = info.uid()
        self.summary = summarise(info)
        self.offset = 0.0
        self._inlet = pylsl.StreamInlet(info, recover=False)
        with self._answering():
            self._inlet.open_stream(timeout)
            self.xml = readable_xml(self._inlet.info(timeout).as_xml())
            with suppress(TimeoutError):  # liblsl begins to measure when it is first asked
                self._inlet.time_correction(0.0)
        self.description = StreamDescription.from_xml(self.xml)
        self.channel_format: int = info.channel_format()
        n_rows = max(64, round(_BUFFER * self.summary.sfreq))
        self._is_text = self.channel_format == pylsl.cf_string
        if not self._is_text:
            shape = (n_rows, self.summary.n_channels)
            self._buffer: NDArray[np.generic] = np.empty(shape, self._inlet.np_dtype)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except (LostError, TimeoutError) as error:
            msg = (
                f"{self.summary} was found but does not answer ({error}); is there a firewall "
                f"in between (TCP and UDP 16572-16604), or did it just stop?"
            )
            raise SourceError(msg) from error

    def wait_for_clock(self, timeout: float = 10.0) -> Inlet:
        """Wait until the sender's clock is measured, 0.7 s after it was opened; return self.

        Raises
        ------
        SourceError
            If it does not answer within `timeout` seconds.
        """
        with self._answering():
            self.offset = self._inlet.time_correction(timeout)
        return self

    def pull(self, timeout: float) -> tuple[NDArray[np.generic], NDArray[np.float64]]:
        """Wait for a sample, and return it with all that are there.

        Parameters
        ----------
        timeout : float
            Seconds to wait. Waiting for more than one sample would hold the first back.

        Returns
        -------
        rows : array of shape (n_times, n_channels)
            Samples as they were sent, valid until the next call; bytes objects for text.
        timestamps : array of shape (n_times,)
            On the sender's clock, in seconds.

        Raises
        ------
        LostError
            If the stream is gone.
        """
        if self._is_text:
            text, stamps = self._inlet.pull_chunk(timeout, 64, min_samples=1, as_numpy=True)
            return text, stamps
        rows, stamps = self._inlet.pull_chunk(
            timeout, len(self._buffer), self._buffer, min_samples=1, as_numpy=True
        )
        return rows, stamps

    def measure_offset(self) -> float:
        """Return what to add to the timestamps, as liblsl measured it last, without waiting.

        Raises
        ------
        LostError
            If the stream is gone.
        """
        try:
            self.offset = self._inlet.time_correction(0.0)
        except TimeoutError:
            logger.debug("no new measurement of the clock of %s", self.summary)
        return self.offset

    @property
    def shift(self) -> float:
        """What to add to its timestamps: the clocks' offset, less what it says it is late."""
        return self.offset - self.description.lag

    def describe(self, unit: str | None, trigger: str | None = None) -> Described:
        """Interpret its description; see `streaming.description.describe_stream`."""
        found = self.description
        n_said = len(found.below("channels", "channel"))
        if n_said not in {0, found.n_channels}:
            logger.warning("%s describes %d channels", self.summary, n_said)
        return describe_stream(found, unit=unit, trigger=trigger)

    def close(self) -> None:
        """Stop receiving."""
        self._inlet.close_stream()


class Finder:
    """Look for streams in the background and open each once.

    Opening takes up to a second, which the samples of another stream must not wait for.

    Parameters
    ----------
    predicate : str
        LSL's query (XPath 1.0).
    accept : callable
        Whether to open a stream that answers to it.
    known : set of str
        The uids of streams that are open already.
    """

    def __init__(
        self, predicate: str, accept: Callable[[pylsl.StreamInfo], bool], known: set[str]
    ) -> None:
        self._resolver = pylsl.ContinuousResolver(pred=predicate)
        self._accept, self._known = accept, set(known)
        self._opened: queue.SimpleQueue[tuple[str, Inlet | None]] = queue.SimpleQueue()
        self._closed = False

    def poll(self) -> Inlet | None:
        """Return a stream that was opened since the last call."""
        for info in self._resolver.results():
            uid = info.uid()
            if uid not in self._known and self._accept(info):
                self._known.add(uid)
                # A thread each: what is listed may be dead already, and then takes many
                # seconds, in which its successor must not wait.
                threading.Thread(target=self._open, args=(uid, info), daemon=True).start()
        while True:
            try:
                uid, inlet = self._opened.get_nowait()
            except queue.Empty:
                return None
            if inlet is not None:
                return inlet
            self.forget(uid)

    def _open(self, uid: str, info: pylsl.StreamInfo) -> None:
        try:
            inlet = Inlet(info).wait_for_clock()
        except SourceError as error:
            logger.info("%s", error)
            self._opened.put((uid, None))
            return
        if self._closed:
            inlet.close()
        self._opened.put((uid, inlet))

    def forget(self, uid: str) -> None:
        """Open a stream again should it be there again."""
        self._known.discard(uid)

    def close(self) -> None:
        """Stop looking."""
        self._closed = True
