from __future__ import annotations

import asyncio
import json
import math
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import WebSocketException
from websockets.sync.server import ServerConnection, serve

from decoder import client
from decoder.script import GOLDEN, read_script
from decoder.server.wire import LOGGED as LOGGED_STREAMS
from tests.decoder.cutting import cutting
from tests.decoder.mocking import TOKEN, mocking
from tests.decoder.serving import serving
from tests.pages import ROOT

LOGGED = [line for line in read_script(GOLDEN).lines if line.seq]
BODIES = [str(line.body) for line in LOGGED]
TEXTS = [line.seq for line in LOGGED if line.stream == "text"]
N_LOGGED = len(LOGGED)
CLIENT_JS = ROOT / "decoder" / "server" / "static" / "client.js"
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
ALL = [*range(1, N_LOGGED + 1)]
N_CUTS = 50


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "WAITS", (0.01,))


def seqs(events: Iterator[client.Event]) -> list[int]:
    return [event.params["seq"] for event in islice(events, N_LOGGED)]


def through(port: int) -> str:
    return f"http://127.0.0.1:{port}/#token={TOKEN}"


def opened(port: int) -> client.Client:
    """Connect through what may cut the very first connection, too."""
    while True:
        try:
            return client.connect(through(port), LOGGED_STREAMS, from_seq=1)
        except (OSError, WebSocketException):
            pass


def test_a_client_that_is_cut_fifty_times_gets_every_event_once_and_in_order() -> None:
    with (
        mocking(speed=20) as (mock, _),
        cutting(mock.port, N_CUTS, seed=1) as proxy,
        opened(proxy.port) as events,
    ):
        assert seqs(iter(events)) == ALL
        assert events.n_missed == 0
    assert proxy.n_cut == N_CUTS


async def collect(events: client.AsyncClient) -> list[int]:
    found = []
    async for event in events:
        found.append(event.params["seq"])
        if len(found) == N_LOGGED:
            break
    return found


def test_so_does_one_in_asyncio_that_asks_for_the_time_meanwhile() -> None:
    async def ask(events: client.AsyncClient) -> None:
        while True:
            try:
                await events.request("time")
            except ConnectionError:
                await asyncio.sleep(0.01)

    async def run(port: int) -> list[int]:
        while True:
            try:
                async with client.connect_async(through(port), LOGGED_STREAMS, 1) as events:
                    asking = [asyncio.create_task(ask(events)) for _ in range(2)]
                    found = await collect(events)
                    for task in asking:
                        task.cancel()
                    await asyncio.wait(asking)
                    assert all(task.cancelled() for task in asking)
                    return found
            except (OSError, WebSocketException):
                pass

    with mocking(speed=20) as (mock, _), cutting(mock.port, N_CUTS) as proxy:
        assert asyncio.run(run(proxy.port)) == ALL
    assert proxy.n_cut == N_CUTS


@needs_node
def test_so_does_the_javascript_one_in_node() -> None:
    with mocking(speed=20) as (mock, _), cutting(mock.port, N_CUTS, seed=2) as proxy:
        script = f"""
            import {{ Client, splitUrl }} from "{CLIENT_JS.as_uri()}";
            const {{ url, token }} = splitUrl("{through(proxy.port)}");
            const streams = {json.dumps(LOGGED_STREAMS)};
            const policies = Object.fromEntries(streams.map((s) => [s, "lossless"]));
            const client = new Client(url, {{ token, policies, fromSeq: 1 }});
            const seqs = [];
            for (const stream of streams) {{
                client.on(stream, ({{ seq }}) => {{
                    seqs.push(seq);
                    if (seqs.length === {N_LOGGED}) {{
                        client.stop();
                        console.log(JSON.stringify(seqs));
                    }}
                }});
            }}
            const later = setTimeout;  // the shortest waits are made shorter
            globalThis.setTimeout = (f, ms) => later(f, ms <= 250 ? ms / 25 : ms);
            client.start();
        """
        assert json.loads(node(script)) == ALL
    assert proxy.n_cut == N_CUTS


