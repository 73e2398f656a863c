"""Tokens, texts and samples are nobody's business who reads a log."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from decoder.server.hub import Message
from decoder.server.wire import encode
from decoder.tokens import TokenFile
from tests.decoder.asking import Line, ask
from tests.decoder.serving import TOKEN, serving
from tests.decoder.sessions import record
from tests.decoder.test_wire import TEXT


def test_no_log_above_debug_has_a_token_or_a_decoded_text(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    file = TokenFile(tmp_path / "tokens.json")
    given = file.create("viewer", "wall")
    with serving(tokens=file) as running:
        with connect(running.ws_url, compression=None) as ws:
            line = Line(ws)
            for token in ("a-token-that-is-wrong", given):
                ask(line, "authorize", token=token)
            ask(line, "subscribe", streams=["text"])
            running.publish(Message("text", encode(TEXT, 1, 1.0), 1.0))
            shown = json.loads(ws.recv(60))["params"]["top"][0]["text"]
            ask(line, "markBad", ch_names=["Cz"])
        with connect(running.ws_url) as ws:
            for _ in range(5):
                ask(Line(ws), "authorize", token="a-token-that-is-wrong")
            with pytest.raises(ConnectionClosed):
                ws.recv(60)
    _, sent = record(tmp_path)
    texts = {
        top["text"]
        for message in sent
        if message.stream == "text" and isinstance(message.body, str)
        for top in json.loads(message.body)["params"]["top"]
    }
    assert texts
    theirs = ("websockets.client", "matplotlib")  # the test's own client, not the service
    logged = [
        record.getMessage()
        for record in caplog.records
        if record.levelno > logging.DEBUG and not record.name.startswith(theirs)
    ]
    for secret in (TOKEN, given, "a-token-that-is-wrong", shown, *texts):
        assert not [message for message in logged if secret in message]
