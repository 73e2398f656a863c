from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.description import Described
from streaming.errors import ConfigError
from streaming.fieldtrip_protocol import Address
from streaming.fieldtrip_server import FieldTripServer
from streaming.fif_header import read_fif_header
from streaming.signal import SignalSpec
from tests.examples import examples
from tests.streaming.buffers import Client

SPEC = SignalSpec(100.0, ("MEG0111", "MEG0112", "STI101"), ("mag", "grad", "stim"))
DATA = np.random.default_rng(0).standard_normal((3, 3000)).astype(np.float32)


@pytest.fixture
def server() -> Iterator[FieldTripServer]:
    server = FieldTripServer(Described(SPEC, (1.0,) * 3), Address("127.0.0.1", 0))
    yield server
    server.close()
    server.close()


def _push(server: FieldTripServer, start: int, stop: int) -> None:
    server.push(DATA[:, start:stop], np.arange(start, stop) / 100.0)


def _client(server: FieldTripServer) -> Client:
    client = Client()
    client.connect(server.address.host, server.address.port)
    return client


def _ask(server: FieldTripServer, request: bytes) -> bytes:
    """Send raw bytes and return what comes back until the server hangs up or is quiet."""
    answer = b""
    address = server.address.host, server.address.port
    # it may hang up at once
    with contextlib.suppress(OSError), socket.create_connection(address, 5) as sock:
        sock.sendall(request)
        sock.shutdown(socket.SHUT_WR)
        while more := sock.recv(65536):
            answer += more
    return answer


def test_the_independent_client_reads_header_samples_and_events(
    server: FieldTripServer,
) -> None:
    client = _client(server)
    assert server.wait_for_consumer(0) is False
    server.push_marker("face", 0.37)
    _push(server, 0, 30)
    _push(server, 30, 60)
    header = client.getHeader()
    assert server.wait_for_consumer(5)
    assert (header.nChannels, header.nSamples, header.nEvents) == (3, 60, 1)
    assert (header.fSample, header.dataType, header.labels) == (100.0, 9, list(SPEC.ch_names))
    assert [c.unit for c in read_fif_header(header.chunks[8])] == ["T", "T/m", ""]
    np.testing.assert_array_equal(client.getData((0, 59)), DATA[:, :60].T)
    np.testing.assert_array_equal(client.getData((20, 0xFFFFFFFF)), DATA[:, 20:60].T)
    np.testing.assert_array_equal(client.getData(), DATA[:, :60].T)
    (event,) = client.getEvents((0, 0))
    assert (event.type, event.value, event.sample) == (b"marker", b"face", 37)
    assert client.getData((50, 60)) is None
    assert client.getEvents((0, 1)) == []
    client.disconnect()


def test_memory_is_bounded_and_the_counter_goes_on(server: FieldTripServer) -> None:
    client = _client(server)
    for start in range(0, 3000, 500):
        _push(server, start, start + 500)
    assert client.getHeader().nSamples == 3000
    assert client.getData((1999, 2010)) is None  # 10 s are kept
    np.testing.assert_array_equal(client.getData((2000, 2999)), DATA[:, 2000:].T)
    for n in range(1500):
        server.push_marker(str(n), 30.0)
    server.push(DATA[:, :1], np.array([30.0]))
    events = client.getEvents()
    assert client.getHeader().nEvents == 1000  # what waits for its sample is bounded too
    assert [events[0].value, events[-1].value] == [b"500", b"1499"]
    client.disconnect()


def test_a_wait_ends_with_the_sample_after_those_that_are_known(
    server: FieldTripServer,
) -> None:
    client = _client(server)
    _push(server, 0, 10)
    assert client.wait(9, 5, 10_000) == (10, 0)
    assert client.wait(10, 5, 1) == (10, 0)
    got: list[tuple[int, int]] = []
    waiting = threading.Thread(target=lambda: got.append(client.wait(10, 5, 10_000)))
    waiting.start()
    _push(server, 10, 11)
    waiting.join(5)
    assert got == [(11, 0)]
    client.disconnect()


def test_several_clients_read_the_same(server: FieldTripServer) -> None:
    clients = [_client(server) for _ in range(8)]
    _push(server, 0, 100)
    for client in clients:
        np.testing.assert_array_equal(client.getData((0, 99)), DATA[:, :100].T)
        client.disconnect()


def test_a_close_frees_those_that_wait(server: FieldTripServer) -> None:
    request = struct.pack("<HHI3I", 1, 0x402, 12, 1, 1, 60_000)
    with socket.create_connection((server.address.host, server.address.port), 5) as sock:
        sock.sendall(request)
        server.close()
        with contextlib.suppress(ConnectionResetError):
            while sock.recv(100):  # it may still be answered; then the connection ends
                pass


def test_writing_is_refused(server: FieldTripServer) -> None:
    for command, refusal in ((0x101, 0x105), (0x102, 0x105), (0x103, 0x105), (0x301, 0x305)):
        answer = _ask(server, struct.pack("<HHI", 1, command, 4) + b"abcd")
        assert answer == struct.pack("<HHI", 1, refusal, 0)


@given(st.binary(max_size=200), st.sampled_from([0x201, 0x202, 0x203, 0x402, 0x501, 7]))
@examples(25)
def test_no_bytes_end_it(noise: bytes, command: int) -> None:
    server = FieldTripServer(Described(SPEC, (1.0,) * 3), Address("127.0.0.1", 0))
    try:
        _push(server, 0, 10)
        head = struct.pack("<HHI", 1, command, min(len(noise), 12))
        _ask(server, noise)
        if command != 0x402:  # it would wait as long as it is asked to
            _ask(server, head + noise)
        _ask(server, struct.pack("<HHI", 1, command, 0xFFFFFFFF))
        client = _client(server)
        assert client.getHeader().nSamples == 10
        client.disconnect()
    finally:
        server.close()


def test_a_port_that_is_taken_is_refused(server: FieldTripServer) -> None:
    with pytest.raises(ConfigError, match="choose another port"):
        FieldTripServer(Described(SPEC, (1.0,) * 3), server.address)


@pytest.mark.parametrize(
    "text",
    ["127.0.0.1:1972", "http://a:1", "fieldtrip://", "fieldtrip://a:b", "fieldtrip://a/b"],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"fieldtrip://127\.0\.0\.1:1972"):
        Address.parse(text)


def test_addresses_are_read_as_they_are_shown() -> None:
    for address in (Address("meg", 7), Address("::1", 1972)):
        assert Address.parse(str(address)) == address
