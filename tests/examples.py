"""How hard a law is searched for a counterexample."""

from __future__ import annotations

from hypothesis import settings

__all__ = ["examples"]


def examples(n: int) -> settings:
    """Ask for `n` examples in `make test`, and ten times as many with the profile `search`."""
    return settings(max_examples=n * settings().max_examples // 100)
