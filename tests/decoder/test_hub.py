from __future__ import annotations

import asyncio

from decoder.server.hub import MAX_AGE, N_LATEST, N_LOSSLESS, Client, Hub, Message


def message(n: int, stream: str = "text", t: float = 0.0, retain: str = "") -> Message:
    return Message(stream, str(n), t, retain)


async def drain(client: Client) -> list[str | bytes]:
    got: list[str | bytes] = []
    while True:
        try:
            one = await asyncio.wait_for(client.next(), 0.01)
        except TimeoutError:
            return got
        assert one is not None
        got.append(one.body)


def subscribed(policy: str, now: float = 0.0) -> tuple[Hub, Client]:
    hub, client = Hub(), Client(lambda: now)
    client.policies["text"] = policy
    hub.clients.add(client)
    return hub, client


def test_a_client_gets_what_it_subscribed_to_in_order() -> None:
    async def check() -> None:
        hub, client = subscribed("lossless")
        for n in range(100):
            hub.publish(message(n))
            hub.publish(message(n, "markers"))
        assert await drain(client) == [str(n) for n in range(100)]

    asyncio.run(check())


def test_a_lossless_client_that_lags_is_closed_and_not_fed_a_hole() -> None:
    async def check() -> None:
        hub, client = subscribed("lossless")
        for n in range(N_LOSSLESS + 1):
            hub.publish(message(n))
        assert await client.next() is None

    asyncio.run(check())


def test_a_latest_client_misses_what_grew_too_old_and_knows_how_much() -> None:
    async def check() -> None:
        hub, client = subscribed("latest", now=10.0)
        hub.publish(message(0, t=10.0 - 2 * MAX_AGE))
        hub.publish(message(1, t=10.0))
        assert await drain(client) == ["1"]
        assert client.n_missed == 1

    asyncio.run(check())


def test_a_latest_client_is_bounded() -> None:
    async def check() -> None:
        hub, client = subscribed("latest")
        for n in range(N_LATEST + 10):
            hub.publish(message(n))
        assert await drain(client) == [str(n) for n in range(10, N_LATEST + 10)]
        assert client.n_missed == 10

    asyncio.run(check())


def test_a_slow_client_does_not_hold_up_another() -> None:
    async def check() -> None:
        hub, slow = subscribed("lossless")
        fast = Client(lambda: 0.0)
        fast.policies["text"] = "lossless"
        hub.clients.add(fast)
        got: list[str | bytes] = []
        for n in range(3 * N_LOSSLESS):
            hub.publish(message(n))
            one = await fast.next()
            assert one is not None
            got.append(one.body)
        assert got == [str(n) for n in range(3 * N_LOSSLESS)]
        assert await slow.next() is None

    asyncio.run(check())


def test_states_are_kept_for_who_comes_later() -> None:
    hub = Hub()
    hub.publish(message(1, "state", retain="source"))
    hub.publish(message(2, "state", retain="source"))
    assert [m.body for m in hub.retained.values()] == ["2"]
    assert not hub.wants("text")
