"""What is answered over plain HTTP. Everything but health and readiness needs a role."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request, Response, Security
from fastapi.responses import FileResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict

from decoder.finished import Finished
from decoder.server.asyncapi import asyncapi
from decoder.server.auth import Grant
from decoder.server.backend import Backend
from decoder.server.metrics import CONTENT_TYPE

__all__ = [
    "Candidate",
    "Health",
    "ModelInfo",
    "Ready",
    "SessionInfo",
    "router",
]

REPORT_HEADERS = {
    "Content-Security-Policy": (
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
        "frame-ancestors 'none'"
    ),
}
"""A report is a page of its own: it may draw, and do nothing else."""


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Health(_Body):
    """Whether the service goes on; if not, it has to be started again."""

    status: str
    reason: str = ""


class Ready(_Body):
    """Whether decodes can be expected now, and why not."""

    ready: bool
    reason: str


class Problem(_Body):
    """Why a request was refused."""

    detail: str


class SourceInfo(_Body):
    """The stream that is taken in."""

    name: str
    sfreq: float
    ch_names: list[str]


class SignalInfo(_Body):
    """The channels of the stream ``signal``."""

    sfreq: float
    ch_names: list[str]
    units: list[str]


class SensorsInfo(_Body):
    """The channels that are watched, and where they are on the head; null: not known.

    `streaming.scalp` says what the numbers are.
    """

    ch_names: list[str] = []
    places: list[tuple[float, float] | None] = []


class ModelInfo(_Body):
    """A model that may decode; its scores are those of its fit.

    Of those that `serve` was given, `name` is the folder's, and `refused` says why one cannot
    decode this stream.
    """

    id: str
    space: str
    protocol: str
    windowing: dict[str, Any]
    scores: dict[str, Any]
    active: bool = True
    name: str = ""
    refused: str = ""


class CandidatesInfo(BaseModel):
    """How many candidates there are, and which, in short."""

    model_config = ConfigDict(frozen=True, extra="allow")

    n: int
    hash: str


class UncertaintyInfo(_Body):
    """How sure a decode has to be; `no_set` and `no_stop` say why nothing is promised."""

    risk: float | None = None
    max_set: int | None = None
    stop_at_risk: float | None = None
    no_set: str = ""
    no_stop: str = ""


class PreviewInfo(_Body):
    """What pictures decodes; `kind` and `hash` are known once it runs."""

    generator: str
    kind: str | None = None
    hash: str | None = None
    deadline: float


class SessionInfo(BaseModel):
    """What runs."""

    model_config = ConfigDict(frozen=True, extra="allow")

    session: str
    protocol: str
    started: float
    source: SourceInfo
    signal: SignalInfo
    sensors: SensorsInfo = SensorsInfo()
    clients: dict[str, int] = {}
    simulated: dict[str, str | int] | None
    latency_from: str
    model: ModelInfo
    candidates: CandidatesInfo
    uncertainty: UncertaintyInfo = UncertaintyInfo()
    preview: PreviewInfo | None = None


class Candidate(_Body):
    """What can be decoded."""

    id: str
    text: str
    glyph: str
    trained: bool
    picture: bool = False


def backend_of(request: Request) -> Backend:
    """Return what the application serves."""
    backend: Backend = request.app.state.backend
    return backend


_bearer = HTTPBearer(auto_error=False, description="The token that was printed at start.")

_Given = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]


def let_in(request: Request, given: _Given) -> Grant:
    """Return what the client may do.

    Raises
    ------
    HTTPException
        401 if it may do nothing.
    """
    backend = backend_of(request)
    grant = backend.access.grant("" if given is None else given.credentials)
    if grant is None:
        address = request.client.host if request.client is not None else ""
        backend.audit.write(None, address, "REST", 401)
        detail = "send the token that was printed at start: Authorization: Bearer TOKEN"
        raise HTTPException(401, detail, {"WWW-Authenticate": "Bearer"})
    return grant


_ALL: Any = {
    403: {"model": Problem, "description": "Host is no name of this service"},
    429: {"model": Problem, "description": "You ask too often"},
}

router = APIRouter(responses=_ALL)
_needs_role: Any = Depends(let_in)
_401: Any = {401: {"model": Problem, "description": "No token, or a wrong one"}}
_404: Any = {
    404: {"model": Problem, "description": "There is no such session, or it has no report"}
}


@router.get("/healthz", responses={503: {"model": Health, "description": "It hangs"}})
async def healthz(request: Request, response: Response) -> Health:
    """Whether the service goes on: its network, and the loop of the decoder."""
    reason = backend_of(request).not_alive()
    if reason:
        response.status_code = 503
    return Health(status="failing" if reason else "ok", reason=reason)


@router.get("/readyz", responses={503: {"model": Ready, "description": "Not now"}})
async def readyz(request: Request, response: Response) -> Ready:
    """Whether decodes can be expected now."""
    reason = backend_of(request).not_ready()
    if reason:
        response.status_code = 503
    return Ready(ready=not reason, reason=reason)


@router.get(
    "/metrics",
    dependencies=[_needs_role],
    response_class=Response,
    responses={**_401, 200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(request: Request) -> Response:
    """Give out what a monitor reads, as Prometheus has it."""
    return Response(backend_of(request).scrape(), media_type=CONTENT_TYPE)


@router.get(
    "/v1/session",
    dependencies=[_needs_role],
    responses=_401,
    response_model=SessionInfo,
    response_model_exclude_unset=True,
)
async def session(request: Request) -> dict[str, Any]:
    """Say what runs."""
    return backend_of(request).describe()


@router.get(
    "/v1/candidates",
    dependencies=[_needs_role],
    responses=_401,
    response_model=list[Candidate],
)
async def candidates(request: Request) -> list[dict[str, Any]]:
    """List what can be decoded."""
    return backend_of(request).candidates()


@router.get(
    "/v1/candidates/picture",
    dependencies=[_needs_role],
    responses={
        **_401,
        404: {"model": Problem, "description": "There is no such candidate, or no picture"},
        200: {"content": {"image/jpeg": {}}},
    },
    response_class=Response,
)
async def picture(request: Request, id: str) -> Response:  # noqa: A002 - as clients say it
    """Give out the picture of a candidate that was set with one."""
    found = backend_of(request).picture(id)
    if not found:
        raise HTTPException(404, "there is no such candidate, or it has no picture")
    return Response(found, media_type="image/jpeg", headers={"Cache-Control": "no-store"})


@router.get(
    "/v1/models", dependencies=[_needs_role], responses=_401, response_model=list[ModelInfo]
)
async def models(request: Request) -> list[dict[str, Any]]:
    """List the models that `serve` was given."""
    return backend_of(request).models()


@router.get("/v1/sessions", dependencies=[_needs_role], responses=_401)
def sessions(request: Request) -> list[Finished]:
    """List the sessions that are over, newest first."""
    return backend_of(request).sessions.finished()


@router.get(
    "/v1/sessions/{session_id}/report",
    responses={**_401, **_404, 200: {"content": {"text/html": {}}}},
    response_class=FileResponse,
)
def report(request: Request, session_id: str, grant: Grant = _needs_role) -> FileResponse:
    """Give out the report of a session."""
    backend = backend_of(request)
    path = backend.sessions.report(session_id)
    address = request.client.host if request.client is not None else ""
    backend.audit.write(grant, address, "report", 404 if path is None else "ok")
    if path is None:
        raise HTTPException(404, "there is no such session, or it has no report")
    return FileResponse(path, media_type="text/html", headers=REPORT_HEADERS)


@router.get("/v1/openapi.json", dependencies=[_needs_role], responses=_401)
async def openapi(request: Request) -> dict[str, Any]:
    """Describe what is answered over plain HTTP."""
    described: dict[str, Any] = request.app.openapi()
    return described


@router.get("/v1/asyncapi.json", dependencies=[_needs_role], responses=_401)
async def describe_websocket() -> dict[str, Any]:
    """Describe what goes over the websocket."""
    return asyncapi()
