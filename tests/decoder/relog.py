"""Change what the log of a session that was recorded says."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from decoder.folder import SessionFolder

__all__ = ["add", "forget_evidence", "messages", "rewrite"]


def messages(folder: SessionFolder) -> list[dict[str, Any]]:
    return [json.loads(line) for line in folder.events.read_text().splitlines()]


def rewrite(folder: SessionFolder, change: Callable[[dict[str, Any]], None]) -> None:
    """Change each event of a log."""
    found = messages(folder)
    for message in found:
        change(message)
    folder.events.write_text("".join(json.dumps(message) + "\n" for message in found))


def forget_evidence(folder: SessionFolder) -> None:
    """Leave out that no design was declared."""
    found = [m for m in messages(folder) if m["method"] != "evidence"]
    folder.events.write_text("".join(json.dumps(message) + "\n" for message in found))


def add(folder: SessionFolder, stream: str, **params: Any) -> None:
    """Add an event a second after the last."""
    last = messages(folder)[-1]["params"]
    params |= {"seq": last["seq"] + 1, "t_emit": last["t_emit"] + 1.0}
    with folder.events.open("a") as log:
        log.write(json.dumps({"jsonrpc": "2.0", "method": stream, "params": params}) + "\n")
