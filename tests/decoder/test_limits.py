from __future__ import annotations

import resource

import pytest

from decoder.server import limits
from decoder.server.limits import (
    BURST,
    CONNECTIONS_PER_ADDRESS,
    MAX_CONNECTIONS,
    MAX_WEBSOCKETS,
    PER_ADDRESS,
    RATE,
    Limits,
    crowded,
    make_room,
)

OTHER = "192.0.2.7"


def test_another_machine_has_only_so_many_websockets() -> None:
    doors = Limits()
    for _ in range(PER_ADDRESS):
        assert doors.enter(OTHER) == ""
    assert "close one" in doors.enter(OTHER)
    assert doors.enter("192.0.2.8") == ""
    doors.leave(OTHER)
    assert doors.enter(OTHER) == ""


def test_there_are_only_so_many_at_all() -> None:
    doors = Limits()
    for _ in range(MAX_WEBSOCKETS):
        assert doors.enter("127.0.0.1") == ""
    assert "try later" in doors.enter("127.0.0.1")
    doors.leave("127.0.0.1")
    assert doors.enter("::1") == ""


def test_another_machine_may_ask_only_so_often() -> None:
    doors = Limits()
    assert BURST - 1 <= sum(doors.ask(OTHER, 0.0) for _ in range(1000)) <= BURST
    assert 1 <= sum(doors.ask(OTHER, 1.5 / RATE) for _ in range(10)) <= 2
    assert doors.ask("192.0.2.8", 0.0)
    assert all(doors.ask("127.0.0.1", 0.0) for _ in range(1000))


def test_addresses_are_forgotten() -> None:
    doors = Limits()
    for n in range(2 * limits._MAX_KNOWN):
        assert doors.ask(f"2001:db8::{n:x}", float(n))
    assert len(doors._due) <= limits._MAX_KNOWN


def test_connections_are_counted_at_all_and_of_another_machine() -> None:
    theirs = [OTHER] * CONNECTIONS_PER_ADDRESS
    assert not crowded(theirs, OTHER, MAX_CONNECTIONS)
    assert crowded([*theirs, OTHER], OTHER, MAX_CONNECTIONS)
    assert not crowded([*theirs, OTHER, "192.0.2.8"], "192.0.2.8", MAX_CONNECTIONS)
    ours = ["127.0.0.1"] * MAX_CONNECTIONS
    assert not crowded(ours, "127.0.0.1", MAX_CONNECTIONS)
    assert crowded([*ours, "127.0.0.1"], "127.0.0.1", MAX_CONNECTIONS)


@pytest.mark.parametrize(
    ("soft", "hard", "asked", "fit"),
    [
        (1024, 524_288, (1280, 524_288), 1024),
        (256, resource.RLIM_INFINITY, (1280, resource.RLIM_INFINITY), 1024),  # macOS
        (1024, 1024, (1024, 1024), 768),
        (256, 256, (256, 256), 128),
        (20_000, 20_000, None, 1024),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, None, 1024),
    ],
)
def test_strangers_cannot_hold_all_files_that_a_process_may_open(
    soft: int,
    hard: int,
    asked: tuple[int, int] | None,
    fit: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limit: said.append(limit))
    assert make_room() == fit
    assert said == ([] if asked is None else [asked])
