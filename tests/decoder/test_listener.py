"""Encryption, and certificates that are renewed while serving."""

from __future__ import annotations

import json
import ssl
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

from decoder.server import listener
from decoder.server.certificate import Certificate
from decoder.server.hub import Message
from tests.decoder.asking import Line, ask
from tests.decoder.certificates import make_certificate, served_by
from tests.decoder.serving import TOKEN, serving


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return make_certificate(tmp_path / "one", "one")


def test_all_is_encrypted_and_a_renewed_certificate_is_taken(
    certificate: Certificate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_certificate(tmp_path / "two", "two")
    monkeypatch.setattr(listener, "_TICKS", 1)
    with serving(certificate=certificate) as running:
        trust = ssl.create_default_context(cafile=str(certificate.cert))
        url = f"https://127.0.0.1:{running.port}/healthz"
        assert httpx.get(url, verify=trust).json()["status"] == "ok"
        with pytest.raises(httpx.HTTPError):
            httpx.get(url.replace("https", "http"))
        with connect(running.ws_url.replace("ws:", "wss:"), ssl=trust) as ws:
            for _ in range(3):
                assert ask(Line(ws), "authorize", token=TOKEN)["result"]["role"] == "operator"
            ask(Line(ws), "subscribe", streams=["text"])
            for _ in range(3):
                running.publish(Message("text", '{"method":"text"}', 1.0))
                assert json.loads(ws.recv(60))["method"] == "text"
        first = served_by(running.port)
        other.key.replace(certificate.key)
        other.cert.replace(certificate.cert)
        while served_by(running.port) == first:
            pass
        assert served_by(running.port) == certificate.cert.read_text()
