"""The AsyncAPI document of the websocket, made from what requests are checked against.

A running service answers it at ``/v1/asyncapi.json``; `decoder.server.documents` writes it.
"""

from __future__ import annotations

from dataclasses import is_dataclass
from typing import Any, Literal

from pydantic import TypeAdapter

from decoder import events
from decoder.docstrings import describe
from decoder.server.messages import Failure
from decoder.server.methods import METHODS
from decoder.server.notifications import FRAMES, NOTIFICATIONS, Envelope, PictureMessage
from decoder.server.rpc import CLOSE_CODES, ERRORS, Code
from decoder.server.wire import LOGGED, PROTOCOL

__all__ = ["asyncapi"]

_REFERENCE = "#/components/schemas/{model}"


def asyncapi() -> dict[str, Any]:
    """Return the AsyncAPI 3 document of the protocol."""
    schemas = _schemas()
    messages, operations = {"error": _error()}, {}
    for name in METHODS:
        messages |= _method(name)
        operations[name] = _method_operation(name)
    for stream in (*NOTIFICATIONS, *FRAMES):
        messages[stream] = _notification(stream)
        operations[f"on.{stream}"] = {
            "action": "send",
            "channel": {"$ref": "#/channels/v1"},
            "messages": [_of_channel(stream)],
        }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "braincast",
            "version": PROTOCOL,
            "description": (
                "Decodes as they are made: JSON-RPC 2.0 over a websocket. All instants are "
                "seconds on the LSL clock of the machine that serves. Within a version only "
                "methods, streams, fields and values are added: ignore what you do not know."
            ),
            "license": {"name": "BSD-3-Clause"},
        },
        "defaultContentType": "application/json",
        "servers": {"local": {"host": "127.0.0.1:8000", "protocol": "ws"}},
        "channels": {
            "v1": {
                "address": "/v1/ws",
                "messages": {n: {"$ref": f"#/components/messages/{n}"} for n in messages},
                "x-close-codes": {str(code): text for code, text in CLOSE_CODES.items()},
            }
        },
        "operations": operations,
        "components": {"messages": messages, "schemas": schemas},
    }


def _schemas() -> dict[str, Any]:
    """Return the schemas of all that methods take and give and that events say."""
    taken = {method.params for method in METHODS.values()}
    given = {method.result for method in METHODS.values()}
    kinds = {kind for kinds in NOTIFICATIONS.values() for kind in kinds}
    made = sorted(
        taken
        | given
        | kinds
        | {Envelope, Failure, PictureMessage, *(header for _, header in FRAMES.values())},
        key=lambda k: k.__name__,
    )
    mode: Literal["validation"] = "validation"
    adapters: list[TypeAdapter[Any]] = [TypeAdapter(made_of) for made_of in made]
    inputs = [(n, mode, adapter) for n, adapter in enumerate(adapters)]
    _, found = TypeAdapter.json_schemas(inputs, ref_template=_REFERENCE)
    schemas: dict[str, Any] = found["$defs"]
    for name, part in schemas.items():
        made_of = vars(events).get(name)
        if is_dataclass(made_of) and isinstance(made_of, type):
            describe(part, made_of)
            part["required"] = list(part["properties"])  # nothing is left out of an event
            for field in part["properties"].values():
                field.pop("default", None)
    return schemas


def _schema(made_of: type) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(model=made_of.__name__)}


def _of_channel(message: str) -> dict[str, str]:
    return {"$ref": f"#/channels/v1/messages/{message}"}


def _rpc(required: list[str], **properties: Any) -> dict[str, Any]:
    version = {"jsonrpc": {"const": "2.0"}}
    return {
        "type": "object",
        "required": ["jsonrpc", *required],
        "properties": version | properties,
    }


_ID = {"type": ["integer", "string"], "description": "Comes back with the answer."}


def _error() -> dict[str, Any]:
    codes = {"enum": list(map(int, Code)), "x-meaning": {str(c): ERRORS[c] for c in ERRORS}}
    body = {
        "type": "object",
        "required": ["code", "message"],
        "properties": {"code": codes, "message": {"type": "string"}},
    }
    either = {"type": ["integer", "string", "null"]}
    return {
        "summary": "The answer to a request that failed; the connection stays open.",
        "payload": _rpc(["id", "error"], id=either, error=body),
    }


def _method(name: str) -> dict[str, Any]:
    method = METHODS[name]
    params = _schema(method.params)
    required = ["method"]
    if any(field.is_required() for field in method.params.model_fields.values()):
        required.append("params")
    request = _rpc(required, id=_ID, method={"const": name}, params=params)
    answer = _rpc(["id", "result"], id=_ID, result=_schema(method.result))
    return {
        f"{name}.request": {"payload": request},
        f"{name}.result": {"payload": answer},
    }


def _method_operation(name: str) -> dict[str, Any]:
    method = METHODS[name]
    return {
        "action": "receive",
        "summary": (method.call.__doc__ or "").split("\n")[0],
        "channel": {"$ref": "#/channels/v1"},
        "messages": [_of_channel(f"{name}.request")],
        "reply": {
            "channel": {"$ref": "#/channels/v1"},
            "messages": [_of_channel(f"{name}.result"), _of_channel("error")],
        },
        "x-least-role": method.role,
    }


def _notification(stream: str) -> dict[str, Any]:
    if stream in FRAMES:
        what, header = FRAMES[stream]
        return {
            "summary": f"{what}, as a binary frame.",
            "contentType": "application/octet-stream",
            "payload": {
                "type": "string",
                "format": "binary",
                "description": (
                    "Length of the header as a big-endian 32-bit integer, the header in JSON, "
                    "then little-endian float32."
                ),
            },
            "x-header": _schema(header),
        }
    envelope = _schema(Envelope)
    needed = ["seq", "t_emit"] if stream in LOGGED else ["t_emit"]
    kinds = [_schema(kind) for kind in NOTIFICATIONS[stream]]
    parts = [envelope, {"anyOf": kinds}]
    more: dict[str, Any] = {}
    if stream == "image":
        parts.append(_schema(PictureMessage))
        more["summary"] = (
            "A picture: with the encoding `base64` as this notification, else as a binary "
            "frame of the length of a header as a big-endian 32-bit integer, the header in "
            "JSON (these params, and `stream`), and the bytes."
        )
    params = {"allOf": parts, "required": needed}
    payload = _rpc(["method", "params"], method={"const": stream}, params=params)
    return {**more, "payload": payload}
