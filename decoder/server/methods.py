"""The methods that clients may call: a table of small functions."""

from __future__ import annotations

import base64
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
from pydantic import BaseModel

from decoder.control import MarkBad, Word
from decoder.server import messages, wire
from decoder.server.auth import Grant, Role
from decoder.server.backend import Backend
from decoder.server.hub import Client
from decoder.server.images import Encoding
from decoder.server.resuming import lost
from decoder.server.rpc import Code, RpcError

__all__ = ["METHODS", "Method", "Peer"]


@dataclass(slots=True, eq=False)
class Peer:
    """Who calls.

    Parameters
    ----------
    backend : Backend
        What is served.
    client : Client
        Its queues.
    resume : callable
        Begins to send what the client resumes, from this event of the log on.
    address : str
        Where it is.
    grant : Grant or None
        What its token made of it; None before `authorize`.
    n_wrong : int
        How many wrong tokens it sent.
    revoked : Event
        Set when its token holds no more.
    """

    backend: Backend
    client: Client
    resume: Callable[[int], None]
    address: str = ""
    grant: Grant | None = None
    n_wrong: int = 0
    revoked: anyio.Event = field(default_factory=anyio.Event)

    @property
    def role(self) -> Role | None:
        """What it may do; None before `authorize`."""
        return None if self.grant is None else self.grant.role

    def audit(self, method: str, outcome: str | int) -> None:
        """Write down what it did."""
        self.backend.audit.write(self.grant, self.address, method, outcome)


@dataclass(frozen=True, slots=True)
class Method:
    """A method, as the connection and the documents need it.

    Parameters
    ----------
    params, result : type of BaseModel
        What it takes and gives.
    call : callable
        Takes a `Peer` and `params`; returns `result`, or raises `RpcError`.
    role : Role or None
        The least that may call it; None if `authorize` may come later.
    then : callable or None
        Called with the same once the answer was sent, so that it comes before what follows.
    apart : bool
        It may take long: other requests of the same client are answered meanwhile.
    """

    params: type[BaseModel]
    result: type[BaseModel]
    call: Callable[[Peer, Any], Awaitable[BaseModel]]
    role: Role | None = "viewer"
    then: Callable[[Peer, Any], None] | None = None
    apart: bool = False


async def authorize(peer: Peer, params: messages.Authorize) -> messages.Authorized:
    """Let a client in."""
    backend = peer.backend
    granted = backend.access.grant(params.token)
    if granted is None:
        peer.n_wrong += 1
        msg = "wrong token" if params.token else "a token is needed: it was printed at start"
        raise RpcError(Code.UNAUTHORIZED, msg)
    peer.grant = granted
    return messages.Authorized(
        session=backend.session_id,
        protocol=wire.PROTOCOL,
        role=granted.role,
        last_seq=backend.hub.last_seq,
        blind=backend.steering.blind,
        **_times(peer),
    )


async def tell_time(peer: Peer, _: messages.Nothing) -> messages.Times:
    """Say what the clocks read."""
    return messages.Times(**_times(peer))


def _times(peer: Peer) -> dict[str, float]:
    # Unix time is for people and for logs elsewhere; nothing here computes with it.
    return {"t_lsl": peer.backend.clock(), "t_unix": time.time()}


async def subscribe(peer: Peer, params: messages.Subscribe) -> messages.Subscribed:
    """Say which of the streams there are, and from where on; `follow` begins."""
    known = ", ".join(wire.STREAMS)
    problem = f"no such stream; there are {known}"
    seq, hub = params.from_seq, peer.backend.hub
    if seq is None:
        return _subscribed(params.streams, _there(params), problem)
    if peer.client.resuming:
        raise RpcError(Code.BUSY, "you are still getting events from the log")
    if seq < hub.purged:
        msg = f"the participant stopped at {hub.purged}: what was before is not given out again"
        raise RpcError(Code.PURGED, msg)
    if seq > hub.last_seq + 1:
        msg = f"from_seq is {seq}, but the log ends with {hub.last_seq}: was it this session?"
        raise RpcError(Code.INVALID_PARAMS, msg)
    problem += "; signal and latency are not logged, so they cannot be resumed"
    answer = _subscribed(params.streams, _there(params), problem)
    missed = lost(hub, seq)
    first = seq if seq <= hub.last_logged else hub.last_seq + 1
    return answer.model_copy(update={"resumed_from": first, "missed": missed})


