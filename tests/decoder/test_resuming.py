"""Events from the log, then live: whatever happens, each exactly once and in order."""

from __future__ import annotations

import asyncio
import io
import json
import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decoder.events import State
from decoder.log import EventLog
from decoder.server import resuming
from decoder.server.hub import Client, Hub, Message
from decoder.server.resuming import catch_up, find, read_from
from decoder.server.rpc import Code
from decoder.server.wire import encode
from tests.decoder.asking import Line, ask, authorized
from tests.decoder.serving import Serving, serving
from tests.decoder.test_hub import FakeLine


def line_of(seq: int, what: str = "source", padding: int = 0) -> str:
    return encode(State(what, "live", 1.0, "x" * padding), seq, 1.0) + "\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "events.jsonl"
    path.touch()
    return path


def write(path: Path, seqs: Iterator[int] | range, padding: int = 0) -> None:
    with path.open("a") as file:
        file.writelines(line_of(seq, padding=padding) for seq in seqs)


@given(
    st.lists(st.integers(0, 300), max_size=40),
    st.integers(0, 45),
    st.sampled_from(["", "torn"]),
)
def test_an_event_is_found_whatever_the_lengths_of_lines(
    paddings: list[int], seq: int, torn: str
) -> None:
    lines = [line_of(n, padding=p) for n, p in enumerate(paddings, 1)]
    file = io.BytesIO(("".join(lines) + torn).encode())
    place = find(file, seq)
    assert place == len("".join(lines[: max(seq - 1, 0)]))


