from __future__ import annotations

import errno
import io
import json
from pathlib import Path
from typing import Any

import pytest

from decoder.events import GapFound, State
from decoder.journal import Journal
from decoder.lines import LineFile
from decoder.log import EventLog
from decoder.runtime import Audience, Runtime
from decoder.server.hub import Message
from decoder.session import Session
from streaming.errors import SessionError
from streaming.ingest import Fed, FeedQueue
from streaming.signal import Gap
from tests.decoder.tiny import SPEC, chunk, signal, tiny_model

ROOM = 300


class SmallDisk(io.FileIO):
    """Takes part of a line before it is full."""

    def write(self, data: memoryview) -> int:  # type: ignore[override]
        if self.tell() >= ROOM:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data[: ROOM - self.tell()])


@pytest.fixture
def small_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Path.open

    def small(path: Path, mode: str = "r", *args: Any, **options: Any) -> Any:
        return SmallDisk(path, mode) if mode == "ab" else whole(path, mode, *args, **options)

    monkeypatch.setattr(Path, "open", small)


@pytest.mark.usefixtures("small_disk")
def test_a_line_that_does_not_fit_is_taken_back_and_said_once(tmp_path: Path) -> None:
    file = LineFile(tmp_path / "lines")
    file.write("a" * 200)
    with pytest.raises(SessionError, match=r"lines stopped \(No space left"):
        file.write("b" * 200)
    file.write("c")
    file.close()
    assert (tmp_path / "lines").read_text() == "a" * 200 + "\n"


@pytest.mark.usefixtures("small_disk")
def test_decoding_goes_on_without_a_record_and_says_so(tmp_path: Path) -> None:
    queue = FeedQueue(10_000)
    for n in range(20):
        queue.put(Fed(chunk(signal(), 50 * n, 50 * n + 50), 50 * n, 0.0))
    queue.close()
    sent: list[Message] = []
    log = EventLog(tmp_path / "events.jsonl", sent.append, lambda: 1.0)
    journal = Journal(tmp_path / "inputs.jsonl")
    runtime = Runtime(
        Session(tiny_model(), SPEC, "S"), queue, journal, log, Audience(), lambda: 1.0
    )
    runtime.run()
    said = [m for m in sent if m.retain == "recorder"]
    assert len(said) == 1
    assert runtime.states["recorder"].state == "failed"
    assert isinstance(runtime.states["decoder"], State)
    assert runtime.states["decoder"].state == "ready"
    for name in ("inputs.jsonl", "events.jsonl"):
        for line in (tmp_path / name).read_text().splitlines():
            json.loads(line)


def test_who_subscribes_after_a_restart_is_told_what_was_missed(tmp_path: Path) -> None:
    sent: list[Message] = []
    log = EventLog(tmp_path / "events.jsonl", sent.append, lambda: 1.0)
    log.emit(GapFound(Gap(0.0, 0.5, "lost")))
    log.emit(GapFound(Gap(2.0, 3.0, "restart")))
    log.close()
    assert [m.retain for m in sent] == ["", "restart"]
