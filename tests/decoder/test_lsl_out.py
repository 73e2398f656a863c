from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import threading
import uuid
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pylsl
import pytest

from decoder import client, lsl_out
from decoder.client import Latent, Text
from decoder.lsl_out import outlet_process, push, run_outlet, shift_of
from decoder.server import listener
from decoder.server.hub import Message
from streaming.lsl_clock import lsl_clock
from streaming.outlet import source_id_for
from tests.decoder.certificates import make_certificate, served_by
from tests.decoder.mocking import mocking
from tests.decoder.serving import serving
from tests.e2e.processes import children_of, wait_until_gone
from tests.streaming.loopback import Received

T_END = 12.5
N = 6


@pytest.mark.parametrize(
    ("measured", "shift"),
    [
        ([], 0.0),
        ([(0.001, 0.0004)], 0.0),  # the same clock, as far as can be known
        ([(0.1, 5.0), (0.001, 4.2), (0.2, 7.0)], 4.2),
        ([(0.001, -3.0)], -3.0),
    ],
)
def test_a_clock_is_another_one_only_where_it_must_be(
    measured: list[tuple[float, float]], shift: float
) -> None:
    assert shift_of(measured) == shift


def decode(seq: int, text: str) -> dict[str, Any]:
    top = [{"id": text, "text": text, "p": 0.5, "glyph": "🐈"}] if text else []
    return {"seq": seq, "top": top, "t_end": T_END + seq, "t_emit": T_END + seq}


def script(path: Path) -> Path:
    """Write a session of decodes and latents; every third decode is withheld."""
    lines = []
    for seq in range(1, N + 1):
        params = decode(seq, "" if seq % 3 == 0 else f"thing {seq}")
        lines.append({"jsonrpc": "2.0", "method": "text", "params": params})
        vector = np.array([seq, -0.5], "<f4").tobytes()
        header = {
            "stream": "latent",
            "decode_id": f"S/{seq}",
            "space": "labels",
            "model_id": "m",
            "t_end": T_END + seq,
            "n_dims": 2,
            "t_emit": T_END + seq,
            "base64": base64.b64encode(vector).decode(),
        }
        lines.append({"jsonrpc": "2.0", "method": "latent", "params": header})
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


class Pushed:
    """Keeps what was pushed."""

    def __init__(self) -> None:
        self.said: list[tuple[object, ...]] = []

    def push_decode(self, *decode: object) -> None:
        self.said.append(decode)

    def push_latent(self, vector: np.ndarray, *latent: object) -> None:
        self.said.append((*vector.tolist(), *latent))


def test_what_is_sent_is_of_the_newest_sample_on_our_clock() -> None:
    outlet = Pushed()
    text = decode(1, "cat")
    header = {"space": "labels", "model_id": "m", "t_end": T_END}
    for event in (Text(text), Latent(header, np.array([1, 2], "<f4").tobytes())):
        push(outlet, event, 0.5)  # type: ignore[arg-type]
    assert outlet.said == [
        ("cat", json.dumps(text, ensure_ascii=False), T_END + 0.5),
        (1.0, 2.0, "labels", "m", T_END - 0.5),
    ]


def test_the_outlet_is_a_client_of_the_service_and_follows_its_clock(tmp_path: Path) -> None:
    name, stop = f"decodes-{uuid.uuid4()}", threading.Event()
    beats: list[int] = []
    with mocking(script(tmp_path / "S.jsonl"), speed=1.0) as (mock, url):
        operator = client.connect(url, ())
        operator.control("pause")

        async def run() -> None:
            await run_outlet(url, name, stop, lambda: beats.append(1))

        sending = threading.Thread(target=lambda: asyncio.run(run()))
        sending.start()

        try:
            source_id = source_id_for(name, "decodes")
            (info,) = pylsl.resolve_byprop("source_id", source_id, timeout=60)
            got = Received(info, N)
            got.start()
            operator.control("resume")
            got.join()
        finally:
            stop.set()
            sending.join()
            operator.close()
        ahead = mock.clock() - lsl_clock()
    texts = [row[0] for row in got.rows]
    assert texts == ["thing 1", "thing 2", "", "thing 4", "thing 5", ""]
    expected = T_END + np.arange(1, N + 1) - ahead
    np.testing.assert_allclose(got.stamps, expected, atol=5.0)
    assert beats


def wait_until(done: Callable[[], bool]) -> None:
    while not done():
        threading.Event().wait(0.01)


def test_it_reads_an_encrypted_service_also_when_its_certificate_was_renewed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "_TICKS", 1)
    monkeypatch.setattr(lsl_out, "BEAT", 0.05)
    monkeypatch.setattr(client, "WAITS", (0.05,))
    name, stop = f"decodes-{uuid.uuid4()}", threading.Event()
    certificate = make_certificate(tmp_path / "one", "one")
    other = make_certificate(tmp_path / "two", "two")
    with serving(certificate=certificate) as server:
        url = server.url.replace("http:", "https:")
        sending = threading.Thread(
            target=lambda: asyncio.run(
                run_outlet(url, name, stop, certificate=certificate.cert)
            )
        )
        sending.start()
        try:
            source_id = source_id_for(name, "decodes")
            (info,) = pylsl.resolve_byprop("source_id", source_id, timeout=60)
            got = Received(info, 2)
            got.start()

            def say(n: int) -> None:
                wait_until(lambda: server.hub.wants("text"))
                message = {"method": "text", "params": decode(n, f"thing {n}")}
                server.publish(Message("text", json.dumps(message), 1.0, seq=n))
                wait_until(lambda: len(got.rows) == n)

            say(1)
            first = served_by(server.port)
            other.key.replace(certificate.key)
            other.cert.replace(certificate.cert)
            wait_until(lambda: served_by(server.port) != first)
            server.cut()
            wait_until(lambda: not server.hub.wants("text"))
            say(2)
            got.join()
        finally:
            stop.set()
            sending.join()
    assert [row[0] for row in got.rows] == ["thing 1", "thing 2"]


@pytest.mark.slow
def test_one_that_is_killed_is_followed_by_another_and_the_service_goes_on(
    tmp_path: Path,
) -> None:
    name = f"decodes-{uuid.uuid4()}"
    source_id = source_id_for(name, "decodes")
    with (
        mocking(script(tmp_path / "S.jsonl"), speed=1.0) as (_, url),
        client.connect(url, ("text",)) as watching,
    ):
        watching.control("pause")
        with outlet_process(url, name):
            (info,) = pylsl.resolve_byprop("source_id", source_id, timeout=60)
            first = Received(info, N)
            first.start()
            (child, *_) = children_of(os.getpid(), "outlet")
            os.kill(child, signal.SIGKILL)
            assert wait_until_gone([child])
            first.join()
            (info,) = pylsl.resolve_byprop("source_id", source_id, timeout=60)
            second = Received(info, N)
            second.start()
            watching.control("resume")
            second.join()
        assert not children_of(os.getpid(), "outlet")
        seen = [event.params["seq"] for event in islice(watching, N)]
    assert len(second.rows) == N
    assert seen == sorted(set(seen))