def node(script: str) -> str:
    """Run a module in Node, whatever WebSocket it has."""
    done = subprocess.run(
        ["node", "--input-type=module", "-e", script],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@needs_node
@pytest.mark.parametrize("fault", ["drop", "1013"])
def test_the_javascript_one_comes_back_after(fault: str) -> None:
    with mocking(fault=fault) as (_, url):
        script = f"""
            import {{ Client, splitUrl }} from "{CLIENT_JS.as_uri()}";
            const {{ url, token }} = splitUrl("{url}");
            const policies = {{ text: "lossless" }};
            const client = new Client(url, {{ token, policies, fromSeq: 1 }});
            const seqs = [];
            client.on("text", ({{ seq }}) => {{
                seqs.push(seq);
                if (seqs.length < {len(TEXTS)}) return;
                client.stop();
                console.log(JSON.stringify(seqs));
            }});
            client.start();
        """
        assert json.loads(node(script)) == TEXTS


@needs_node
def test_the_javascript_one_reads_frames_asks_and_is_told_what_is_wrong() -> None:
    with mocking(speed=20) as (_, url):
        script = f"""
            import {{ Client, readFrame, splitUrl }} from "{CLIENT_JS.as_uri()}";
            const {{ url }} = splitUrl("{url}");
            const policies = {{ signal: "latest", text: 5, smell: "lossless" }};
            const client = new Client(url, {{ token: "wrong", policies }});
            client.on("refused", ({{ message }}) => {{
                console.log(message);
                client.setToken("{TOKEN}");
            }});
            client.on("problem", ({{ message }}) => console.log(message.slice(0, 21)));
            client.on("signal", async ({{ header, view, start }}) => {{
                const n = header.n_channels * header.n_times;
                console.log((view.byteLength - start) / 4 === n, Number.isFinite(client.now()));
                try {{
                    await client.call("nonsense");
                }} catch ({{ code, name }}) {{
                    console.log(name, code);
                }}
                client.stop();
            }});
            client.start();
        """
        said = node(script).splitlines()
    assert said[:3] == ["wrong token", "smell: no such stream", "true true"]
    assert "RpcError -32601" in said  # of the first frame; others may come before it stops


def test_it_goes_on_with_another_session_and_waits_for_it(tmp_path: Path) -> None:
    with mocking(speed=1000) as (mock, url):
        port = mock.port
        events = client.connect(url, LOGGED_STREAMS, from_seq=1)
        assert seqs(iter(events)) == ALL
    log = tmp_path / "another" / "events.jsonl"
    log.parent.mkdir()
    log.write_text("".join(f"{body}\n" for body in BODIES), encoding="utf-8")
    with mocking(log, speed=1000, port=port), events:
        assert seqs(iter(events)) == ALL
        assert events.session["session"] == "another"
        assert events.n_connections == 2


def test_it_ends_where_the_service_said_that_it_stops_and_did_not_return() -> None:
    with serving() as running, client.connect(running.url, patience=0.1) as events:
        running.server.should_exit = True
        assert list(events) == []


def test_it_says_what_was_wrong_where_the_line_broke_for_good() -> None:
    with serving() as running:
        with cutting(running.port, 0) as proxy:
            events = client.connect(through(proxy.port), patience=0.1)
        with events, pytest.raises((OSError, WebSocketException)):
            list(events)


def test_a_request_whose_answer_was_lost_is_not_sent_again() -> None:
    asked: list[str] = []

    def answer(ws: ServerConnection) -> None:
        for message in ws:
            request = json.loads(message)
            asked.append(request["method"])
            if request["method"] == "control":
                ws.socket.shutdown(socket.SHUT_RDWR)
                return
            result = {"session": "S", "last_seq": 0, "success": [], "failure": []}
            ws.send(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}))

    with (
        fake(answer) as url,
        client.connect(url) as events,
        pytest.raises(ConnectionResetError, match="control was answered"),
    ):
        events.control("stop")
    assert asked == ["authorize", "subscribe", "control", "authorize", "subscribe"]


def test_a_service_that_says_nothing_for_long_is_asked_then_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "PULSE", 0.02)
    asked: list[str] = []

    def answer(ws: ServerConnection) -> None:
        n_before = len(asked)
        for message in ws:
            request = json.loads(message)
            asked.append(request["method"])
            result = {"session": "S", "last_seq": 0, "success": [], "failure": []}
            if request["method"] != "time":
                ws.send(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}))
            if n_before and request["method"] == "subscribe":
                params = {"seq": 1, "top": []}
                ws.send(json.dumps({"jsonrpc": "2.0", "method": "text", "params": params}))

    with fake(answer) as url, client.connect(url) as events:
        assert next(iter(events)).params["seq"] == 1
    assert asked[:4] == ["authorize", "subscribe", "time", "time"]


def answer_late(ws: ServerConnection) -> None:
    """Say what is 17 s old by the clock of this service, and answer whatever is asked."""
    for message in ws:
        request = json.loads(message)
        result = {"session": "S", "last_seq": 0, "success": [], "failure": [], "t_lsl": 5000.0}
        ws.send(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}))
        if request["method"] == "subscribe":
            params = {"seq": 1, "top": [], "t_end": 4982.0, "t_emit": 4983.0}
            ws.send(json.dumps({"jsonrpc": "2.0", "method": "text", "params": params}))


def test_it_knows_how_old_an_event_is_by_the_clock_of_the_service() -> None:
    with fake(answer_late) as url, client.connect(url) as events:
        event = next(iter(events))
        assert 17.0 <= events.age(event) + 0.1 < 60.0
        assert 5000.0 <= events.now() + 0.1 < 5060.0
        frame = client.Signal({"t0": 4980.0}, b"")
        assert 20.0 <= events.age(frame) + 0.1 < 60.0


def test_the_answer_that_came_the_quickest_way_sets_the_clock() -> None:
    core = client._Core("http://127.0.0.1:1/", ("text",), None)
    assert math.isnan(core.now())
    for delay in (17.0, 0.0, 5.0):  # seconds on the way back
        number, _ = core.ask("time")
        core._asked[number] -= delay
        t_lsl = time.monotonic() + 1000.0 - delay
        core.take(json.dumps({"id": number, "result": {"t_lsl": t_lsl}}))
    assert core.now() - time.monotonic() == pytest.approx(1000.0, abs=1.0)
    core.reset_clock()
    assert math.isnan(core.now())


