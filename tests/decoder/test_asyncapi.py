"""The document says what goes over the wire, and nothing else goes."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from jsonschema import Draft202012Validator

from decoder.events import Event, Quality, Signal
from decoder.server.asyncapi import asyncapi
from decoder.server.documents import documents
from decoder.server.hub import Message
from decoder.server.methods import METHODS
from decoder.server.rpc import CLOSE_CODES, ERRORS
from decoder.server.wire import STREAMS, encode, encode_signal, stream_of
from streaming.signal import ChannelQuality
from tests.decoder.asking import Line, ask, authorized
from tests.decoder.serving import TOKEN, serving
from tests.decoder.sessions import record
from tests.decoder.test_wire import EVENTS

REFERENCE = Path(__file__).parents[2] / "docs/reference"

SIGNAL = Signal(np.zeros((2, 3), np.float32), 1.0, 100.0)

CHANNELS = ChannelQuality(("good", "flat"), (1e-5, 0.0), (0.1, 0.0))
ALL: list[Event] = [
    *(event for event, _ in EVENTS),
    Quality(0, 100, 1.0, ("Cz", "Pz"), CHANNELS, ("Pz",), False, (5000.0, None)),
    Quality(0, 100, 1.0, ("Cz", "Pz"), CHANNELS, (), True),
]


def walk(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        yield part
    for inner in part.values() if isinstance(part, dict) else part:
        if isinstance(inner, dict | list):
            yield from walk(inner)


def closed() -> dict[str, Any]:
    """Return the document with nothing allowed that it does not name."""
    document = asyncapi()
    for part in walk(document["components"]):
        if "allOf" in part:
            part["unevaluatedProperties"] = False
    for name in ("Ranked", "Truth", "Running", "SignalHeader"):
        document["components"]["schemas"][name]["additionalProperties"] = False
    for message in document["components"]["messages"].values():
        message["payload"]["additionalProperties"] = False
    return document


CLOSED = closed()


def check(message: str, instance: object) -> None:
    where = f"#/components/messages/{message}/payload"
    Draft202012Validator({**CLOSED, "$ref": where}).validate(instance)


def check_signal(frame: bytes) -> dict[str, Any]:
    """Return the header of a binary frame, of which the websocket's may be left."""
    start = frame.index(b"{")
    (n,) = struct.unpack(">I", frame[start - 4 : start])
    said: dict[str, Any] = json.loads(frame[start : start + n])
    header = CLOSED["components"]["messages"]["signal"]["x-header"]
    Draft202012Validator({**CLOSED, **header}).validate(said)
    return said


def test_references_lead_somewhere() -> None:
    document = asyncapi()
    for part in walk(document):
        if "$ref" in part:
            found = document
            for name in part["$ref"].removeprefix("#/").split("/"):
                found = found[name]


def test_it_names_all_methods_streams_and_codes() -> None:
    document = asyncapi()
    assert set(document["operations"]) == {*METHODS, *(f"on.{stream}" for stream in STREAMS)}
    codes = document["channels"]["v1"]["x-close-codes"]
    assert set(codes) == {str(code) for code in CLOSE_CODES}
    told = (REFERENCE / "protocol.md").read_text()
    for code, text in (*ERRORS.items(), *CLOSE_CODES.items()):
        assert f"| {int(code)} | {text} |" in told


@pytest.mark.parametrize("event", ALL, ids=lambda event: type(event).__name__)
def test_an_event_is_as_described(event: Event) -> None:
    seq = None if stream_of(event) == "latency" else 1
    check(stream_of(event), json.loads(encode(event, seq, 2.0)))


def test_a_field_that_is_not_described_is_noticed() -> None:
    message = json.loads(encode(ALL[0], 1, 2.0))
    for where in (message["params"], message["params"]["top"][0], message):
        where["more"] = 1
        assert not Draft202012Validator(
            {**CLOSED, "$ref": "#/components/messages/text/payload"}
        ).is_valid(message)
        del where["more"]


def test_a_frame_of_signal_begins_as_described() -> None:
    check_signal(encode_signal(SIGNAL))


def test_what_a_session_says_is_as_described(tmp_path: Path) -> None:
    folder, sent = record(tmp_path, None)
    assert {message.stream for message in sent} >= {"text", "markers", "quality", "state"}
    for line in folder.events.read_text().splitlines():
        message = json.loads(line)
        check(message["method"], message)


def exchange(line: Line, method: str, **params: Any) -> None:
    """Ask, and hold both the request and its answer to the document."""
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    answer = ask(line, method, **params)
    if "result" in answer:
        check(f"{method}.request", message)
        check(f"{method}.result", answer)
    else:
        check("error", answer)


def test_what_is_asked_and_answered_is_as_described() -> None:
    with serving() as server, authorized(server) as line:
        for method, params in (
            ("authorize", {"token": TOKEN}),
            ("authorize", {"token": "wrong"}),
            ("authorize", {"token": TOKEN}),
            ("time", {}),
            ("subscribe", {"streams": ["text", "smell"]}),
            ("subscribe", {"streams": ["text"], "policy": "rate", "rate": 2}),
            ("subscribe", {"streams": ["state"], "from_seq": 1}),
            ("subscribe", {"streams": [], "from_seq": 9}),
            ("unsubscribe", {"streams": ["text", "signal"]}),
            ("markBad", {"ch_names": ["Cz"]}),
            ("markBad", {"ch_names": ["Fz"]}),
            ("none", {}),
        ):
            exchange(line, method, **params)


def test_what_a_slow_client_is_told_is_as_described() -> None:
    from tests.decoder.test_hub import Reader

    frames = []
    for stream, body in (("text", encode(ALL[0], 1, 2.0)), ("signal", encode_signal(SIGNAL))):
        reader = Reader("latest")
        reader.client.follow([stream], "latest", 1.0)
        reader.client.n_missed = 3
        reader.client.offer(Message(stream, body, 1.0))
        frames += reader.line.frames
    text, signal = frames
    check("text", json.loads(text[text.index(b"{") :]))
    assert check_signal(signal)["missed"] == 3


def test_the_published_documents_are_those_of_the_code() -> None:
    """If this fails: python -m decoder.server.documents docs/reference."""
    for name, document in documents().items():
        assert json.loads((REFERENCE / name).read_text()) == document


def test_a_service_answers_its_documents() -> None:
    with serving() as server:
        for name, document in documents().items():
            url = f"http://127.0.0.1:{server.port}/v1/{name}"
            answer = httpx.get(url, headers={"Authorization": f"Bearer {TOKEN}"})
            assert answer.json() == document
