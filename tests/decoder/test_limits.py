from __future__ import annotations

from decoder.server import limits
from decoder.server.limits import BURST, MAX_WEBSOCKETS, PER_ADDRESS, RATE, Limits

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
