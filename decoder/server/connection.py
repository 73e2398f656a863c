"""One websocket: JSON-RPC requests in, answers and events out."""

from __future__ import annotations

import anyio
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from decoder.server import rpc
from decoder.server.auth import allows
from decoder.server.backend import Backend
from decoder.server.hub import Client
from decoder.server.methods import METHODS, Method, Peer
from decoder.server.protocol import LINE, WebSocketProtocol
from decoder.server.resuming import catch_up
from decoder.server.rpc import Code, RpcError
from decoder.server.turns import own_turns

__all__ = ["Connection", "expel"]

SEND_TIMEOUT = 10.0
"""Seconds after which a client that takes nothing is closed."""

MAX_WRONG_TOKENS = 5

PATIENCE = 10.0
"""Seconds that a client gets to say who it is."""


class Connection:
    """One websocket: answers requests and sends what the client subscribed to."""

    def __init__(self, ws: WebSocket, backend: Backend) -> None:
        self._ws = ws
        self._line: WebSocketProtocol = ws.scope["extensions"][LINE]
        self._client = Client(backend.clock, self._line)
        self._line.on_taken = self._client.wake
        address = ws.client.host if ws.client is not None else ""
        self._peer = Peer(backend, self._client, self._resume, address)
        self._tasks = anyio.create_task_group()
        self._turns = own_turns()

    async def run(self) -> None:
        """Serve the client until either side closes."""
        hub, peers = self._peer.backend.hub, self._peer.backend.peers
        self._line.ping()
        hub.join(self._client)
        peers.add(self._peer)
        try:
            async with self._tasks:
                self._tasks.start_soon(self._send_events)
                self._tasks.start_soon(self._expect_authorize)
                self._tasks.start_soon(self._hang_up)
                await self._answer_requests()
                self._tasks.cancel_scope.cancel()
        except* WebSocketDisconnect:
            pass
        finally:
            hub.leave(self._client)
            peers.discard(self._peer)

    async def _send_events(self) -> None:
        await self._taken()
        while (message := await self._client.next()) is not None:
            self._client.send(message)
            await self._taken()
        self._peer.backend.hub.n_too_slow += 1
        await self._close(1013, "too slow: subscribe with policy latest, or read faster")

    async def _taken(self) -> None:
        """Wait until the client has taken what was sent.

        Raises
        ------
        WebSocketDisconnect
            If it takes nothing.
        """
        with anyio.move_on_after(SEND_TIMEOUT) as patience:
            await self._line.taken()
        if patience.cancelled_caught:
            raise WebSocketDisconnect

    def _resume(self, seq: int) -> None:
        backend = self._peer.backend
        client, hub, path = self._client, backend.hub, backend.events
        self._tasks.start_soon(
            catch_up, client, client.resuming, hub, path, seq, self._taken, self._line.write
        )

    async def _expect_authorize(self) -> None:
        await anyio.sleep(PATIENCE)
        if self._peer.role is None:
            await self._close(1008, f"authorize within {PATIENCE:g} s")

    async def _hang_up(self) -> None:
        await self._peer.revoked.wait()
        await self._close(1008, "the token was revoked")

    async def _take_turns(self) -> None:
        """Wait if the client asks too much, then if all together do."""
        for turns in (self._turns, self._peer.backend.turns):
            await anyio.sleep(turns.wait(anyio.current_time()))

    async def _send(self, body: str) -> None:
        """Send an answer.

        Raises
        ------
        WebSocketDisconnect
            If the client is gone, or takes nothing.
        """
        try:
            with anyio.fail_after(SEND_TIMEOUT):
                await self._ws.send_text(body)
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
        while self._peer.n_wrong < MAX_WRONG_TOKENS:
            frame = await self._ws.receive()
            if frame["type"] == "websocket.disconnect":
                return
            await self._take_turns()
            try:
                request, method = self._understand(frame.get("text"))
            except RpcError as error:
                await self._send(rpc.error_reply(error))
                continue
            if method.apart:
                self._tasks.start_soon(self._answer, request, method)
            else:
                await self._answer(request, method)
        await self._close(1008, "too many wrong tokens")

    def _understand(self, text: str | None) -> tuple[rpc.Request, Method]:
        """Return a request and its method, if the client may call it."""
        if text is None:
            msg = "send JSON-RPC as text frames, not binary ones"
            raise RpcError(Code.PARSE_ERROR, msg)
        request = rpc.parse_request(text)
        method = METHODS.get(request.method)
        if method is None:
            known = ", ".join(sorted(METHODS))
            msg = f"no method {request.method!r}; there are {known}"
            raise RpcError(Code.METHOD_NOT_FOUND, msg, request.id)
        role = self._peer.role
        if method.role is not None and role is None:
            self._peer.audit(request.method, int(Code.UNAUTHORIZED))
            msg = "authorize first, with the token that was printed at start"
            raise RpcError(Code.UNAUTHORIZED, msg, request.id)
        if not allows(role, method.role):
            self._peer.audit(request.method, int(Code.FORBIDDEN))
            msg = f"{request.method} needs the role {method.role}; yours is {role}"
            raise RpcError(Code.FORBIDDEN, msg, request.id)
        return request, method

    async def _answer(self, request: rpc.Request, method: Method) -> None:
        done = request.method
        try:
            params = rpc.parse_params(method.params, request.params)
            done = " ".join([done, *filter(None, [getattr(params, "action", "")])])
            result = await method.call(self._peer, params)
        except RpcError as error:
            self._peer.audit(done, int(error.code))
            error.request_id = request.id
            await self._send(rpc.error_reply(error))
            return
        if request.method != "time":  # which says nothing about anybody
            self._peer.audit(done, "ok")
        if request.id is not None:
            await self._send(rpc.reply(request.id, result))
        else:
            await self._taken()  # nor may what follows pile up
        if method.then is not None:
            self._line.ping()  # how long a client takes is known before it gets an event
            method.then(self._peer, params)


def expel(backend: Backend) -> None:
    """Hang up on clients whose token holds no more; nothing is sent to them after it."""
    for peer in backend.peers:
        if peer.grant is not None and not backend.access.holds(peer.grant):
            peer.audit("revoked", "closed")
            peer.grant = None
            for stream in {*peer.client.policies, *peer.client.resuming}:
                peer.client.leave(stream)
            peer.revoked.set()
