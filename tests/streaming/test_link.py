"""The link over real sockets: what goes in comes out, and nobody can hold up the source."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming import link, link_server
from streaming.errors import SourceError
from streaming.ingest import Fed, FeedQueue
from streaming.link import Hello, parse_address
from streaming.link_client import LinkClient
from streaming.link_server import LinkServer
from streaming.lsl_clock import lsl_clock
from streaming.signal import Chunk, Gap, Impedance, Marker, Revision, SignalSpec, SourceState
from streaming.sources.source import Item

SPEC = SignalSpec(100.0, ("Cz", "MEG 0111"), ("eeg", "mag"))
HELLO = Hello("äther", SPEC, (1e-6, 1.0))
TOKEN = "let-me-in"


def chunk(first: int, n_times: int) -> Chunk:
    data = np.arange(first, first + 2 * n_times, dtype=np.float32).reshape(2, n_times)
    return Chunk(data, SPEC, 3, first, 1 / 3)


@contextmanager
def serving(queue: FeedQueue, clock: float = 0.0) -> Iterator[tuple[str, int]]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        server = LinkServer(sock, TOKEN, HELLO, queue, lambda: lsl_clock() + clock)
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            yield sock.getsockname()[:2]
        finally:
            queue.close()
            while queue.get(0.0):
                pass
            thread.join(20)
            assert not thread.is_alive()


@contextmanager
def connected(address: tuple[str, int]) -> Iterator[LinkClient]:
    client = LinkClient(address, TOKEN)
    try:
        yield client
    finally:
        client.close()


def receive(client: LinkClient) -> Fed:
    fed = client.get(20.0)
    assert fed is not None
    return fed


@given(
    n_times=st.integers(0, 20),
    bad=st.booleans(),
    numbers=st.tuples(st.integers(0, 2**40), st.integers(0, 2**40)),
    t=st.floats(0, 1e9),
)
def test_a_chunk_comes_out_as_it_went_in(
    n_times: int, bad: bool, numbers: tuple[int, int], t: float
) -> None:
    mask = np.arange(n_times) % 2 == 0 if bad and n_times else None
    item = Chunk(chunk(5, n_times).data, SPEC, 3, numbers[0], t, mask)
    body = link.encode(Fed(item, numbers[1], t), 17, 9)[link.FRAME.size :]
    fed, n_dropped, n_waiting = link.decode_chunk(body, HELLO)
    out = fed.item
    assert isinstance(out, Chunk)
    np.testing.assert_array_equal(out.data, item.data)
    assert (out.segment, out.first, out.t_anchor) == (3, numbers[0], t)
    assert (fed.row, fed.t_received, n_dropped, n_waiting) == (numbers[1], t, 17, 9)
    if mask is None:
        assert out.bad is None
    else:
        np.testing.assert_array_equal(out.bad, mask)


def test_everything_arrives_in_order() -> None:
    queue = FeedQueue(10_000)
    items: list[Item] = [
        Marker("häuschen", 1 / 3, 0, -5),
        chunk(0, 7),
        Gap(1.0, 0.1, "lost"),
        Revision(0, 3, 90, 1 / 3, -2),
        Impedance(("Cz", "Pz"), (5e3 / 3, None), 1.5),
        SourceState("stalled", 2.0, "no sample"),
        chunk(7, 0),
        chunk(7, 1000),
    ]
    with serving(queue) as address, connected(address) as client:
        assert client.hello == HELLO
        for n, item in enumerate(items):
            queue.put(Fed(item, n, n / 7))
        for n, item in enumerate(items):
            fed = receive(client)
            assert (fed.row, fed.t_received) == (n, n / 7)
            if isinstance(item, Chunk):
                assert isinstance(fed.item, Chunk)
                np.testing.assert_array_equal(fed.item.data, item.data)
            else:
                assert fed.item == item
        queue.close()
        assert client.get(20.0) is None
        assert client.ended


def test_who_comes_later_gets_the_newest_and_how_things_stand() -> None:
    queue = FeedQueue(10_000)
    with serving(queue) as address:
        with connected(address) as first:
            queue.put(Fed(SourceState("live", 1.0, "here"), 0, 0.0))
            queue.put(Fed(chunk(0, 10), 0, 0.0))
            assert isinstance(receive(first).item, SourceState)
            assert isinstance(receive(first).item, Chunk)
        queue.put(Fed(Marker("a", 1.0, 0, 1), 10, 0.0))
        with connected(address) as second:
            state = receive(second).item
            assert state == SourceState("live", 1.0, "here")
            queue.put(Fed(chunk(90, 10), 90, 0.0))
            items = [receive(second).item]
            while not isinstance(items[-1], Chunk):
                items.append(receive(second).item)
            assert items[-1].first == 90
            assert second.n_dropped == 0


def test_a_decoder_that_hangs_holds_up_nothing() -> None:
    queue = FeedQueue(max_times=1000)
    with serving(queue) as address, connected(address):
        for n in range(20_000):  # 16 MB, which no kernel buffer takes
            queue.put(Fed(chunk(100 * n, 100), 100 * n, 0.0))
        assert queue.n_dropped > 1_000_000


def test_what_one_that_was_slow_gets_is_whole_and_in_order() -> None:
    queue = FeedQueue(max_times=10_000_000)
    n_chunks = 5000  # 4 MB, which no kernel buffer takes
    with serving(queue) as address, connected(address) as client:
        queue.put(Fed(Marker("here", 0.0, 0, 0), 0, 0.0))
        assert isinstance(receive(client).item, Marker)
        for n in range(n_chunks):
            queue.put(Fed(chunk(100 * n, 100), 100 * n, float(n)))
        for n in range(n_chunks):
            item = receive(client).item
            assert isinstance(item, Chunk)
            np.testing.assert_array_equal(item.data, chunk(100 * n, 100).data)
        assert client.n_dropped == 0


def test_one_that_takes_nothing_any_more_does_not_keep_out_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(link_server, "PATIENCE", 0.5)
    queue = FeedQueue(max_times=1000)
    done = threading.Event()

    def feed() -> None:
        first = 0
        while not done.is_set():
            queue.put(Fed(chunk(first, 100), first, 0.0))
            first += 100

    with serving(queue) as address, connected(address):
        feeding = threading.Thread(target=feed)
        feeding.start()
        try:
            with connected(address) as second:  # waits until the first is given up
                receive(second)
        finally:
            done.set()
            feeding.join()


def test_strangers_are_not_let_in() -> None:
    with serving(FeedQueue(100)) as address:
        with pytest.raises(SourceError, match="token"):
            LinkClient(address, "wrong")
        with socket.create_connection(address) as silent:
            silent.sendall(b"x" * 1000)
        with connected(address) as client:
            assert client.hello == HELLO


def test_the_clock_is_that_of_the_amplifiers_side() -> None:
    queue = FeedQueue(100)
    with serving(queue, clock=1000.0) as address, connected(address) as client:
        while abs(client.clock() - lsl_clock() - 1000.0) > 0.01:
            client.get(0.05)
    with serving(FeedQueue(100)) as address, connected(address) as client:
        client.get(0.2)
        assert abs(client.clock() - lsl_clock()) < 1e-3


def test_an_ingest_that_dies_is_an_error() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()

        def die() -> None:
            connection, _ = sock.accept()
            with connection:
                connection.recv(100)
                connection.sendall(HELLO.to_json().encode() + b"\n")

        thread = threading.Thread(target=die)
        thread.start()
        with connected(sock.getsockname()[:2]) as client:
            thread.join(20)
            with pytest.raises(SourceError, match="without a word"):
                client.get(20.0)


@pytest.mark.parametrize("address", ["", "host", "host:", "udp://a:1", "a:99999", ":5"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(SourceError, match="tcp://HOST:PORT"):
        parse_address(address)


def test_nobody_there_is_said() -> None:
    with pytest.raises(SourceError, match="is it running"):
        LinkClient(("127.0.0.1", 1), TOKEN)


def test_without_a_decoder_it_ends_at_once_with_what_nobody_took() -> None:
    queue = FeedQueue(1000)
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        thread = threading.Thread(target=LinkServer(sock, TOKEN, HELLO, queue).run)
        thread.start()
        queue.put(Fed(chunk(0, 10), 0, 0.0))
        queue.close()
        thread.join(5)
        assert not thread.is_alive()
