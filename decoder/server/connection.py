"""One websocket: JSON-RPC requests in, answers and events out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import anyio
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from decoder.control import MarkBad
from decoder.server import wire
from decoder.server.auth import Access, Role
from decoder.server.hub import Client, Hub
from streaming.lsl_clock import Clock

__all__ = ["Backend", "Connection"]

SEND_TIMEOUT = 10.0
"""Seconds after which a client that takes nothing is closed."""

MAX_WRONG_TOKENS = 5

PATIENCE = 10.0
"""Seconds that a client gets to say who it is."""

RATE, BURST = 50.0, 100
"""Requests a second of one client, and how many at once; those beyond wait."""

Answer = tuple[dict[str, Any], Callable[[], None] | None]
"""The result of a method, and what to do once it was sent."""


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
    not_ready : callable
        Returns why the service is not ready; empty if it is.
    mark_bad : callable
        Takes channels and whether they are bad; returns what is wrong with that, or nothing.
    clock : Clock
        LSL's.
    """

    hub: Hub
    access: Access
    session_id: str
    describe: Callable[[], dict[str, Any]]
    candidates: Callable[[], list[dict[str, Any]]]
    not_ready: Callable[[], str]
    mark_bad: Callable[[MarkBad], str]
    clock: Clock


class Connection:
    """One websocket: answers requests and sends what the client subscribed to."""

    def __init__(self, ws: WebSocket, backend: Backend) -> None:
        self._ws = ws
        self._backend = backend
        self._client = Client(backend.clock)
        self._role: Role | None = None
        self._n_wrong = 0
        self._due = 0.0  # when the next request may be answered

    async def run(self) -> None:
        """Serve the client until either side closes."""
        hub = self._backend.hub
        hub.clients.add(self._client)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._send_events)
                tasks.start_soon(self._expect_authorize)
                await self._answer_requests()
                tasks.cancel_scope.cancel()
        except* WebSocketDisconnect:
            pass
        finally:
            hub.clients.discard(self._client)

    async def _send_events(self) -> None:
        while (message := await self._client.next()) is not None:
            await self._send(message.body)
        await self._close(1013, "too slow: subscribe with policy latest, or read faster")

    async def _expect_authorize(self) -> None:
        await anyio.sleep(PATIENCE)
        if self._role is None:
            await self._close(1008, f"authorize within {PATIENCE:g} s")

    async def _take_turns(self) -> None:
        """Wait if the client asks too much: the event loop belongs to all of them."""
        now = anyio.current_time()
        self._due = turn(self._due, now)
        await anyio.sleep(max(0.0, self._due - now))

    async def _send(self, body: str | bytes) -> None:
        """Send a frame.

        Raises
        ------
        WebSocketDisconnect
            If the client is gone, or takes nothing.
        """
        try:
            with anyio.fail_after(SEND_TIMEOUT):
                if isinstance(body, str):
                    await self._ws.send_text(body)
                else:
                    await self._ws.send_bytes(body)
        except (RuntimeError, TimeoutError) as error:
            # The server closed the connection before we heard of it: a RuntimeError there.
            raise WebSocketDisconnect from error

    async def _close(self, code: int, reason: str) -> None:
        if self._ws.application_state is WebSocketState.CONNECTED:
            with anyio.move_on_after(SEND_TIMEOUT) as patience:
                await self._ws.close(code, reason)
            if patience.cancelled_caught:
                raise WebSocketDisconnect

    async def _answer_requests(self) -> None:
        while self._n_wrong < MAX_WRONG_TOKENS:
            frame = await self._ws.receive()
            if frame["type"] == "websocket.disconnect":
                return
            await self._take_turns()
            try:
                await self._answer(frame.get("text"))
            except wire.RpcError as error:
                await self._send(wire.error_reply(error))
        await self._close(1008, "too many wrong tokens")

    async def _answer(self, text: str | None) -> None:
        if text is None:
            raise wire.RpcError(
                wire.PARSE_ERROR, "send JSON-RPC as text frames, not binary ones"
            )
        request = wire.parse_request(text)
        method = _METHODS.get(request.method)
        if method is None:
            known = ", ".join(sorted(_METHODS))
            message = f"no method {request.method!r}; there are {known}"
            raise wire.RpcError(wire.METHOD_NOT_FOUND, message, request.id)
        if self._role is None and request.method not in {"authorize", "time"}:
            message = "authorize first, with the token that was printed at start"
            raise wire.RpcError(wire.UNAUTHORIZED, message, request.id)
        result, after = method(self, request)
        if request.id is not None:
            await self._send(wire.reply(request.id, result))
        if after is not None:  # so that the answer comes before the first event
            after()

    def _authorize(self, request: wire.Request) -> Answer:
        token = wire.parse_params(wire.Authorize, request).token
        self._role = self._backend.access.role(token)
        if self._role is None:
            self._n_wrong += 1
            message = "wrong token" if token else "a token is needed: it was printed at start"
            raise wire.RpcError(wire.UNAUTHORIZED, message, request.id)
        return {
            "session": self._backend.session_id,
            "protocol": wire.PROTOCOL,
            "role": self._role,
            **self._times(),
        }, None

    def _time(self, request: wire.Request) -> Answer:
        wire.parse_params(wire.Nothing, request)
        return dict(self._times()), None

    def _times(self) -> dict[str, float]:
        # Unix time is for people and for logs elsewhere; nothing here computes with it.
        return {"t_lsl": self._backend.clock(), "t_unix": time.time()}

    def _subscribe(self, request: wire.Request) -> Answer:
        asked = wire.parse_params(wire.Subscribe, request)
        good = [name for name in asked.streams if name in wire.STREAMS]
        known = ", ".join(wire.STREAMS)
        failure = [
            {
                "stream": name[:64],
                "code": wire.INVALID_PARAMS,
                "message": f"no such stream; there are {known}",
            }
            for name in asked.streams
            if name not in wire.STREAMS
        ]

        def start() -> None:
            self._client.policies.update(dict.fromkeys(good, asked.policy))
            for message in self._backend.hub.retained.values():
                if message.stream in good:
                    self._client.offer(message)

        return {"success": good, "failure": failure}, start

    def _unsubscribe(self, request: wire.Request) -> Answer:
        asked = wire.parse_params(wire.Unsubscribe, request)
        gone = [name for name in asked.streams if self._client.policies.pop(name, None)]
        failure = [
            {"stream": name[:64], "code": wire.INVALID_PARAMS, "message": "not subscribed"}
            for name in asked.streams
            if name not in gone
        ]
        return {"success": gone, "failure": failure}, None

    def _mark_bad(self, request: wire.Request) -> Answer:
        if self._role != "operator":
            message = "only the operator may mark channels"
            raise wire.RpcError(wire.FORBIDDEN, message, request.id)
        asked = wire.parse_params(wire.Mark, request)
        problem = self._backend.mark_bad(MarkBad(tuple(asked.ch_names), asked.bad))
        if problem:
            raise wire.RpcError(wire.INVALID_PARAMS, problem, request.id)
        return {"ch_names": asked.ch_names, "bad": asked.bad}, None


def turn(due: float, now: float) -> float:
    """Return when a request may be answered that comes now, after one that was due at `due`."""
    return max(due + 1 / RATE, now - BURST / RATE)


_METHODS: dict[str, Callable[[Connection, wire.Request], Answer]] = {
    "authorize": Connection._authorize,  # noqa: SLF001 - the table belongs to the class
    "markBad": Connection._mark_bad,  # noqa: SLF001
    "time": Connection._time,  # noqa: SLF001
    "subscribe": Connection._subscribe,  # noqa: SLF001
    "unsubscribe": Connection._unsubscribe,  # noqa: SLF001
}
