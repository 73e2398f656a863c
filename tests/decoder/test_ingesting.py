"""Taking in goes on without a recording where one cannot be made any more."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from decoder import ingesting, taking
from decoder.config import Config
from decoder.folder import create_folder
from decoder.ingesting import ingest_process, run_ingest
from streaming.errors import SessionError
from streaming.link_feed import LinkFeed
from streaming.signal import Chunk, SourceState
from streaming.sources.source import Item
from tests.decoder.tiny import SPEC, chunk, signal
from tests.streaming.test_ingest import ListSource


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield sock


class Amplifier(ListSource):
    """A source that goes on until it is closed."""

    def __init__(self) -> None:
        super().__init__([])
        self.spec, self.to_si = SPEC, (1.0,) * 3
        self._ten, self._first = chunk(signal(10), 0, 10), 0

    def read(self, timeout: float) -> Item | None:
        threading.Event().wait(min(timeout, 0.01))
        first, self._first = self._first, self._first + 10
        return replace(self._ten, first=first)


@pytest.fixture(autouse=True)
def participant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking, "open_source", lambda *_: Amplifier())


def test_the_first_recording_must_be_made(sock: socket.socket, tmp_path: Path) -> None:
    path = tmp_path / "gone" / "raw.xdf"
    with pytest.raises(SessionError, match="cannot record to"):
        run_ingest(Config(), path, "raw.xdf", sock, "token", threading.Event())


def test_a_later_one_need_not_be_and_that_is_said(sock: socket.socket, tmp_path: Path) -> None:
    path, stop = tmp_path / "gone" / "raw-2.xdf", threading.Event()
    thread = threading.Thread(
        target=lambda: run_ingest(Config(), path, "raw-2.xdf", sock, "token", stop, part=2)
    )
    thread.start()
    feed = LinkFeed(sock.getsockname()[:2], "token")
    items: list[Item] = []
    try:
        while not any(isinstance(item, Chunk) for item in items):
            fed = feed.get(0.1)
            items += [fed.item] if fed is not None else []
    finally:
        stop.set()
        feed.close()
        thread.join(30)
    states = [i for i in items if isinstance(i, SourceState) and i.what == "recorder"]
    assert [state.state for state in states] == ["failed"]
    assert "cannot record to" in states[0].detail


def test_who_is_stopped_waits_for_no_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spawn(*_: object, **__: object) -> subprocess.Popen[bytes]:
        silent = ["sh", "-c", "read begin; read end"]  # looks for a stream until its input ends
        return subprocess.Popen(silent, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    monkeypatch.setattr(ingesting, "spawn", spawn)
    folder = create_folder(tmp_path, "one", Config())
    stopped = threading.Event()
    stopped.set()
    with pytest.raises(SystemExit) as stop, ingest_process(folder, stopped):
        pass
    assert stop.value.code == 0
