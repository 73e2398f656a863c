"""How much one address may ask of us."""

from __future__ import annotations

from collections import Counter

from decoder.listening import is_loopback

__all__ = ["MAX_CONNECTIONS", "Limits"]

MAX_CONNECTIONS = 1024
"""Connections of all kinds that are open at once; requests beyond are answered with 503."""

MAX_WEBSOCKETS = 512
"""Websockets that are open at once."""

PER_ADDRESS = 32
"""How many of them one other machine may have; this one may have all."""

RATE, BURST = 50.0, 100
"""REST requests a second of one other machine, and how many at once."""

_MAX_KNOWN = 10_000


class Limits:
    """Counts the websockets and the requests of each address.

    This machine is not limited as others are: what runs on it may be a proxy, or a hundred
    clients in a test. A proxy that names its clients (``X-Forwarded-For``) is one address for
    each of them.
    """

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()
        self._due: dict[str, float] = {}

    def enter(self, address: str) -> str:
        """Count a websocket; returns why it may not be opened, or nothing."""
        if self._open.total() >= MAX_WEBSOCKETS:
            return f"{MAX_WEBSOCKETS} websockets are open: close one, or try later"
        if self._open[address] >= PER_ADDRESS and not is_loopback(address):
            return f"{address} has {PER_ADDRESS} websockets open: close one"
        self._open[address] += 1
        return ""

    def leave(self, address: str) -> None:
        """Count one that was closed."""
        self._open[address] -= 1
        if not self._open[address]:
            del self._open[address]

    def ask(self, address: str, now: float) -> bool:
        """Whether a request may be answered that comes `now`, in seconds of any clock."""
        if is_loopback(address):
            return True
        if len(self._due) >= _MAX_KNOWN:  # those who are due long since need not be known
            self._due = {a: due for a, due in self._due.items() if due > now - BURST / RATE}
        earliest = now - BURST / RATE
        due = max(self._due.get(address, earliest), earliest) + 1 / RATE
        if due > now:
            return False
        self._due[address] = due
        return True
