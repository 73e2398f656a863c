"""The web application: websocket at ``/v1/ws``, a little REST, and the page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Header, HTTPException, Request, Response, WebSocket
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles

from decoder.server import wire
from decoder.server.auth import Role
from decoder.server.backend import Backend
from decoder.server.connection import Connection

__all__ = ["build_app"]

STATIC = Path(__file__).parent / "static"

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data: blob:; frame-ancestors 'none'; "
        "base-uri 'none'; form-action 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def build_app(backend: Backend) -> FastAPI:  # noqa: C901 - a list of routes, not a branch
    """Make the application around a running session."""
    app = FastAPI(title="braincast", version=wire.PROTOCOL, docs_url=None, redoc_url=None)
    access = backend.access

    @app.middleware("http")
    async def guard(
        request: Request, proceed: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        if not access.host_allowed(request.headers.get("host", "")):
            return JSONResponse({"detail": "unknown host"}, 403, HEADERS)
        response = await proceed(request)
        response.headers.update(HEADERS)
        return response

    def role_of(authorization: str) -> Role:
        role = access.role(authorization.removeprefix("Bearer ").strip())
        if role is None:
            detail = "send the token that was printed at start: Authorization: Bearer TOKEN"
            raise HTTPException(401, detail)
        return role

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Whether the server runs."""
        return {"status": "ok"}

    @app.get("/readyz")
    async def readyz() -> JSONResponse:
        """Whether decodes can be expected now."""
        reason = backend.not_ready()
        return JSONResponse({"ready": not reason, "reason": reason}, 503 if reason else 200)

    @app.get("/v1/session")
    async def session(authorization: str = Header(default="")) -> dict[str, Any]:
        """Say what runs."""
        role_of(authorization)
        return backend.describe()

    @app.get("/v1/candidates")
    async def candidates(authorization: str = Header(default="")) -> list[dict[str, Any]]:
        """List what can be decoded."""
        role_of(authorization)
        return backend.candidates()

    @app.websocket("/v1/ws")
    async def websocket(ws: WebSocket) -> None:
        headers = ws.headers
        allowed = access.host_allowed(headers.get("host", "")) and access.origin_allowed(
            headers.get("origin")
        )
        if not allowed:
            await ws.close(1008)  # before accept: answered with 403
            return
        await ws.accept()
        await Connection(ws, backend).run()

    @app.get("/")
    async def page() -> FileResponse:
        """Serve the page."""
        return FileResponse(STATIC / "index.html")

    app.mount("/static", StaticFiles(directory=STATIC))
    return app
