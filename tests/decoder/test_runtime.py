"""What is asked of a running session is answered, however the session or who asked ends."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from pathlib import Path

import pytest

from decoder.control import Note, Pause
from decoder.journal import Journal
from decoder.log import EventLog
from decoder.runtime import Audience, Runtime
from decoder.server.hub import Message
from decoder.session import Session
from decoder.start import FRESH_START
from streaming.errors import SessionError
from streaming.ingest import Fed, FeedQueue
from streaming.lsl_clock import lsl_clock
from tests.decoder.tiny import SPEC, chunk, signal, tiny_model

DATA = signal()


@pytest.fixture
def queue() -> FeedQueue:
    return FeedQueue(max_times=10_000)


@pytest.fixture
def runtime(queue: FeedQueue, tmp_path: Path) -> Runtime:
    journal = Journal(tmp_path / "inputs.jsonl")
    journal.start(FRESH_START, 0.0)
    sent: list[Message] = []
    return Runtime(
        Session(tiny_model(), SPEC, "S", 1e9),
        queue,
        journal,
        EventLog(tmp_path / "events.jsonl", sent.append, lsl_clock),
        Audience(),
        lsl_clock,
    )


def late(asked: Future[None]) -> None:
    with pytest.raises(SessionError, match="Note was not done: the session has ended"):
        asked.result(timeout=20)


def test_what_is_asked_is_done_once_it_was_fed(runtime: Runtime) -> None:
    asked = runtime.control(Note("here"))
    running = threading.Thread(target=runtime.run)
    running.start()
    asked.result(timeout=20)
    runtime.stop()
    running.join(timeout=20)
    assert not running.is_alive()


def test_who_asks_as_the_session_ends_is_told(runtime: Runtime, queue: FeedQueue) -> None:
    queue.close()
    asked = runtime.control(Note("too late"))
    runtime.run()
    late(asked)
    late(runtime.control(Note("later still")))


def test_who_asks_while_the_decoder_fails_is_told(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        msg = "a bug"
        raise ZeroDivisionError(msg)

    monkeypatch.setattr(Session, "feed", fail)
    asked, next_asked = runtime.control(Note("a")), runtime.control(Note("b"))
    with pytest.raises(ZeroDivisionError):
        runtime.run()
    late(asked)
    late(next_asked)


def test_who_hangs_up_after_asking_does_not_end_the_decoder(
    runtime: Runtime, queue: FeedQueue, tmp_path: Path
) -> None:
    asked = runtime.control(Pause("and away"))
    assert asked.cancel()  # as a websocket does that is closed while it waits
    queue.put(Fed(chunk(DATA, 0, 50), 0, 1.0))
    running = threading.Thread(target=runtime.run)
    running.start()
    runtime.control(Note("the next")).result(timeout=20)
    queue.close()
    running.join(timeout=20)
    assert not running.is_alive()
    assert "and away" in (tmp_path / "inputs.jsonl").read_text()  # it holds nevertheless


def test_nobody_waits_for_ever_whenever_the_session_ends(
    runtime: Runtime, queue: FeedQueue
) -> None:
    running = threading.Thread(target=runtime.run)
    running.start()
    asked = [runtime.control(Note(str(n))) for n in range(20)]
    queue.close()
    asked += [runtime.control(Note(str(n))) for n in range(20, 200)]
    running.join(timeout=20)
    for one in asked:
        error = one.exception(timeout=20)
        assert error is None or isinstance(error, SessionError)
