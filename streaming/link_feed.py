"""What an ingest gives, also when it is started again in between."""

from __future__ import annotations

import json
import queue
import threading
from dataclasses import dataclass, replace

from streaming.errors import SourceError
from streaming.ingest import Fed
from streaming.link import MARK, RESUME, STOP, Hello
from streaming.link_client import LinkClient
from streaming.lsl_clock import lsl_clock
from streaming.signal import Chunk, Marker, Revision, SignalSpec, SourceState

__all__ = ["LinkFeed", "Position"]

_RETRY = 0.25
"""Seconds between two attempts to connect."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far a session has come.

    Parameters
    ----------
    hello : Hello
        What the ingest says that it was fed from.
    first_segment : int
        What the segment 0 of that ingest is called in the session.
    newest_segment : int
        The newest segment of the session; -1 if there is none.
    """

    hello: Hello
    first_segment: int = 0
    newest_segment: int = -1


class LinkFeed:
    """Gives what comes from an ingest, and waits for it when it is away.

    That it is away is said as a `SourceState`. An ingest that was started again counts its
    segments from 0 again; here they go on counting. One that delivers something else is
    refused, and looked for again.

    Parameters
    ----------
    address : tuple of str and int
        Host and port.
    token : str
        Lets us in.
    position : Position or None
        Where the session goes on from; the ingest may then be away. None if it begins.

    Raises
    ------
    SourceError
        If the session begins and nobody answers there, or we are not let in.
    """

    def __init__(
        self, address: tuple[str, int], token: str, position: Position | None = None
    ) -> None:
        self._address, self._token = address, token
        self._found: queue.SimpleQueue[LinkClient | str] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._offset = 0.0
        self._n_dropped = 0
        self._said = ""
        self._stopped: str | None = None
        self._resumes = False
        self._link: LinkClient | None = None
        if position is None:
            self._link = LinkClient(address, token)
            position = Position(self._link.hello)
        else:
            self._look()
        self.hello = position.hello
        self._recording = position.hello.recording
        self._base, self._newest = position.first_segment, position.newest_segment

    def clock(self) -> float:
        """Return what the LSL clock reads where the samples are taken in."""
        link = self._link  # another thread's: any may ask
        return lsl_clock() + self._offset if link is None else link.clock()

    @property
    def n_dropped(self) -> int:
        """Samples that were dropped on the way."""
        return self._n_dropped + (self._link.n_dropped if self._link is not None else 0)

    @property
    def n_waiting(self) -> int:
        """Samples that waited to be sent when the newest chunk was; none if nobody is there."""
        return self._link.n_waiting if self._link is not None else 0

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self._link is not None and self._link.ended

    def get(self, timeout: float) -> Fed | None:
        """Return the next item, or None if none came within `timeout` seconds."""
        if self._link is None:
            return self._await(timeout)
        if self._resumes and self._link.send(RESUME, b""):
            # It goes on with another recording; what is still on its way is of before the stop.
            self._resumes = False
            self._hang_up(self._link)
            self._look()
            return None
        try:
            fed = self._link.get(timeout)
        except SourceError as error:
            self._hang_up(self._link)
            self._look()
            return self._away(str(error))
        return None if fed is None else self._placed(fed)

    def _placed(self, fed: Fed) -> Fed:
        item = fed.item
        if not isinstance(item, Chunk | Marker | Revision):
            return fed
        self._newest = max(self._newest, self._base + item.segment)
        if not self._base:
            return fed
        return replace(fed, item=replace(item, segment=self._base + item.segment))

    def _await(self, timeout: float) -> Fed | None:
        try:
            found = self._found.get(timeout=timeout)
        except queue.Empty:
            return None
        if isinstance(found, str):
            return None if found == self._said else self._away(found)
        problem = _difference(found.hello, self.hello)
        if problem:
            found.close()
            self._look()
            return None if problem == self._said else self._away(problem)
        if found.hello.recording != self._recording:
            self._recording, self._base = found.hello.recording, self._newest + 1
        self._link, self._said = found, ""
        if self._stopped is not None:
            found.send(STOP, self._stopped.encode())
        return None

    def stop(self, reason: str) -> None:
        """Have the recording ended, also by one that begins later; any thread may call it.

        Parameters
        ----------
        reason : str
            Who stopped, or how, in one line for a person.
        """
        self._stopped, link = reason, self._link
        if link is not None:
            link.send(STOP, reason.encode())

    def resume(self) -> None:
        """Have another recording begun; call it where `get` is called."""
        self._stopped, self._resumes = None, True

    def inject(self, label: str, t: float) -> bool:
        """Have a marker recorded, and given to the session; any thread may call it.

        Parameters
        ----------
        label : str
            What it says.
        t : float
            When, in seconds on the LSL clock.

        Returns
        -------
        bool
            Whether somebody is there who records.
        """
        link = self._link
        return link is not None and link.send(MARK, json.dumps([label, t]).encode())

    def _away(self, why: str) -> Fed:
        self._said = why
        now = self.clock()
        return Fed(SourceState("lost", now, f"{why}; waiting for it"), 0, now, self._recording)

    def _hang_up(self, link: LinkClient) -> None:
        self._offset = link.clock() - lsl_clock()
        self._n_dropped += link.n_dropped
        self._link = None
        link.close()

    def _look(self) -> None:
        threading.Thread(target=self._connect, name="connect", daemon=True).start()

    def _connect(self) -> None:
        """Connect, however long it takes."""
        while not self._closed.wait(_RETRY):
            try:
                self._found.put(LinkClient(self._address, self._token))
            except SourceError as error:
                self._found.put(str(error))
            else:
                return

    def close(self) -> None:
        """Hang up."""
        self._closed.set()
        if self._link is not None:
            self._link.close()


def _difference(found: Hello, expected: Hello) -> str:
    """Say why what an ingest delivers now cannot be decoded like what it delivered before."""
    if found.spec != expected.spec:
        return f"the ingest is back with {_what(found.spec)}, and not {_what(expected.spec)}"
    if found.to_si != expected.to_si:
        return "the ingest is back with samples in another unit"
    return ""


def _what(spec: SignalSpec) -> str:
    names = ", ".join(spec.ch_names[:4])
    return f"{len(spec.ch_names)} channels ({names} ...) at {spec.sfreq:g} Hz"
