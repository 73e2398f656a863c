"""The documents of the protocol: ``python -m decoder.server.documents FOLDER`` writes them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from fastapi.openapi.utils import get_openapi

from decoder.server.asyncapi import asyncapi
from decoder.server.rest import router
from decoder.server.wire import PROTOCOL

__all__ = ["documents"]


def documents() -> dict[str, dict[str, Any]]:
    """Return each document by the name of its file: of the websocket, and of REST."""
    rest = get_openapi(title="braincast", version=PROTOCOL, routes=router.routes)
    return {"asyncapi.json": asyncapi(), "openapi.json": rest}


if __name__ == "__main__":
    for name, document in documents().items():
        (Path(sys.argv[1]) / name).write_text(json.dumps(document, indent=1) + "\n")
