"""Commands that must be refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from decoder.cli import main

__all__ = ["complaint"]


def complaint(capfd: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """Run a command that must be refused; return the one line it says."""
    code = main([str(a) for a in arguments])
    said = capfd.readouterr().err
    assert code == 2, said
    assert "Traceback" not in said
    # liblsl logs to the same place from earlier tests of this process
    lines = [line for line in said.splitlines() if line.strip() and ".cpp:" not in line]
    assert len(lines) == 1, said
    assert lines[0].startswith("braincast: ")
    return lines[0]
