from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field

import pytest

from decoder.server.hub import (
    MAX_AGE,
    MAX_LAG,
    N_LATEST,
    N_LOSSLESS,
    Client,
    Hub,
    Message,
    Policy,
    frame_of,
)

HEADER = 2
"""Bytes before the text of a short frame."""


@dataclass
class FakeLine:
    ready: bool = True
    frames: list[bytes] = field(default_factory=list)
    timely: list[bool | None] = field(default_factory=list)
    lag: float = 0.0

    @property
    def prompt(self) -> bool:
        return self.ready

    @property
    def steady(self) -> bool:
        return self.prompt

    def write(self, frame: bytes, *, timely: bool | None = None) -> None:
        self.timely.append(timely)
        self.frames.append(frame)

    @property
    def bodies(self) -> list[str]:
        return [frame[HEADER:].decode() for frame in self.frames]


@dataclass
class Reader:
    """A client with a clock and a line that tests set."""

    policy: Policy = "lossless"
    rate: float = 1.0
    now: float = 0.0
    line: FakeLine = field(default_factory=FakeLine)
    client: Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = Client(lambda: self.now, self.line)
        self.client.follow(["text"], self.policy, self.rate)

    def drain(self) -> list[str | bytes]:
        """Read again: take what waits, as a connection does."""
        self.line.ready = True

        async def take() -> list[str | bytes]:
            got: list[str | bytes] = []
            while self.client.n_queued:
                async with asyncio.timeout(20):
                    message = await self.client.next()
                assert message is not None
                self.client.send(message)
                got.append(message.body)
            return got

        return asyncio.run(take())


def message(n: int, stream: str = "text", t: float = 0.0, retain: str = "") -> Message:
    return Message(stream, str(n), t, retain, seq=n)


def hub_of(*readers: Reader) -> Hub:
    hub = Hub()
    for reader in readers:
        hub.join(reader.client)
    return hub


@pytest.mark.parametrize("policy", ["lossless", "latest"])
def test_who_reads_gets_each_message_at_once_and_in_order(policy: Policy) -> None:
    reader = Reader(policy)
    hub = hub_of(reader)
    for n in range(100):
        hub.publish(message(n))
        hub.publish(message(n, "markers"))
    assert reader.line.bodies == [str(n) for n in range(100)]
    assert reader.client.n_queued == 0


def test_a_message_is_encoded_once_for_all() -> None:
    readers = [Reader(), Reader("latest"), Reader("rate")]
    hub_of(*readers).publish(message(1))
    frames = {id(frame) for reader in readers for frame in reader.line.frames}
    assert len(frames) == 1


def test_what_waits_goes_before_what_is_new() -> None:
    reader = Reader()
    hub = hub_of(reader)
    reader.line.ready = False
    for n in range(3):
        hub.publish(message(n))
    reader.line.ready = True
    hub.publish(message(3))
    assert reader.drain() == ["0", "1", "2", "3"]


def test_a_lossless_client_that_lags_is_closed_and_not_fed_a_hole() -> None:
    reader = Reader(line=FakeLine(ready=False))
    hub = hub_of(reader)
    for n in range(N_LOSSLESS + 1):
        hub.publish(message(n))
    assert asyncio.run(reader.client.next()) is None
    assert reader.client.n_queued == 0


def test_a_lossless_client_gets_nothing_that_is_very_old() -> None:
    reader = Reader(line=FakeLine(ready=False))
    hub_of(reader).publish(message(1))
    reader.now = MAX_LAG + 1
    assert asyncio.run(reader.client.next()) is None
    assert reader.line.frames == []


def test_a_latest_client_misses_what_grew_too_old() -> None:
    reader = Reader("latest", line=FakeLine(ready=False))
    hub = hub_of(reader)
    reader.now = 10.0
    hub.publish(message(0, t=10.0 - 2 * MAX_AGE))
    hub.publish(message(1, t=10.0))
    assert reader.drain() == ["1"]
    assert reader.client.n_missed == 1