def follow(peer: Peer, params: messages.Subscribe) -> None:
    """Begin to send streams, with what a client that comes late must know."""
    client, good = peer.client, _there(params)
    if "image" in good:
        client.pictures = Encoding(params.format, params.encoding)
    if params.from_seq is not None:
        for name in good:
            client.leave(name)
        client.resuming = set(good)  # another set: what was resumed before has ended
        peer.resume(params.from_seq)
        return
    client.follow(good, params.policy, params.rate or 1.0)
    peer.backend.hub.tell(client, good)


async def unsubscribe(peer: Peer, params: messages.Unsubscribe) -> messages.Subscribed:
    """Send streams no more."""
    gone = [name for name in params.streams if peer.client.leave(name)]
    return _subscribed(params.streams, gone, "not subscribed")


def _there(params: messages.Subscribe) -> list[str]:
    there = wire.STREAMS if params.from_seq is None else wire.LOGGED
    return [name for name in params.streams if name in there]


def _subscribed(asked: list[str], good: list[str], problem: str) -> messages.Subscribed:
    failure = [
        messages.Failure(stream=name[:64], code=Code.INVALID_PARAMS, message=problem)
        for name in asked
        if name not in good
    ]
    return messages.Subscribed(success=good, failure=failure)


async def mark_bad(peer: Peer, params: messages.Mark) -> messages.Marked:
    """Take channels for bad, or no longer."""
    problem = peer.backend.steering.mark_bad(MarkBad(tuple(params.ch_names), params.bad))
    if problem:
        raise RpcError(Code.INVALID_PARAMS, problem)
    return messages.Marked(ch_names=params.ch_names, bad=params.bad)


async def inject(peer: Peer, params: messages.Inject) -> messages.Injected:
    """Put a marker in."""
    t = peer.backend.steering.inject(str(params.label), params.t)
    return messages.Injected(t=t)


async def set_candidates(peer: Peer, params: messages.SetCandidates) -> messages.CandidatesSet:
    """Change what is chosen from."""
    words = [Word(c.id, c.text, c.glyph, _image(c)) for c in params.candidates]
    found = await peer.backend.steering.set_candidates(words, params.mode)
    return messages.CandidatesSet(
        candidates_version=found.version, candidates_hash=found.hash, n_candidates=len(found)
    )


def _image(candidate: messages.Candidate) -> bytes:
    try:
        return base64.b64decode(candidate.image, validate=True)
    except ValueError:
        msg = f"the image of candidate {candidate.id[:64]!r} is no base64"
        raise RpcError(Code.INVALID_PARAMS, msg) from None


async def control(peer: Peer, params: messages.Control) -> messages.Controlled:
    """Stop, go on, and what else the operator may do."""
    steering, role = peer.backend.steering, peer.role
    if params.action not in {"stop", "resume"} and role != "operator":
        msg = f"{params.action} needs the role operator; yours is {role}"
        raise RpcError(Code.FORBIDDEN, msg)
    match params.action:
        case "stop":
            steering.stop(params.reason or f"the {role} stopped the session")
        case "resume":
            await steering.resume(params.reason or f"the {role} resumed the session")
        case "pause":
            await steering.pause(params.reason or f"the {role} paused the session")
        case "note":
            await steering.note(params.text)
        case "swapModel":
            await steering.swap(params.model)
        case "rollBack":
            await steering.roll_back()
        case "blind":
            await steering.set_blind(on=params.on)
        case "recentre" | "refit":
            await steering.adapt(params.action, on=params.on)
    return messages.Controlled(action=params.action, state=steering.state)


METHODS = {
    "authorize": Method(messages.Authorize, messages.Authorized, authorize, role=None),
    "control": Method(
        messages.Control, messages.Controlled, control, role="participant", apart=True
    ),
    "injectMarker": Method(messages.Inject, messages.Injected, inject, role="operator"),
    "markBad": Method(messages.Mark, messages.Marked, mark_bad, role="operator"),
    "setCandidates": Method(
        messages.SetCandidates,
        messages.CandidatesSet,
        set_candidates,
        role="operator",
        apart=True,
    ),
    "subscribe": Method(messages.Subscribe, messages.Subscribed, subscribe, then=follow),
    "time": Method(messages.Nothing, messages.Times, tell_time, role=None),
    "unsubscribe": Method(messages.Unsubscribe, messages.Subscribed, unsubscribe),
}
"""Name of a method -> what it is. A new one needs its models, a function and a line here."""
