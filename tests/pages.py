"""What the documentation tells a reader to type."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

__all__ = ["ROOT", "block", "commands", "pages"]

ROOT = Path(__file__).parents[1]


def pages() -> list[Path]:
    """Return all pages."""
    return [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *sorted((ROOT / "docs").rglob("*.md")),
    ]


def block(page: str, label: str) -> str:
    """Return the code under ``<!-- test: LABEL -->``."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.search(rf"<!-- test: {label} -->\n```\w+\n(.*?)```", text, re.DOTALL)
    assert found, f"{page} has no block labelled {label}"
    return found[1]


def commands(text: str, folder: Path | None = None) -> list[list[str]]:
    """Return the arguments of each `braincast` line; patterns are expanded within `folder`."""
    found = []
    for line in text.splitlines():
        if not line.startswith("braincast "):
            continue
        arguments: list[str] = []
        for part in shlex.split(line)[1:]:
            matches = sorted(folder.glob(part)) if folder and "[" in part else []
            arguments += [str(match) for match in matches] or [part]
        found.append(arguments)
    return found
