"""A whole session that people steer: stopped, paused, given other words and another model."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pyxdf
from websockets.sync.client import ClientConnection, connect

from decoder.folder import open_folder
from decoder.verify import verify_session
from models.checkpoint import save_model
from streaming.lsl_clock import lsl_clock
from streaming.outlet import MarkerOutlet
from streaming.window import SlidingWindows
from tests.decoder.tiny import tiny_model
from tests.e2e.processes import PATIENCE, Process, braincast, children_of
from tests.e2e.test_supervision import Amplifier

MODEL = tiny_model(SlidingWindows(duration=0.5, hop=0.2))


class Operator:
    """Asks, and keeps what comes between the answers."""

    def __init__(self, ws: ClientConnection, token: str) -> None:
        self._ws = ws
        self._n = 0
        self.events: list[dict[str, Any]] = []
        self.hello = self.ask("authorize", token=token)["result"]
        self.ask("subscribe", streams=["text", "state", "markers"])

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        self._n += 1
        request = {"jsonrpc": "2.0", "id": self._n, "method": method, "params": params}
        self._ws.send(json.dumps(request))
        while (message := self._receive()).get("id") != self._n:
            self.events.append(message)
        return message

    def control(self, action: str, **params: Any) -> Any:
        answer = self.ask("control", action=action, **params)
        return answer["result"]["state"] if "result" in answer else answer["error"]

    def until(self, method: str, **fields: Any) -> dict[str, Any]:
        """Wait for an event with these fields; it and those before it are taken."""
        while True:
            message = self.events.pop(0) if self.events else self._receive()
            params: dict[str, Any] = message.get("params", {})
            if message.get("method") == method and fields.items() <= params.items():
                return params

    def _receive(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._ws.recv(PATIENCE))
        return message


@contextmanager
def operator(address: str) -> Iterator[Operator]:
    place, token = address.split("/#token=")
    with connect(place.replace("http", "ws") + "/v1/ws", open_timeout=PATIENCE) as ws:
        yield Operator(ws, token)


def crash(serve: Process, command: str) -> None:
    """Kill the process that works; another waits to be the next."""
    os.kill(children_of(serve.pid, command)[0], signal.SIGKILL)


def footers(path: Path) -> int:
    streams, _ = pyxdf.load_xdf(path, synchronize_clocks=False)
    return sum("footer" in stream and bool(stream["footer"]) for stream in streams)


@pytest.mark.slow
def test_a_session_that_people_steer(tmp_path: Path) -> None:
    name = f"test-{uuid4().hex}"
    save_model(MODEL, tmp_path / "first")
    save_model(replace(MODEL, temperature=0.05), tmp_path / "second")
    stop_file = tmp_path / "stop"
    amplifier, markers = Amplifier(name), MarkerOutlet(f"{name} steering")
    models = ("--model", tmp_path / "first", "--model", tmp_path / "second")
    takes = ("--name", name, "--markers", f"{name} steering", "--record", tmp_path / "sessions")
    more = ("--stop-file", stop_file, "--port", "0", "--freshness", "60")
    try:
        with braincast("serve", *models, *takes, *more) as serve:
            address = serve.line()
            (session,) = (tmp_path / "sessions").iterdir()
            with operator(address) as me:
                steer(me)
            crash(serve, "decode")
            with operator(address) as me:
                assert me.hello["blind"] is True
                decode = me.until("text", abstained="")
                assert decode["candidates_version"] == 4
                assert me.control("blind", on=False) == "decoding"
                stop_and_resume(me, session, stop_file, markers, serve)
            assert serve.interrupt() == 0
    finally:
        amplifier.close()
    verdict = verify_session(session)
    assert verdict.difference == ""
    assert verdict.n_equal > 30
    assert open_folder(session).model.name == MODEL.model_id[:16]


def steer(me: Operator) -> None:
    """Do all that changes decodes, and see that it did."""
    first = me.until("text", abstained="")
    assert (first["candidates_version"], first["calibrated"]) == (1, True)

    words = [{"id": "house"}, {"id": "face", "glyph": "F"}]
    set_to = me.ask("setCandidates", candidates=words)["result"]
    assert (set_to["candidates_version"], set_to["n_candidates"]) == (2, 2)
    decode = me.until("text", candidates_version=2, abstained="")
    assert (decode["candidates_hash"], decode["calibrated"]) == (
        set_to["candidates_hash"],
        False,
    )
    refused = me.ask("setCandidates", candidates=[{"id": "cat"}, {"id": "dog"}])["error"]
    assert (refused["code"], "'cat' is not one of the model's" in refused["message"]) == (
        -32602,
        True,
    )

    assert me.control("pause") == "paused"
    assert me.until("text", abstained="paused")["top"] == []
    assert me.control("resume") == "decoding"
    me.until("text", abstained="")

    assert me.control("swapModel", model="third")["code"] == -32602
    assert me.control("swapModel", model="second") == "decoding"
    assert me.until("text", candidates_version=3)["model_id"] != first["model_id"]
    assert me.control("rollBack") == "decoding"
    assert me.until("text", candidates_version=4)["model_id"] == first["model_id"]
    assert me.control("rollBack")["code"] == -32602

    t = me.ask("injectMarker", label="face")["result"]["t"]
    assert me.until("markers", label="face")["t"] == t
    assert me.control("note", text="he moved") == "decoding"
    assert me.until("state", what="note")["detail"] == "he moved"
    assert me.control("blind", on=True) == "decoding"
    me.until("state", what="blind", state="on")


def stop_and_resume(
    me: Operator, session: Path, stop_file: Path, markers: MarkerOutlet, serve: Process
) -> None:
    """Stop in each way, and see that nothing is decoded or recorded until somebody resumes."""
    for how in ("request", "file", "marker"):
        me.until("text", abstained="")
        recording = max(session.glob("raw*.xdf"), key=lambda path: path.stat().st_mtime_ns)
        if how == "request":
            assert me.control("stop", reason="I want to go") == "stopped"
        elif how == "file":
            stop_file.touch()
        else:
            markers.push("braincast.stop", lsl_clock())
        stopped = me.until("state", what="session", state="stopped")
        me.events.clear()
        assert me.control("pause")["code"] == -32004
        purged = me.ask("subscribe", streams=["text"], from_seq=1)["error"]
        assert purged["code"] == -32005
        if how == "request":
            assert stopped["detail"] == "I want to go"
        if how == "file":
            assert "remove it" in me.control("resume")["message"]
            stop_file.unlink()
            crash(serve, "ingest")  # which comes again, and does not begin to record
            me.until("state", what="source", state="lost")
        assert (session / "stopped").exists()
        assert not [event for event in me.events if event["method"] in {"text", "markers"}]
        assert me.control("resume") == "decoding"
        me.until("state", what="session", state="decoding")
        gap = me.until("state", what="gap", reason="stopped")
        assert gap["duration"] > 0
        if how != "file":  # by now, since another recording began after it
            assert footers(recording) > 0
    me.until("text", abstained="")
    assert not (session / "stopped").exists()
    assert len(list(session.glob("raw*.xdf"))) == 4
