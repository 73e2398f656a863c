"""The web application: websocket at ``/v1/ws``, a little REST, and the page."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles

from decoder.server import wire
from decoder.server.backend import Backend
from decoder.server.connection import Connection
from decoder.server.limits import Limits, make_room
from decoder.server.protocol import HttpProtocol, WebSocketProtocol
from decoder.server.rest import router

__all__ = ["build_app", "server_config"]

STATIC = Path(__file__).parent / "static"

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data: blob:; frame-ancestors 'none'; "
        "base-uri 'none'; form-action 'none'; object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}

MAX_MESSAGE = 65536
"""Bytes of a message from a client; a longer one closes the connection with 1009."""


def server_config(backend: Backend) -> uvicorn.Config:
    """Return how the application around a running session is served."""
    return uvicorn.Config(
        build_app(backend),
        log_config=None,
        log_level="error",  # it warns of each request that is none: anybody could fill a log
        access_log=False,
        lifespan="off",
        http=HttpProtocol,
        ws=WebSocketProtocol,
        ws_max_size=MAX_MESSAGE,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=2,
        limit_concurrency=make_room(),
        server_header=False,
    )


def build_app(backend: Backend) -> FastAPI:
    """Make the application around a running session."""
    app = FastAPI(
        title="braincast",
        version=wire.PROTOCOL,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.state.backend = backend
    app.include_router(router)
    access, limits = backend.access, Limits()

    @app.middleware("http")
    async def guard(
        request: Request, proceed: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        host = request.headers.get("host", "")
        if not access.host_allowed(host):
            return JSONResponse({"detail": _unknown(host)}, 403, HEADERS)
        if request.client is not None and not limits.ask(request.client.host, time.monotonic()):
            headers = HEADERS | {"Connection": "close", "Retry-After": "1"}
            return JSONResponse({"detail": "too many requests: ask less often"}, 429, headers)
        response = await proceed(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    @app.websocket("/v1/ws")
    async def websocket(ws: WebSocket) -> None:
        address = ws.client.host if ws.client is not None else ""
        host = ws.headers.get("host", "")
        if not (access.host_allowed(host) and access.origin_allowed(ws.headers.get("origin"))):
            backend.audit.write(None, address, "connect", 403)
            await ws.close(1008)  # before accept: answered with 403
            return
        problem = limits.enter(address)
        if problem:
            backend.audit.write(None, address, "connect", 429)
            await ws.send_denial_response(JSONResponse({"detail": problem}, 429))
            return
        try:
            await ws.accept()
            await Connection(ws, backend).run()
        finally:
            limits.leave(address)

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        """Serve the page."""
        return FileResponse(STATIC / "index.html")

    app.mount("/static", StaticFiles(directory=STATIC))
    return app


def _unknown(host: str) -> str:
    return f"unknown host {host[:64]!r}: start serve with --allow-host and this name"
