"""Where the real recordings are that some tests need."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

__all__ = ["DATA", "recordings"]

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("BRAINCAST_DATA", ROOT.parent / "shared" / "data")).absolute()


def recordings(pattern: str) -> list[Path]:
    """Return the files that match, in order; skip the test, visibly, where there are none."""
    found = sorted(DATA.glob(pattern))
    if not found:
        pytest.skip(f"no recordings {DATA / pattern}: set BRAINCAST_DATA")
    return found