def test_a_latest_client_is_bounded() -> None:
    reader = Reader("latest", line=FakeLine(ready=False))
    hub = hub_of(reader)
    for n in range(N_LATEST + 10):
        hub.publish(message(n))
    assert reader.drain() == [str(n) for n in range(10, N_LATEST + 10)]
    assert reader.client.n_missed == 10


def test_a_rated_client_gets_the_newest_so_many_times_a_second() -> None:
    reader = Reader("rate", rate=4.0)
    hub = hub_of(reader)
    for n in range(8):  # every 0.1 s
        reader.now = n / 10
        hub.publish(message(n, t=reader.now))
    assert reader.line.bodies == ["0", "3", "6"]
    reader.now = 1.0
    assert reader.drain() == ["7"]
    assert reader.client.n_missed == 0  # it asked not to get them


def test_a_rated_client_waits_until_its_turn() -> None:
    async def wait() -> Message | None:
        loop = asyncio.get_running_loop()
        client = Client(loop.time, FakeLine())
        client.follow(["text"], "rate", rate=100.0)
        client.offer(Message("text", "sent at once", loop.time()))
        client.offer(Message("text", "sent later", loop.time()))
        async with asyncio.timeout(20):
            return await client.next()

    got = asyncio.run(wait())
    assert got is not None
    assert got.body == "sent later"


def test_a_rated_client_that_does_not_read_misses_and_gets_nothing_old() -> None:
    reader = Reader("rate", rate=10.0, line=FakeLine(ready=False))
    hub = hub_of(reader)
    for n in range(3):
        reader.now = float(n)
        hub.publish(message(n, t=reader.now))
    assert reader.client.n_missed == 2
    reader.now = 10.0
    hub.publish(message(3, t=9.0))
    reader.line.ready = True
    assert reader.client._pop() is None
    assert reader.client.n_missed == 4


def test_everybody_is_asked_whether_it_has_read() -> None:
    readers = [Reader(), Reader("latest"), Reader("rate")]
    hub_of(*readers).publish(message(1))
    assert [reader.line.timely for reader in readers] == [[False], [True], [True]]


def test_who_has_taken_all_but_not_read_it_gets_nothing_more() -> None:
    @dataclass
    class Taken(FakeLine):
        @property
        def prompt(self) -> bool:
            return False

    lines = [Taken(), Taken(), Taken()]
    policies: list[Policy] = ["lossless", "latest", "rate"]
    hub_of(*(Reader(p, line=line) for p, line in zip(policies, lines, strict=True))).publish(
        message(1)
    )
    assert [len(line.frames) for line in lines] == [0, 0, 0]


def test_the_next_message_says_how_many_were_missed() -> None:
    reader = Reader("latest", line=FakeLine(ready=False))
    hub = hub_of(reader)
    body = '{"jsonrpc":"2.0","method":"text","params":{"seq":1}}'
    for _ in range(N_LATEST + 5):
        hub.publish(Message("text", body, 0.0))
    reader.drain()
    told = [json.loads(text)["params"].get("missed") for text in reader.line.bodies]
    assert told == [5] + [None] * (N_LATEST - 1)


def test_a_slow_client_does_not_hold_up_another() -> None:
    slow, fast = Reader(line=FakeLine(ready=False)), Reader()
    hub = hub_of(slow, fast)
    for n in range(3 * N_LOSSLESS):
        hub.publish(message(n))
    assert fast.line.bodies[:2] == ["0", "1"]
    assert len(fast.line.frames) == 3 * N_LOSSLESS
    assert asyncio.run(slow.client.next()) is None


def test_who_leaves_a_stream_gets_nothing_more_of_it() -> None:
    reader = Reader(line=FakeLine(ready=False))
    hub = hub_of(reader)
    reader.client.follow(["markers"], "lossless")
    hub.publish(message(1))
    hub.publish(message(2, "markers"))
    assert reader.client.leave("text")
    assert not reader.client.leave("text")
    assert reader.drain() == ["2"]


