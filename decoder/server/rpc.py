"""JSON-RPC 2.0: requests in, answers out, and every code that an error or a close may have."""

from __future__ import annotations

import json
from enum import IntEnum
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

__all__ = [
    "CLOSE_CODES",
    "ERRORS",
    "Code",
    "Request",
    "RpcError",
    "error_reply",
    "parse_params",
    "parse_request",
    "reply",
]

Params = TypeVar("Params", bound=BaseModel)


class Code(IntEnum):
    """The code of an error; `ERRORS` says what each means."""

    PARSE_ERROR = -32700
    INVALID_REQUEST = -32600
    METHOD_NOT_FOUND = -32601
    INVALID_PARAMS = -32602
    UNAUTHORIZED = -32001
    TOO_LARGE = -32002
    FORBIDDEN = -32003
    STOPPED = -32004
    PURGED = -32005
    BUSY = -32006


ERRORS = {
    Code.PARSE_ERROR: "not JSON, or not a text frame",
    Code.INVALID_REQUEST: "not a JSON-RPC 2.0 request",
    Code.METHOD_NOT_FOUND: "no such method",
    Code.INVALID_PARAMS: "wrong parameters, or no such stream",
    Code.UNAUTHORIZED: "not authorized, or a wrong token; five wrong tokens close with 1008",
    Code.TOO_LARGE: "more than the service takes",
    Code.FORBIDDEN: "not allowed in this role",
    Code.STOPPED: "not while the participant has stopped the session",
    Code.PURGED: "the participant stopped after that: what was before is not given out again",
    Code.BUSY: "another job of this kind runs; ask again when it has ended",
}
"""What each error means, for the documents."""

CLOSE_CODES = {
    1002: "no websocket",
    1007: "text that is no UTF-8",
    1008: "no `authorize` within 10 s, five wrong tokens, or a token that was revoked",
    1009: "a message beyond 64 KiB",
    1011: "the client did not answer a ping within 20 s",
    1012: "the service stops, or starts again",
    1013: "the client read too slowly; connect again and resume with `from_seq`",
}
"""With what the server closes a connection, for the documents."""


class RpcError(Exception):
    """A request that is answered with an error; the connection stays open."""

    def __init__(self, code: Code, message: str, request_id: int | str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.request_id = request_id


class Request(BaseModel):
    """A JSON-RPC request; `id` is absent from a notification."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    jsonrpc: str = Field(pattern=r"^2\.0$")
    method: str = Field(max_length=64)
    params: dict[str, Any] = Field(default_factory=dict)
    id: int | str | None = None


def parse_request(text: str) -> Request:
    """Read a request, or say in JSON-RPC's terms what is wrong with it."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise RpcError(Code.PARSE_ERROR, "not JSON: send one JSON-RPC 2.0 object") from None
    request_id = message.get("id") if isinstance(message, dict) else None
    if isinstance(request_id, bool) or not isinstance(request_id, int | str):
        request_id = None
    try:
        return Request.model_validate(message)
    except ValidationError as error:
        raise RpcError(Code.INVALID_REQUEST, _first_problem(error), request_id) from None


def parse_params(model: type[Params], params: dict[str, Any]) -> Params:
    """Check the parameters of a request against what its method takes."""
    try:
        return model.model_validate(params)
    except ValidationError as error:
        raise RpcError(Code.INVALID_PARAMS, _first_problem(error)) from None


def _first_problem(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])[:100] or "message"
    return f"{where}: {first['msg']}"


def reply(request_id: int | str, result: BaseModel) -> str:
    """Make the answer to a request; what the result does not say is left out."""
    plain = result.model_dump(exclude_none=True)
    return _answer({"jsonrpc": "2.0", "id": request_id, "result": plain})


def error_reply(error: RpcError) -> str:
    """Make the answer to a request that failed."""
    body = {"code": error.code, "message": error.message}
    return _answer({"jsonrpc": "2.0", "id": error.request_id, "error": body})


def _answer(message: dict[str, Any]) -> str:
    # In ASCII, because it repeats what was asked: half of a surrogate pair is no UTF-8.
    return json.dumps(message, separators=(",", ":"), allow_nan=False)
