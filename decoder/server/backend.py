"""What the application stands on: the running session, as far as clients may touch it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from decoder.finished import Sessions
from decoder.server.audit import AuditLog
from decoder.server.auth import Access
from decoder.server.hub import Hub
from decoder.server.steering import Steering
from decoder.server.turns import Turns, all_turns
from streaming.lsl_clock import Clock

if TYPE_CHECKING:
    from decoder.server.methods import Peer

__all__ = ["Backend"]


@dataclass(frozen=True, slots=True)
class Backend:
    """What the application serves.

    Parameters
    ----------
    hub : Hub
        Where events come from.
    access : Access
        Who is let in.
    session_id : str
        Answered to `authorize`.
    describe : callable
        Returns the body of ``/v1/session``.
    candidates : callable
        Returns the body of ``/v1/candidates``.
    picture : callable
        Given the id of a candidate, returns its picture, a JPEG; empty if it has none.
    not_ready : callable
        Returns why the service is not ready; empty if it is.
    steering : Steering
        Takes what clients tell the session.
    clock : Clock
        LSL's.
    events : Path
        The log, from which clients resume.
    not_alive : callable
        Returns why the service has to be started again; empty if it has not.
    models : callable
        Returns the body of ``/v1/models``.
    sessions : Sessions
        Those that are over.
    scrape : callable
        Returns the body of ``/metrics``.
    audit : AuditLog
        Who did what.
    peers : set of Peer
        Who is connected.
    turns : Turns
        When requests are answered.
    """

    hub: Hub
    access: Access
    session_id: str
    describe: Callable[[], dict[str, Any]]
    candidates: Callable[[], list[dict[str, Any]]]
    not_ready: Callable[[], str]
    steering: Steering
    clock: Clock
    events: Path
    not_alive: Callable[[], str] = str
    picture: Callable[[str], bytes] = lambda _: b""
    models: Callable[[], list[dict[str, Any]]] = list
    sessions: Sessions = field(default_factory=lambda: Sessions(None, ""))
    scrape: Callable[[], bytes] = bytes
    audit: AuditLog = field(default_factory=lambda: AuditLog(None))
    peers: set[Peer] = field(default_factory=set)
    turns: Turns = field(default_factory=all_turns)