def test_a_stop_purges_what_waits_but_not_how_things_stand() -> None:
    readers = [Reader(p, line=FakeLine(ready=False)) for p in ("lossless", "latest", "rate")]
    hub = hub_of(*readers)
    for reader in readers:
        reader.client.follow(["state"], "lossless")
    hub.publish(message(1))
    hub.publish(message(2, "state"))
    hub.publish(Message("state", "3", 0.0, seq=3, purges=True))
    assert [reader.drain() for reader in readers] == [["2", "3"]] * 3
    assert hub.purged == 3


def test_the_hub_knows_what_can_be_read_from_the_log() -> None:
    hub = Hub(last_seq=5)
    hub.publish(Message("text", "6", 0.0, seq=6))
    hub.publish(Message("text", "7", 0.0, seq=7, logged=False))
    hub.publish(Message("signal", b"", 0.0))
    assert (hub.last_seq, hub.last_logged) == (7, 6)


def test_states_are_kept_for_who_comes_later() -> None:
    hub = Hub()
    hub.publish(message(1, "state", retain="source"))
    hub.publish(message(2, "state", retain="source"))
    assert [m.body for m in hub.retained.values()] == ["2"]
    assert not hub.wants("text")


@pytest.mark.parametrize("policy", ["lossless", "latest", "rate"])
def test_who_comes_late_is_told_how_things_stand_before_the_first_ping(policy: Policy) -> None:
    reader = Reader(policy, line=FakeLine(ready=False))
    hub = hub_of(reader)
    hub.publish(message(1, "state", retain="source"))
    reader.now = MAX_LAG + 60
    reader.client.follow(["state"], policy)
    hub.tell(reader.client, ["state"])
    assert reader.line.bodies == ["1"]
    hub.publish(message(2, t=reader.now))
    assert reader.drain() == ["2"]


@pytest.mark.parametrize(
    ("lag", "got"), [(0.0, ["2", "3", "4"]), (0.1, ["3", "4"]), (0.2, ["4"]), (9.0, ["4"])]
)
def test_who_takes_long_for_one_message_gets_those_that_will_not_be_old_then(
    lag: float, got: list[str]
) -> None:
    reader = Reader("latest", line=FakeLine(ready=False, lag=lag))
    hub = hub_of(reader)
    for n, age in enumerate((0.6, 0.45, 0.25, 0.15)):
        hub.publish(message(n + 1, t=1.0 - age))
    reader.now = 1.0
    assert reader.drain() == got
    assert reader.client.n_missed == 4 - len(got)


def test_the_hub_knows_which_streams_anybody_wants() -> None:
    readers = [Reader("latest"), Reader("rate")]
    hub = hub_of(*readers)
    readers[0].client.follow(["signal", "text"], "latest")  # text once more
    assert hub.wants("text")
    assert hub.wants("signal")
    assert not hub.wants("latent")
    hub.hold()
    assert not hub.wants("text")
    hub.release()
    readers[0].client.leave("signal")
    assert not hub.wants("signal")
    hub.leave(readers[0].client)
    assert hub.wants("text")
    hub.leave(readers[1].client)
    assert not hub.wants("text")


def test_what_clients_missed_is_known_when_they_have_left() -> None:
    reader = Reader("latest", line=FakeLine(ready=False))
    hub = hub_of(reader)
    for n in range(N_LATEST + 3):
        hub.publish(message(n))
    hub.leave(reader.client)
    assert (hub.n_missed, hub.clients) == (3, set())


def test_a_frame_is_what_a_server_sends() -> None:
    assert frame_of(b"abc") == b"\x81\x03abc"
    assert Message("signal", b"abc", 0.0).frame == b"\x82\x03abc"
