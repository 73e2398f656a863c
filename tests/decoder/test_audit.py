from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from decoder.server.audit import AuditLog
from decoder.server.auth import Grant

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_line_says_who_did_what_and_how_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    audit = AuditLog(path, lambda: START)
    audit.write(Grant("operator", "desk"), "192.0.2.7", "markBad")
    audit.write(None, "192.0.2.8", "authorize", -32001)
    audit.close()
    assert lines(path) == [
        {
            "time": "2026-01-02T03:04:05.000+00:00",
            "role": "operator",
            "name": "desk",
            "address": "192.0.2.7",
            "method": "markBad",
            "outcome": "ok",
        },
        {
            "time": "2026-01-02T03:04:05.000+00:00",
            "role": None,
            "name": None,
            "address": "192.0.2.8",
            "method": "authorize",
            "outcome": -32001,
        },
    ]


def test_strangers_cannot_fill_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    now = [START]
    audit = AuditLog(path, lambda: now[0])
    for _ in range(1000):
        audit.write(None, "192.0.2.8", "authorize", -32001)
    now[0] += timedelta(seconds=1)
    audit.write(None, "192.0.2.8", "authorize", -32001)
    audit.close()
    found = lines(path)
    assert len(found) == 11
    assert found[-1]["omitted"] == 990


def test_nothing_is_written_where_nothing_is_kept() -> None:
    audit = AuditLog(None)
    audit.write(None, "192.0.2.8", "authorize")
    audit.close()