def test_batches_end_where_asked_and_hold_whole_lines(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(log, range(1, 101))
    monkeypatch.setattr(resuming, "BATCH", 300)
    seqs, place, seq = [], 0, 5
    while True:
        entries, place = read_from(log, place, seq, 90)
        if not entries:
            break
        seqs += [entry.seq for entry in entries]
        seq = seqs[-1] + 1
    assert seqs == list(range(5, 91))


def test_a_line_longer_than_a_batch_is_read(log: Path) -> None:
    write(log, range(1, 3), padding=2 * resuming.BATCH)
    entries, _ = read_from(log, 0, 1, 2)
    assert [entry.seq for entry in entries] == [1]


async def at_once() -> None:
    """Take what was sent before."""


def seqs_of(line: FakeLine) -> list[int]:
    return [json.loads(frame[frame.index(b"{") :])["params"]["seq"] for frame in line.frames]


@given(st.data())
def test_there_is_no_hole_at_the_seam_however_it_falls(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """While a client catches up, events are logged and published between all its steps."""
    path = tmp_path_factory.mktemp("log") / "events.jsonl"
    n_before, n_after = data.draw(st.integers(0, 30)), data.draw(st.integers(0, 30))
    first = data.draw(st.integers(1, n_before + 1))
    hub, line = Hub(), FakeLine()
    client = Client(lambda: 1.0, line)
    hub.join(client)
    unpublished: list[Message] = []
    with closing(EventLog(path, unpublished.append, lambda: 1.0)) as events:

        def happen(n: int) -> None:
            """Log some, and publish some of what was logged: the two run apart."""
            for _ in range(min(n, n_before + n_after - events._seq)):
                events.emit(State("source", "live", 1.0, ""))
            for _ in range(data.draw(st.integers(0, len(unpublished)))):
                hub.publish(unpublished.pop(0))

        for _ in range(n_before):
            events.emit(State("source", "live", 1.0, ""))
        for message in unpublished:
            hub.publish(message)
        unpublished.clear()

        async def taken() -> None:
            happen(data.draw(st.integers(0, 3)))

        client.resuming.add("state")
        asyncio.run(catch_up(client, client.resuming, hub, path, first, taken, line.write))
        happen(n_after)
        for message in unpublished:
            hub.publish(message)
        assert seqs_of(line) == list(range(first, events._seq + 1))
        assert client.n_missed == 0
        assert not client.resuming


def test_only_the_streams_asked_for_and_nothing_from_before_a_stop(log: Path) -> None:
    write(log, range(1, 11))
    line, hub = FakeLine(), Hub(last_seq=10, purged=7)
    client = Client(lambda: 1.0, line)

    for streams in ({"text"}, {"state"}):
        client.resuming = streams
        asyncio.run(catch_up(client, streams, hub, log, 1, at_once, line.write))
    assert seqs_of(line) == [7, 8, 9, 10]


def test_a_decode_from_after_a_stop_is_not_given_out(log: Path) -> None:
    decode = line_of(2).replace('"state"', '"text"', 1)
    log.write_text(line_of(1) + decode + line_of(3))
    line, hub = FakeLine(), Hub(last_seq=1)
    client = Client(lambda: 1.0, line)

    def send(frame: bytes) -> None:
        line.write(frame)
        if hub.last_seq == 1:  # what was on its way when the participant stopped
            hub.hold()
            hub.publish(Message("text", decode, 1.0, seq=2))
            hub.publish(Message("state", line_of(3), 1.0, seq=3))

    client.resuming.update({"text", "state"})
    asyncio.run(catch_up(client, client.resuming, hub, log, 1, at_once, send))
    assert seqs_of(line) == [1, 3]


def test_what_the_disk_did_not_take_is_counted(log: Path) -> None:
    write(log, range(1, 6))
    line, hub = FakeLine(), Hub(last_seq=5)
    client = Client(lambda: 1.0, line)
    body = line_of(6).strip()

    def send(frame: bytes) -> None:
        line.write(frame)
        if len(line.frames) == 2:  # it fails while the client catches up
            hub.publish(Message("state", body, 1.0, seq=6, logged=False))

    client.resuming.add("state")
    asyncio.run(catch_up(client, client.resuming, hub, log, 1, at_once, send))
    assert seqs_of(line) == [1, 2, 3, 4, 5]
    assert client.n_missed == 1


def test_nothing_is_given_out_that_was_on_its_way_to_a_slow_client_at_a_stop(log: Path) -> None:
    log.write_text(line_of(1).replace('"state"', '"text"', 1) + line_of(2))
    line, hub = FakeLine(), Hub(last_seq=2)
    client = Client(lambda: 1.0, line)

    async def stopped() -> None:
        hub.hold()

    client.resuming.add("text")
    asyncio.run(catch_up(client, client.resuming, hub, log, 1, stopped, line.write))
    assert line.frames == []


def test_who_leaves_and_resumes_again_gets_each_event_once(log: Path) -> None:
    """It did so while the first events were on their way to it."""
    write(log, range(1, 6))
    line, hub = FakeLine(), Hub(last_seq=5)
    client = Client(lambda: 1.0, line)
    hub.join(client)

    async def resume() -> None:
        first_waits, go_on = asyncio.Event(), asyncio.Event()

        async def slow() -> None:
            first_waits.set()
            await go_on.wait()

        first = client.resuming = {"state"}
        once = asyncio.create_task(catch_up(client, first, hub, log, 1, slow, line.write))
        await first_waits.wait()
        client.leave("state")
        second = client.resuming = {"state"}
        go_on.set()
        await catch_up(client, second, hub, log, 1, at_once, line.write)
        await once

    asyncio.run(resume())
    assert seqs_of(line) == [1, 2, 3, 4, 5]
    hub.publish(Message("state", line_of(6).strip(), 1.0, seq=6))
    assert seqs_of(line) == [1, 2, 3, 4, 5, 6]
    assert client.n_missed == 0


def test_a_log_that_somebody_moved_is_missed_and_the_client_goes_live(log: Path) -> None:
    line, hub = FakeLine(), Hub(last_seq=5)
    client = Client(lambda: 1.0, line)
    hub.join(client)
    client.resuming.add("state")
    there = client.resuming
    asyncio.run(catch_up(client, there, hub, log.with_name("no"), 1, at_once, line.write))
    hub.publish(Message("state", line_of(6).strip(), 1.0, seq=6))
    assert seqs_of(line) == [6]
    assert client.n_missed == 5


# -- with a real server --


def emit(server: Serving, log: Path, seqs: range) -> None:
    """Write events down, then publish them, as the log does."""
    with log.open("a") as file:
        for seq in seqs:
            line = line_of(seq)
            file.write(line)
            file.flush()
            server.publish(Message("state", line.strip(), 1.0, seq=seq))


def read_seqs(line: Line, last: int) -> list[int]:
    seqs = [0]
    while seqs[-1] < last:
        seqs.append(line.receive()["params"]["seq"])
    return seqs[1:]


def test_a_client_resumes_and_goes_on_live(log: Path) -> None:
    with serving(events=log) as server, authorized(server) as line:
        emit(server, log, range(1, 21))
        while ask(line, "authorize", token="token-of-the-test")["result"]["last_seq"] < 20:
            pass
        result = ask(line, "subscribe", streams=["state", "signal"], from_seq=11)["result"]
        assert (result["resumed_from"], result["missed"]) == (11, 0)
        assert result["success"] == ["state"]
        assert "cannot be resumed" in result["failure"][0]["message"]
        assert read_seqs(line, 20) == list(range(11, 21))
        emit(server, log, range(21, 31))
        assert read_seqs(line, 30) == list(range(21, 31))


def test_what_cannot_be_resumed_is_said() -> None:
    with serving(last_seq=10) as server, authorized(server) as line:
        server.publish(Message("state", "{}", 1.0, seq=11, purges=True))
        while ask(line, "authorize", token="token-of-the-test")["result"]["last_seq"] < 11:
            pass
        for params, code in (
            ({"from_seq": 10}, Code.PURGED),
            ({"from_seq": 13}, Code.INVALID_PARAMS),
            ({"from_seq": 0}, Code.INVALID_PARAMS),
            ({"from_seq": 11, "policy": "latest"}, Code.INVALID_PARAMS),
            ({"policy": "rate"}, Code.INVALID_PARAMS),
            ({"rate": 1.0}, Code.INVALID_PARAMS),
            ({"rate": float("nan"), "policy": "rate"}, Code.INVALID_PARAMS),
        ):
            answer = ask(line, "subscribe", streams=["state"], **params)
            assert answer["error"]["code"] == code, params


def test_one_who_is_cut_at_random_gets_every_event_once_and_in_order(log: Path) -> None:
    """Cut off 50 times, and the server replaced by another twice: as after a `kill -9`."""
    draw, n_cuts, n_events = random.Random(5), 50, 2000
    seen: list[int] = []
    cuts = sorted(draw.sample(range(1, n_events), n_cuts))
    restarts = (700, 1400, n_events)
    emitted = 0
    for stop in restarts:
        with serving(events=log, last_seq=emitted) as server:
            while (seen[-1] if seen else 0) < stop:
                with authorized(server) as line:
                    from_seq = (seen[-1] if seen else 0) + 1
                    ask(line, "subscribe", streams=["state"], from_seq=from_seq)
                    n = min(stop - emitted, draw.randrange(100))
                    emit(server, log, range(emitted + 1, emitted + n + 1))
                    emitted += n
                    cut = next((c for c in cuts if c >= from_seq), n_events)
                    last = min(cut, emitted)
                    seen += read_seqs(line, last) if last >= from_seq else []
                    if cut == last and cut in cuts:
                        line.ws.socket.close()  # without a word
                        cuts.remove(cut)
    assert seen == list(range(1, n_events + 1))
    assert not cuts
