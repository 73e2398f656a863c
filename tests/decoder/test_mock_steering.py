from __future__ import annotations

from itertools import islice

import pytest

from decoder import client
from decoder.script import GOLDEN, read_script
from decoder.server.wire import LOGGED as LOGGED_STREAMS
from tests.decoder.mocking import TOKEN, mocking

LOGGED = [line for line in read_script(GOLDEN).lines if line.seq]


def test_what_an_operator_may_do_is_answered_and_said() -> None:
    with (
        mocking(speed=50) as (_, url),
        client.connect(url, LOGGED_STREAMS, from_seq=1) as events,
    ):
        assert events.control("pause") == "paused"
        assert events.inject_marker("cough", 3.0) == 3.0
        things = [{"id": "cat", "text": "a cat"}, {"id": "sphinx", "text": "a sphinx"}]
        changed = events.set_candidates(things)
        assert (changed["candidates_version"], changed["n_candidates"]) == (2, 2)
        assert events.set_candidates(things[:1], "remove")["n_candidates"] == 1
        with pytest.raises(client.RequestError, match="sphynx"):
            events.set_candidates([{"id": "sphynx", "text": ""}], "remove")
        with pytest.raises(client.RequestError, match="no channel 'Xz'"):
            events.request("markBad", {"ch_names": ["Xz"]})
        with pytest.raises(client.RequestError, match="a mock has none"):
            events.control("swapModel", model="other")
        assert events.control("note", text="sneezed") == "paused"
        assert events.control("blind", on=True) == "paused"
        assert events.control("refit", on=True) == "paused"
        assert events.control("resume") == "decoding"
        n = len(LOGGED) + 7
        said = [event.params for event in islice(events, n)]
    assert [params["seq"] for params in said] == [*range(1, n + 1)]
    details = [params.get("detail") for params in said]
    start = details.index("the operator paused the session")  # after which the script waits
    assert [p.get("state") for p in said[start : start + 8]] == [
        "paused", None, "changed", "changed", "taken", "on", "started", "decoding",
    ]  # fmt: skip
    assert any(p.get("label") == "cough" for p in said)


def test_after_a_stop_nothing_is_said_until_it_is_resumed_and_nothing_twice() -> None:
    with mocking(speed=50) as (_, url):
        with client.connect(url, LOGGED_STREAMS, from_seq=1) as events:
            for event in events:
                if event.stream == "text":
                    break
            assert events.control("stop", reason="enough") == "stopped"
            with pytest.raises(client.RequestError) as refused:
                events.control("pause")
            assert refused.value.code == -32004
            last = events.request("authorize", {"token": TOKEN})["last_seq"]
        with pytest.raises(client.RequestError) as purged, client.connect(url, from_seq=1):
            pass
        assert purged.value.code == -32005
        with client.connect(url, LOGGED_STREAMS, from_seq=last) as events:
            stopped = next(iter(events)).params
            assert (stopped["what"], stopped["state"]) == ("session", "stopped")
            events.control("resume")
            left = len(LOGGED) + 2 - last
            seqs = [event.params["seq"] for event in islice(events, left)]
        assert seqs == [*range(last + 1, last + left + 1)]
