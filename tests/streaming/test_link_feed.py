"""A feed goes on when its ingest is started again, and says what is away and why."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from streaming.errors import SourceError
from streaming.ingest import Fed, FeedQueue
from streaming.link import Hello
from streaming.link_feed import LinkFeed, Position
from streaming.link_server import LinkServer
from streaming.signal import Chunk, Marker, SignalSpec, SourceState

SPEC = SignalSpec(100.0, ("Cz", "Pz"))
HELLO = Hello("amplifier", SPEC, (1.0, 1.0))
TOKEN = "let-me-in"


def chunk(segment: int, first: int) -> Chunk:
    return Chunk(np.zeros((2, 10), np.float32), SPEC, segment, first, 5.0)


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield sock


@contextmanager
def ingest(sock: socket.socket, hello: Hello = HELLO) -> Iterator[FeedQueue]:
    """Run one; at the end it dies without a word, like one that was killed."""

    class Dying(LinkServer):
        def _send(self, connection: socket.socket, frame: bytes) -> None:
            if not queue.closed:
                super()._send(connection, frame)

    queue = FeedQueue(1000)
    thread = threading.Thread(target=Dying(sock, TOKEN, hello, queue).run)
    thread.start()
    try:
        yield queue
    finally:
        queue.close()
        while queue.get(0.0):
            pass
        thread.join(20)
        assert not thread.is_alive()


@contextmanager
def feeding(sock: socket.socket, position: Position | None = None) -> Iterator[LinkFeed]:
    feed = LinkFeed(sock.getsockname()[:2], TOKEN, position)
    try:
        yield feed
    finally:
        feed.close()


def take(feed: LinkFeed) -> Fed:
    for _ in range(200):
        fed = feed.get(0.1)
        if fed is not None:
            return fed
    pytest.fail("nothing came")


def test_segments_go_on_counting_over_a_restart(sock: socket.socket) -> None:
    with ingest(sock) as queue:
        feed = LinkFeed(sock.getsockname()[:2], TOKEN)
        for item in (chunk(0, 0), chunk(1, 0), Marker("a", 1.0, 1, 3)):
            queue.put(Fed(item, 20, 1.0))
        assert [take(feed).item.segment for _ in range(3)] == [0, 1, 1]  # type: ignore[union-attr]
    away = take(feed)
    assert isinstance(away.item, SourceState)
    assert (away.item.state, away.recording) == ("lost", "raw.xdf")
    assert "ended without a word; waiting for it" in away.item.detail
    with ingest(sock, replace(HELLO, recording="raw-2.xdf")) as queue:
        queue.put(Fed(SourceState("live", 2.0, "here"), 0, 2.0))
        assert take(feed).recording == "raw-2.xdf"
        for segment in (0, 1):
            queue.put(Fed(chunk(segment, 0), 10 * segment, 2.0))
            fed = take(feed)
            assert isinstance(fed.item, Chunk)
            assert (fed.item.segment, fed.recording) == (2 + segment, "raw-2.xdf")
        assert not feed.ended
        feed.close()


def test_the_same_ingest_counts_on(sock: socket.socket) -> None:
    """A cable was pulled: where it stands is what it was."""
    position = Position(HELLO, first_segment=4, newest_segment=6)
    with ingest(sock) as queue, feeding(sock, position) as feed:
        assert feed.hello == HELLO
        while feed._link is None:
            assert feed.get(0.1) is None
        queue.put(Fed(chunk(2, 70), 100, 1.0))
        assert take(feed).item.segment == 6  # type: ignore[union-attr]


def test_one_that_delivers_something_else_is_refused_and_said(sock: socket.socket) -> None:
    other = replace(HELLO, spec=SignalSpec(500.0, ("Cz", "Pz")), recording="raw-2.xdf")
    volts = replace(HELLO, to_si=(1e-6, 1e-6), recording="raw-3.xdf")
    with feeding(sock, Position(HELLO)) as feed:
        for hello, said in ((other, "at 500 Hz, and not 2 channels"), (volts, "unit")):
            with ingest(sock, hello):
                state = take(feed).item
                assert isinstance(state, SourceState)
                assert said in state.detail
        with ingest(sock, replace(HELLO, recording="raw-4.xdf")) as queue:
            queue.put(Fed(SourceState("live", 1.0, "here"), 0, 1.0))
            while (fed := take(feed)).item != SourceState("live", 1.0, "here"):
                pass
            assert fed.recording == "raw-4.xdf"


def test_the_first_must_be_there(sock: socket.socket) -> None:
    address = sock.getsockname()[:2]
    sock.close()
    with pytest.raises(SourceError, match="is it running"):
        LinkFeed(address, TOKEN)
    with feeding_nobody(address) as feed:
        assert "is it running" in take(feed).item.detail  # type: ignore[union-attr]


@contextmanager
def feeding_nobody(address: tuple[str, int]) -> Iterator[LinkFeed]:
    feed = LinkFeed(address, TOKEN, Position(HELLO))
    try:
        yield feed
    finally:
        feed.close()
