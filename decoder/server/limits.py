"""How much one address may ask of us."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence

from decoder.listening import is_loopback

__all__ = ["MAX_CONNECTIONS", "Limits", "crowded", "make_room"]

MAX_CONNECTIONS = 1024
"""Connections of all kinds that are open at once; requests beyond are answered with 503."""

MAX_WEBSOCKETS = 512
"""Websockets that are open at once."""

PER_ADDRESS = 32
"""How many of them one other machine may have; this one may have all."""

CONNECTIONS_PER_ADDRESS = 100
"""Connections of all kinds that one other machine may have."""

_SPARE = 256
"""Files that are kept for all else: those of the session, models, and other processes."""

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


def crowded(addresses: Sequence[str], address: str, most: int) -> bool:
    """Whether the last connection is one too many.

    Parameters
    ----------
    addresses : sequence of str
        Of all connections that are open, also of the last.
    address : str
        Of the last.
    most : int
        How many there may be.
    """
    too_many = len(addresses) > most
    return too_many or (
        addresses.count(address) > CONNECTIONS_PER_ADDRESS and not is_loopback(address)
    )


def make_room() -> int:
    """Let this process have more files open, if it may; return how many connections fit.

    Most systems let a process have 1,024 files open. Once strangers held them all, neither
    could others connect, nor the session open a file of its own.
    """
    if os.name != "posix":
        return MAX_CONNECTIONS
    import resource  # not on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + _SPARE
    if 0 <= soft < wanted:  # below 0: as many as one likes
        soft = wanted if hard < 0 else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return MAX_CONNECTIONS if soft < 0 else min(MAX_CONNECTIONS, max(soft - _SPARE, soft // 2))
