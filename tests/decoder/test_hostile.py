"""Whatever is sent, the server answers or closes, tells strangers nothing, and goes on.

``python -m benchmarks fuzz`` does the same to a service that decodes, a hundred times as often.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import _attack
from benchmarks._hostile import FRAMES, HANDSHAKES, drawn, requests, token_guesses
from decoder.server import protocol
from decoder.tokens import TokenFile
from tests.decoder.asking import ask, authorized
from tests.decoder.serving import TOKEN, Serving, serving

TEXTS = drawn(requests, 800 // _attack.BATCH)
GUESSES = drawn(token_guesses, 25)


@pytest.fixture(scope="module")
def roles(tmp_path_factory: pytest.TempPathFactory) -> tuple[TokenFile, list[str | None]]:
    """Return a file of tokens, and one of each role; None has no token."""
    made = TokenFile(tmp_path_factory.mktemp("tokens") / "tokens.json")
    return made, [None, made.create("viewer", "v"), made.create("participant", "p"), TOKEN]


@pytest.fixture(scope="module")
def server(roles: tuple[TokenFile, list[str | None]]) -> Iterator[Serving]:
    with serving(tokens=roles[0]) as running:
        yield running


@pytest.fixture(autouse=True)
def unharmed(server: Serving, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """After each attack others are still served, and nothing was printed for a stranger."""
    with authorized(server) as line:
        yield
        assert "t_lsl" in ask(line, "time")["result"]
    bad = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert bad == []


def test_hostile_messages_are_answered_in_every_role(
    server: Serving, roles: tuple[TokenFile, list[str | None]]
) -> None:
    came = _attack.messages(server.port, roles[1], TEXTS)
    assert came["sent"] >= 700
    assert came["UNAUTHORIZED"] > 0
    assert came["FORBIDDEN"] > 0


def test_no_guess_is_a_token(server: Serving) -> None:
    assert _attack.tokens(server.port, GUESSES).total() == len(GUESSES)


def test_malformed_frames_close_the_connection(
    server: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _attack.frames(server.port).total() == len(FRAMES)


def test_wrong_openings_lead_nowhere(server: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "PATIENCE", 0.5)
    assert _attack.handshakes(server.port).total() == len(HANDSHAKES)


def test_paths_lead_to_nothing_without_a_token(server: Serving) -> None:
    wrong = ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", TOKEN]
    assert _attack.paths(server.port, wrong).total() > 50


def test_who_holds_connections_open_keeps_nobody_out(
    server: Serving, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(protocol, "PATIENCE", 0.5)
    came = _attack.hold_open(server.port, 20, 1.0)
    assert came["good clients in between"] >= 1
    assert came["hung up on"] == 20


def test_what_the_document_of_rest_says_is_so(server: Serving) -> None:
    came = _attack.described(server.port, TOKEN, 5)
    assert {"HTTP 200", "HTTP 401", "HTTP 404"} <= set(came)
