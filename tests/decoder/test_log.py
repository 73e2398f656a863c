from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from decoder.events import Event, GapFound, Latency, Overrun, Signal, State
from decoder.lines import LineFile
from decoder.log import EventLog
from decoder.server.hub import Message
from streaming.errors import SessionError
from streaming.signal import Gap


def test_an_event_is_in_the_log_before_it_is_published(tmp_path: Path) -> None:
    path, sent = tmp_path / "events.jsonl", list[Message]()

    def publish(message: Message) -> None:
        assert path.read_text().splitlines()[-1] == message.body
        sent.append(message)

    with closing(EventLog(path, publish, lambda: 2.0, last_seq=4)) as log:
        log.emit(Overrun(100, 1.0))
        log.emit(Overrun(200, 2.0))
    assert [message.seq for message in sent] == [5, 6]
    assert all(message.logged for message in sent)


def test_signal_and_latency_are_published_alone(tmp_path: Path) -> None:
    path, sent = tmp_path / "events.jsonl", list[Message]()
    with closing(EventLog(path, sent.append, lambda: 2.0)) as log:
        log.emit(Latency({}, 0, 0, 0))
        log.emit(Signal(np.zeros((1, 1), np.float32), 1.0, 100.0))
    assert path.read_text() == ""
    assert [message.seq for message in sent] == [0, 0]


def test_who_comes_late_is_told_how_things_stand_and_a_stop_purges(tmp_path: Path) -> None:
    events: list[Event] = [
        State("source", "live", 1.0, ""),
        State("session", "stopped", 1.0, ""),
        GapFound(Gap(1.0, 0.5, "restart")),
        GapFound(Gap(1.0, 0.5, "lost")),
    ]
    sent = list[Message]()
    with closing(EventLog(tmp_path / "events.jsonl", sent.append, lambda: 2.0)) as log:
        for event in events:
            log.emit(event)
    assert [message.retain for message in sent] == ["source", "session", "restart", ""]
    assert [message.purges for message in sent] == [False, True, False, False]


def test_when_the_disk_fails_events_are_still_published_and_marked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: LineFile, line: str) -> None:
        raise SessionError("full")

    sent = list[Message]()
    with closing(EventLog(tmp_path / "events.jsonl", sent.append, lambda: 2.0)) as log:
        log.emit(Overrun(100, 1.0))
        monkeypatch.setattr(LineFile, "write", fail)
        log.emit(Overrun(200, 1.0))
        assert log.failure == "full"
    assert [(m.seq, m.logged) for m in sent] == [(1, True), (2, False)]