def test_it_asks_for_the_time_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "CLOCK", -1.0)
    asked: list[str] = []
    asked_again = threading.Event()

    def answer(ws: ServerConnection) -> None:
        for message in ws:
            request = json.loads(message)
            asked.append(request["method"])
            result = {"session": "S", "last_seq": 0, "success": [], "failure": []}
            ws.send(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}))
            if request["method"] == "subscribe":
                params = {"seq": 1, "top": [], "t_emit": 1.0}
                ws.send(json.dumps({"jsonrpc": "2.0", "method": "text", "params": params}))
            if request["method"] == "time":
                asked_again.set()

    with fake(answer) as url, client.connect(url) as events:
        assert next(iter(events)).params["seq"] == 1
        assert asked_again.wait(30)
    assert asked[:3] == ["authorize", "subscribe", "time"]


@needs_node
def test_so_does_the_javascript_one_and_it_asks_nothing_on_a_closed_line() -> None:
    with fake(answer_late) as url:
        script = f"""
            import {{ Client, splitUrl }} from "{CLIENT_JS.as_uri()}";
            const {{ url }} = splitUrl("{url}");
            const client = new Client(url, {{ policies: {{ text: "lossless" }} }});
            client.on("text", async (event) => {{
                console.log(client.age(event) > 16.9 && client.age(event) < 60);
                client.stop();
                await client.call("time").catch(({{ message }}) => console.log(message));
            }});
            client.start();
            await client.call("time").catch(({{ message }}) => console.log(message));
        """
        assert node(script).splitlines() == ["not connected", "true", "not connected"]


def test_what_a_stop_purged_is_not_asked_for_again() -> None:
    subscriptions: list[dict[str, Any]] = []

    def answer(ws: ServerConnection) -> None:
        for message in ws:
            request = json.loads(message)
            reply: dict[str, Any] = {"jsonrpc": "2.0", "id": request["id"]}
            result = {"session": "S", "last_seq": 7, "success": [], "failure": []}
            reply["result"] = result
            if request["method"] == "subscribe":
                subscriptions.append(request["params"])
                if "from_seq" in request["params"]:
                    reply = {**reply, "error": {"code": -32005, "message": "purged"}}
            ws.send(json.dumps(reply))
            if len(subscriptions) == 1 and request["method"] == "subscribe":
                ws.socket.shutdown(socket.SHUT_RDWR)
                return
            if len(subscriptions) == 3:
                params = {"seq": 8, "top": []}
                ws.send(json.dumps({"jsonrpc": "2.0", "method": "text", "params": params}))

    with fake(answer) as url, client.connect(url) as events:
        assert next(iter(events)).params["seq"] == 8
    assert [params.get("from_seq") for params in subscriptions] == [None, 8, None]


def test_policies_are_grouped_and_a_number_is_a_rate() -> None:
    subscriptions: list[dict[str, Any]] = []

    def answer(ws: ServerConnection) -> None:
        for message in ws:
            request = json.loads(message)
            if request["method"] == "subscribe":
                subscriptions.append(request["params"])
            result = {"session": "S", "last_seq": 0, "success": [], "failure": []}
            ws.send(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}))

    streams = {"text": "lossless", "latency": "lossless", "signal": "latest", "quality": 2.0}
    with fake(answer) as url, client.connect(url, streams, from_seq=3):
        pass
    assert subscriptions == [
        {"streams": ["text"], "policy": "lossless", "from_seq": 3},
        {"streams": ["latency"], "policy": "lossless"},
        {"streams": ["signal"], "policy": "latest"},
        {"streams": ["quality"], "policy": "rate", "rate": 2.0},
    ]


@contextmanager
def fake(answer: Callable[[ServerConnection], None]) -> Iterator[str]:
    """Serve whatever `answer` says."""
    with serve(answer, "127.0.0.1", 0, compression=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()


def test_a_binary_frame_of_a_stream_to_come_is_an_event_too() -> None:
    core = client._Core("x", ("text",), None)
    core.take(b"\x00\x00\x00\x11" + b'{"stream":"odor"}' + b"abc")
    assert core.events.popleft() == client.Other({"stream": "odor"}, b"abc", "odor")


def test_a_latent_is_a_vector() -> None:
    event = client.Latent({"n_dims": 2}, b"\x00\x00\x80?\x00\x00\x00@")
    assert list(event.vector()) == [1.0, 2.0]


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("https://lab:8443/#token=a", ("wss://lab:8443/v1/ws", "a")),
        ("127.0.0.1:8000", ("ws://127.0.0.1:8000/v1/ws", "")),
        ("ws://[::1]:8000/v1/ws", ("ws://[::1]:8000/v1/ws", "")),
    ],
)
def test_an_address_is_split(url: str, parts: tuple[str, str]) -> None:
    assert client.split_url(url) == parts
