"""For a client that comes back: events from the log, then live ones, none missing or twice.

The log is written before an event is published, so that everything up to `Hub.last_logged` can
be read from it, also what the decoder before this one wrote. A client gets that first, in
batches, as fast as it takes them. Once it has all, it goes live, within one step of the event
loop, in which nothing can be published: what is later than that goes the usual way.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import anyio.to_thread

from decoder.previews import FOLDER, read
from decoder.server.hub import Client, Hub, frame_of, frame_of_body
from decoder.server.images import Encoding, encode_image

__all__ = ["Entry", "catch_up", "find", "lost", "read_from"]

logger = logging.getLogger(__name__)

BATCH = 1 << 16
"""Bytes of the log that are read at once for a client."""

_HEAD = re.compile(rb'\{"jsonrpc":"2\.0","method":"([a-z]+)","params":\{"seq":([0-9]+)[,}]')


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the log.

    Parameters
    ----------
    seq : int
        Its place.
    stream : str
        What it belongs to.
    body : bytes
        What went over the wire; of a picture, all but that.
    """

    seq: int
    stream: str
    body: bytes

    def frame(self, folder: Path, pictures: Encoding) -> bytes:
        """Return what goes over the wire again.

        Parameters
        ----------
        folder : Path
            Of the session.
        pictures : Encoding
            How the client wants them. They are sent as PNG, as they are kept.
        """
        if self.stream != "image":
            return frame_of(self.body)
        png = read(folder / FOLDER, json.loads(self.body)["params"]["file"])
        kept = {} if png is None else {"png": png}  # without, what is known of it is sent
        return frame_of_body(encode_image(self.body.decode(), kept, pictures))


def _entry(line: bytes) -> Entry | None:
    head = _HEAD.match(line)
    if head is None or not line.endswith(b"\n"):
        return None
    return Entry(int(head[2]), head[1].decode(), line[:-1])


def find(file: BinaryIO, seq: int) -> int:
    """Return where in a log the first event from `seq` on begins, in bytes; its end if none.

    Needs no index: `seq` only grows, so that a few lines are looked at.
    """
    low, high = 0, file.seek(0, 2)
    while low < high:
        middle = (low + high) // 2
        file.seek(middle)
        if middle:
            file.seek(middle - 1)
            file.readline()  # up to where a line begins
        start = file.tell()
        entry = _entry(file.readline())
        if entry is None or entry.seq >= seq:
            high = middle
        else:
            low = start + len(entry.body) + 1
    return low


def read_from(path: Path, place: int, seq: int, last: int) -> tuple[list[Entry], int]:
    """Read a batch of events.

    Parameters
    ----------
    path : Path
        The log.
    place : int
        Where to begin, as returned; 0 to look for `seq`.
    seq, last : int
        The first and the last event to read.

    Returns
    -------
    entries : list of Entry
        In order; at least one if there is one, and the log can be read.
    place : int
        Where the next begins.
    """
    entries: list[Entry] = []
    try:
        opened = path.open("rb")
    except OSError as error:  # somebody moved it
        logger.warning("nobody can resume: cannot read %s (%s)", path, error.strerror)
        return entries, place
    with opened as file:
        end = (place or find(file, seq)) + BATCH
        place = file.seek(end - BATCH)
        while place < end:
            entry = _entry(file.readline())
            if entry is None or entry.seq > last:
                break
            entries.append(entry)
            place = file.tell()
    return entries, place


def lost(hub: Hub, seq: int) -> int:
    """Return how many events from `seq` on are not in the log, because the disk failed."""
    return max(0, hub.last_seq - max(hub.last_logged, seq - 1))


async def catch_up(
    client: Client,
    streams: set[str],
    hub: Hub,
    path: Path,
    seq: int,
    taken: Callable[[], Awaitable[None]],
    write: Callable[[bytes], None],
) -> None:
    """Send what the log has of the streams that a client resumes, then let it go live.

    Parameters
    ----------
    client : Client
        Who.
    streams : set of str
        Its `resuming`, from which it may take some, or all, meanwhile.
    hub : Hub
        Where it goes live.
    path : Path
        The log.
    seq : int
        The first event to send.
    taken : callable
        Waits until the client has taken what was sent before.
    write : callable
        Sends a frame.
    """
    place, n_lost = 0, lost(hub, seq)
    while streams and seq <= hub.last_logged:
        entries, place = await anyio.to_thread.run_sync(
            read_from, path, place, seq, hub.last_logged
        )
        for entry in entries:
            if not _due(entry, streams, hub):
                continue
            frame = (
                await anyio.to_thread.run_sync(entry.frame, path.parent, client.pictures)
                if entry.stream == "image"
                else frame_of(entry.body)
            )
            await taken()
            if _due(entry, streams, hub):  # still: it may have waited long
                write(frame)
        if not entries:
            break
        seq = entries[-1].seq + 1
    if streams:
        client.n_missed += hub.last_seq - seq + 1 - n_lost
        client.follow(tuple(streams), "lossless")


def _due(entry: Entry, streams: set[str], hub: Hub) -> bool:
    """Whether a client gets it: that it wants, and no participant has stopped since."""
    told = entry.stream == "state" or not hub.held
    return entry.stream in streams and entry.seq >= hub.purged and told
