"""What may be called by whom; how each method is answered is tested with a real server."""

from __future__ import annotations

import asyncio

import pytest

from decoder.server import methods
from decoder.server.auth import Role, allows
from decoder.server.messages import Nothing, Times
from decoder.server.methods import METHODS, Method, Peer
from decoder.server.rpc import Code
from tests.decoder.asking import ask, authorized
from tests.decoder.serving import serving


@pytest.mark.parametrize(
    ("role", "least", "good"),
    [
        (None, None, True),
        (None, "viewer", False),
        ("viewer", "viewer", True),
        ("viewer", "participant", False),
        ("participant", "viewer", True),
        ("participant", "operator", False),
        ("operator", "participant", True),
    ],
)
def test_a_role_may_what_lesser_ones_may(role: Role, least: Role, good: bool) -> None:
    assert allows(role, least) is good


def test_before_authorize_there_is_no_more_than_that_and_the_time() -> None:
    assert {name for name, m in METHODS.items() if m.role is None} == {"authorize", "time"}


def test_a_viewer_may_not_what_needs_an_operator() -> None:
    with serving(open_viewer=True) as running, authorized(running, token="") as line:
        error = ask(line, "markBad", ch_names=["Cz"])["error"]
    assert error["code"] == Code.FORBIDDEN
    assert error["message"] == "markBad needs the role operator; yours is viewer"


def test_what_takes_long_holds_up_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[asyncio.Event] = []

    async def wait(peer: Peer, _: Nothing) -> Times:
        ended.append(asyncio.Event())
        await ended[0].wait()
        return Times(t_lsl=0.0, t_unix=0.0)

    async def end(peer: Peer, _: Nothing) -> Times:
        ended[0].set()
        return Times(t_lsl=1.0, t_unix=1.0)

    monkeypatch.setitem(methods.METHODS, "wait", Method(Nothing, Times, wait, apart=True))
    monkeypatch.setitem(methods.METHODS, "end", Method(Nothing, Times, end))
    with serving() as running, authorized(running) as line:
        line.request("wait", 10)
        line.request("end", 11)
        answers = [line.receive() for _ in range(2)]
    assert [answer["id"] for answer in answers] == [11, 10]
