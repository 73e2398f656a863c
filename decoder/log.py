"""One order for all that a session says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from decoder.events import (
    Event,
    Evidence,
    GapFound,
    Latency,
    LatentMade,
    Signal,
    State,
)
from decoder.lines import LineFile
from decoder.server.hub import Message
from decoder.server.wire import encode, encode_latent, encode_signal, stream_of
from streaming.errors import SessionError
from streaming.lsl_clock import Clock

__all__ = ["EventLog", "purges", "retained"]


class EventLog:
    """Gives each event its `seq`, writes it to `events.jsonl`, and only then publishes it.

    Parameters
    ----------
    path : Path
        Is made, or gone on with.
    publish : callable
        Takes each `Message`; must not wait.
    clock : Clock
        Says when an event is emitted.
    last_seq : int
        The last `seq` that is in the file.
    observe : callable
        Told of each event, and the time, before it is published (a count); must not wait.

    Attributes
    ----------
    failure : str
        Why nothing more is written; empty while all is.
    """

    def __init__(
        self,
        path: Path,
        publish: Callable[[Message], None],
        clock: Clock,
        last_seq: int = 0,
        observe: Callable[[Event, float], None] = lambda *_: None,
    ) -> None:
        self._file = LineFile(path)
        self.failure = ""
        self._publish = publish
        self._observe = observe
        self._clock = clock
        self._seq = last_seq

    def emit(self, event: Event, pictures: Mapping[str, bytes] | None = None) -> None:
        """Log an event and publish it; signal, latents and latency are published only.

        Parameters
        ----------
        event : Event
            What is said.
        pictures : mapping of str to bytes or None
            What an `ImagePreview` tells of, by format; published, and not in the log.
        """
        now = self._clock()
        self._observe(event, now)
        stream = stream_of(event)
        if isinstance(event, Signal):
            self._publish(Message(stream, encode_signal(event), now))
            return
        if isinstance(event, LatentMade):
            self._publish(Message(stream, encode_latent(event, now), now))
            return
        if isinstance(event, Latency):
            self._publish(Message(stream, encode(event, None, now), now))
            return
        self._seq += 1
        body = encode(event, self._seq, now)
        try:
            self._file.write(body)
        except SessionError as error:
            self.failure = str(error)
        self._publish(
            Message(
                stream,
                body,
                now,
                retain=retained(event),
                seq=self._seq,
                logged=not self.failure,
                purges=purges(event),
                pictures=pictures or {},
            )
        )

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def retained(event: Event) -> str:
    """Return what later news replaces it: how things stand, of which who joins late is told."""
    if isinstance(event, State):
        return event.what
    if isinstance(event, Evidence):
        return "evidence"
    return "restart" if isinstance(event, GapFound) and event.gap.reason == "restart" else ""


def purges(event: Event) -> bool:
    """Return whether nothing from before an event is given out any more."""
    return isinstance(event, State) and (event.what, event.state) == ("session", "stopped")
