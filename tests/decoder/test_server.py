"""A real server and real clients on loopback."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from decoder import client
from decoder.server.hub import Message
from tests.decoder.serving import TOKEN, Serving, serving
from tests.examples import examples


@pytest.fixture(scope="module")
def server() -> Iterator[Serving]:
    with serving() as running:
        yield running


def ask(ws: ClientConnection, method: str, **params: Any) -> dict[str, Any]:
    ws.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
    answer: dict[str, Any] = json.loads(ws.recv(5))
    return answer


def test_authorize_answers_who_and_when(server: Serving) -> None:
    with connect(server.ws_url) as ws:
        result = ask(ws, "authorize", token=TOKEN)["result"]
    assert (result["session"], result["protocol"], result["role"]) == ("S", "1", "operator")
    assert result["t_lsl"] == 1.0
    assert result["t_unix"] > 1e9


def test_authorize_says_how_far_the_log_has_come(server: Serving) -> None:
    for seq in (7, 0):  # what is never logged does not count
        server.publish(Message("state", "{}", 1.0, seq=seq))
    with connect(server.ws_url) as ws:
        assert ask(ws, "authorize", token=TOKEN)["result"]["last_seq"] == 7


def test_nothing_is_told_before_authorize_but_the_time(server: Serving) -> None:
    with connect(server.ws_url) as ws:
        assert "t_lsl" in ask(ws, "time")["result"]
        assert ask(ws, "subscribe", streams=["text"])["error"]["code"] == -32001
        assert "was printed at start" in ask(ws, "authorize")["error"]["message"]


def test_a_few_wrong_tokens_close_the_connection(server: Serving) -> None:
    with connect(server.ws_url) as ws:
        for _ in range(5):
            assert ask(ws, "authorize", token="wrong")["error"]["message"] == "wrong token"
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv(5)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008


def test_without_a_token_only_where_it_is_open() -> None:
    with serving(open_viewer=True) as running, connect(running.ws_url) as ws:
        assert ask(ws, "authorize")["result"]["role"] == "viewer"


def test_subscribed_streams_arrive_and_unknown_ones_are_named(server: Serving) -> None:
    with connect(server.ws_url) as ws:
        ask(ws, "authorize", token=TOKEN)
        result = ask(ws, "subscribe", streams=["text", "smell"])["result"]
        assert result["success"] == ["text"]
        assert result["failure"][0]["stream"] == "smell"
        server.publish(Message("markers", "no", 1.0))
        server.publish(Message("text", '{"method":"text"}', 1.0))
        assert json.loads(ws.recv(5))["method"] == "text"
        assert ask(ws, "unsubscribe", streams=["text"])["result"]["success"] == ["text"]
        server.publish(Message("text", "no", 1.0))
        assert "t_lsl" in ask(ws, "time")["result"]


def test_who_joins_late_is_told_the_state(server: Serving) -> None:
    server.publish(Message("state", '{"method":"state","params":{}}', 1.0, retain="source"))
    with client.connect(server.url, ["state"]) as events:
        assert next(iter(events)).stream == "state"


GARBAGE = (
    st.text(max_size=200)
    | st.binary(max_size=200)
    | st.dictionaries(
        st.sampled_from(["jsonrpc", "id", "method", "params"]),
        st.none()
        | st.integers()
        | st.floats()
        | st.sampled_from(["2.0", "subscribe", "authorize", "time"])
        | st.dictionaries(st.sampled_from(["streams", "token", "policy"]), st.text(max_size=5)),
    ).map(json.dumps)
)


@settings(
    examples(150),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(garbage=st.lists(GARBAGE, min_size=1, max_size=3))
def test_garbage_gets_an_error_and_the_connection_stays(
    server: Serving, garbage: list[str | bytes]
) -> None:
    with connect(server.ws_url) as ws:
        ask(ws, "authorize", token=TOKEN)
        for one in garbage:
            ws.send(one)
        ws.send('{"jsonrpc":"2.0","id":"last","method":"time"}')
        while (answer := json.loads(ws.recv(5)))["id"] != "last":
            assert "error" in answer or "result" in answer
        assert "t_lsl" in answer["result"]


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        (r'{"jsonrpc":"2.0","id":"\ud800","method":"time"}', "result"),
        (r'{"jsonrpc":"2.0","id":"\ud800","method":"none"}', "error"),
        (
            r'{"jsonrpc":"2.0","id":1,"method":"subscribe","params":{"streams":["\ud800"]}}',
            "result",
        ),
    ],
)
def test_half_a_surrogate_pair_is_answered(server: Serving, message: str, answer: str) -> None:
    with connect(server.ws_url) as ws:
        ask(ws, "authorize", token=TOKEN)
        ws.send(message)
        assert answer in json.loads(ws.recv(5))


def test_clients_that_leave_while_they_are_answered_are_no_error(
    server: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(5):
        with connect(server.ws_url) as ws:
            ask(ws, "authorize", token=TOKEN)
            for _ in range(200):
                ws.send('{"jsonrpc":"2.0","id":1,"method":"time"}')
            ws.socket.shutdown(socket.SHUT_RDWR)
    deadline = time.monotonic() + 30
    while server.hub.clients and time.monotonic() < deadline:
        httpx.get(f"http://127.0.0.1:{server.port}/healthz")  # a round on the event loop
    assert not server.hub.clients
    assert "Exception in ASGI application" not in caplog.text


def test_a_request_without_an_id_gets_no_answer(server: Serving) -> None:
    with connect(server.ws_url) as ws:
        ws.send('{"jsonrpc":"2.0","method":"time"}')
        assert ask(ws, "time")["id"] == 1


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.example"}, {"Host": "evil.example"}]
)
def test_pages_and_names_from_elsewhere_are_refused(
    server: Serving, headers: dict[str, str]
) -> None:
    if "Host" in headers:
        assert httpx.get(f"http://127.0.0.1:{server.port}/", headers=headers).status_code == 403
        return
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(server.ws_url, additional_headers=headers),
    ):
        pass
    assert refused.value.response.status_code == 403


def test_rest_needs_the_token(server: Serving) -> None:
    base = f"http://127.0.0.1:{server.port}"
    right = {"Authorization": f"Bearer {TOKEN}"}
    for path in ("/v1/session", "/v1/candidates"):
        assert httpx.get(base + path).status_code == 401
        assert httpx.get(base + path, headers={"Authorization": "Bearer no"}).status_code == 401
        assert httpx.get(base + path, headers=right).status_code == 200
    assert httpx.get(base + "/healthz").json() == {"status": "ok", "reason": ""}
    assert httpx.get(base + "/readyz").json() == {"ready": True, "reason": ""}


def test_the_picture_of_a_candidate_is_given_out() -> None:
    pictures = {"a/../b": b"\xff\xd8"}
    with serving(picture=lambda name: pictures.get(name, b"")) as server:
        base = f"http://127.0.0.1:{server.port}/v1/candidates"
        right = {"Authorization": f"Bearer {TOKEN}"}
        found = httpx.get(base + "/picture", params={"id": "a/../b"}, headers=right)
        assert (found.content, found.headers["content-type"]) == (b"\xff\xd8", "image/jpeg")
        assert httpx.get(base + "/picture?id=cat", headers=right).status_code == 404
        assert httpx.get(base + "/picture", headers=right).status_code == 422
        assert httpx.get(base + "/picture?id=cat").status_code == 401
        assert httpx.get(base, headers=right).json()[0]["picture"] is False


def test_an_image_that_is_no_base64_is_refused(server: Serving) -> None:
    with connect(f"ws://127.0.0.1:{server.port}/v1/ws") as ws:
        ask(ws, "authorize", token=TOKEN)
        things = [{"id": "owl", "image": "?"}, {"id": "cat"}]
        error = ask(ws, "setCandidates", candidates=things)["error"]
        assert (error["code"], error["message"]) == (
            -32602,
            "the image of candidate 'owl' is no base64",
        )


def test_readiness_says_why_not() -> None:
    with serving(not_ready="source is lost") as running:
        answer = httpx.get(f"http://127.0.0.1:{running.port}/readyz")
    assert answer.status_code == 503
    assert answer.json()["reason"] == "source is lost"


def test_every_answer_forbids_what_a_page_does_not_need(server: Serving) -> None:
    for path in ("/healthz", "/", "/static/../app.py", "/static/none"):
        headers = httpx.get(f"http://127.0.0.1:{server.port}{path}").headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_nothing_outside_of_the_page_is_served(server: Serving) -> None:
    base = f"http://127.0.0.1:{server.port}"
    for path in ("/static/..%2fapp.py", "/static/%2e%2e/app.py", "/static//etc/passwd"):
        assert httpx.get(base + path).status_code == 404


@pytest.mark.parametrize(
    ("url", "streams", "match"),
    [("http://127.0.0.1:{}/#token=no", ["text"], "wrong token"), ("{}", ["smell"], "smell")],
)
def test_our_client_says_what_is_wrong(
    server: Serving, url: str, streams: list[str], match: str
) -> None:
    url = url.format(server.port) if "token" in url else server.url
    with pytest.raises(client.RequestError, match=match), client.connect(url, streams):
        pass


def test_our_client_ends_when_the_service_does() -> None:
    with serving() as running, client.connect(running.url, patience=0) as events:
        running.server.should_exit = True
        assert list(events) == []


def test_our_client_raises_where_nothing_listens() -> None:
    with pytest.raises(ConnectionRefusedError), client.connect("http://127.0.0.1:1"):
        pass


def test_only_channels_that_are_there_can_be_marked(server: Serving) -> None:
    with connect(server.ws_url) as ws:
        assert "error" in ask(ws, "markBad", ch_names=["Cz"])  # not before authorize
        ask(ws, "authorize", token=TOKEN)
        answer = ask(ws, "markBad", ch_names=["Cz"], bad=False)
        assert answer["result"] == {"ch_names": ["Cz"], "bad": False}
        assert "no channel 'Fz'" in ask(ws, "markBad", ch_names=["Fz"])["error"]["message"]
        assert ask(ws, "markBad", ch_names=[])["error"]["code"] == -32602


def test_text_that_is_no_utf8_closes_with_1007_and_prints_nothing(
    server: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    for pieces in ([b"\xff\xfe"], [b'{"a": "\xc3', b'\xa9"}', b"\xed\xa0\x80"]):
        with connect(server.ws_url) as ws:
            ws.send(pieces, text=True)
            with pytest.raises(ConnectionClosed) as closed:
                list(ws)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1007
    assert [r for r in caplog.records if r.exc_info or r.levelname == "ERROR"] == []
