"""Whether a session says again what it said: bit for bit, or as nearly as another machine can.

Other processors and other versions of libraries add up in another order, so that a latent
differs in its last digits. Decisions, the best candidates and their order, and every count must
be the same there too; numbers that follow from the latent or the signal may differ a little.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

__all__ = ["ADDED", "TOLERANCES", "difference", "environment_changes"]

TOLERANCES: dict[str, tuple[float, float]] = {
    "p": (1e-3, 1e-6),
    "spread": (0.02, 0.0),
    "line": (0.0, 0.002),
    "rank": (0.0, 1.0),
    "median_rank": (0.0, 1.0),
    "evidence.log10_e": (0.01, 0.05),
    "evidence.log10_e_max": (0.01, 0.05),
    "evidence.log10_bets": (0.01, 0.05),
    "evidence.p": (0.25, 0.0),
}
"""By field, or stream and field: how far a number may be off on another machine, as a share of
it and as such.

Probabilities are all that the log holds of a latent. `spread` and `line` are rounded to three
digits. Of hundreds of candidates two that are as good may change places: a rank by one. What a
stake has become is a product over all trials.
"""

ADDED = frozenset(
    {
        *("candidates_version", "conformal", "delay", "final", "latency", "n_repeats"),
        *("quality", "revision"),  # of a decode
        *("coverage", "coverage_high", "coverage_low", "n_sets", "set_size"),  # of its score
        *("glyph", "over", "warning", "log10_bets"),
    }
)
"""Fields that older versions did not say. Where a log lacks one there is nothing to compare it
with; one that it has must come out again."""

_INSTANT = (0.0, 1e-6)
"""Of all other numbers: instants, in seconds."""


def difference(said: Mapping[str, Any], now: Mapping[str, Any], *, exact: bool) -> str:
    """Return how a message differs from what was logged, in one line; empty if it does not.

    Parameters
    ----------
    said, now : mapping
        The logged message and the one that came out again, without what depends on when it
        was sent.
    exact : bool
        Bit for bit; else within `TOLERANCES`.
    """
    if said["method"] != now["method"]:
        return f"was of stream {said['method']}, now of {now['method']}"
    before: dict[str, Any] = said["params"]
    after: dict[str, Any] = _as_old(now["params"], before)
    stream = said["method"]
    fields = [
        name
        for name in before | after
        if not _same(
            own if (own := f"{stream}.{name}") in TOLERANCES else name,
            before.get(name),
            after.get(name),
            exact=exact,
        )
    ]
    if not fields:
        return ""
    first = fields[0]
    return (
        f"({said['method']}) differs in {', '.join(fields)}: {first} was "
        f"{_short(before.get(first))}, now {_short(after.get(first))}"
    )


def _as_old(now: Any, said: Any) -> Any:
    """Return what is said now without what was not said then, and was added since."""
    if isinstance(now, dict) and isinstance(said, dict):
        return {
            name: _as_old(value, said.get(name))
            for name, value in now.items()
            if name in said or name not in ADDED
        }
    if isinstance(now, list) and isinstance(said, list) and len(now) == len(said):
        return [_as_old(one, other) for one, other in zip(now, said, strict=True)]
    return now


def _same(name: str, before: Any, after: Any, *, exact: bool) -> bool:
    if before == after or exact:
        return bool(before == after)
    if isinstance(before, dict) and isinstance(after, dict):
        return before.keys() == after.keys() and all(
            _same(key, before[key], after[key], exact=False) for key in before
        )
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(
            _same(name, one, other, exact=False)
            for one, other in zip(before, after, strict=True)
        )
    if not (_is_number(before) and _is_number(after)):
        return False
    if isinstance(before, int) and isinstance(after, int) and name not in TOLERANCES:
        return False  # a count, or a place in the signal
    relative, absolute = TOLERANCES.get(name, _INSTANT)
    return math.isclose(before, after, rel_tol=relative, abs_tol=absolute)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."


def environment_changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return in what two environments differ, such as ``numpy 2.1.0 -> 2.2.0``; empty if not.

    Parameters
    ----------
    then, now : mapping
        From `decoder.folder.environment`, and the manifest.
    """
    before, after = dict(_flat(then)), dict(_flat(now))
    return ", ".join(
        f"{name} {before.get(name, 'unknown')} -> {after[name]}"
        for name in after
        if before.get(name) != after[name]
    )


def _flat(environment: Mapping[str, Any]) -> list[tuple[str, str]]:
    packages, machine = environment["packages"], environment["machine"]
    return [("python", environment["python"]), *packages.items(), *machine.items()]
