"""The JSON schema of an evaluation: ``python -m decoder.schema`` prints it."""

from __future__ import annotations

import json
from dataclasses import is_dataclass
from typing import Any

from pydantic import TypeAdapter

from decoder import (
    assessment,
    calibration,
    ceiling,
    controls,
    curves,
    design,
    evaluation,
    patterns,
    resampling,
)
from decoder.assessment import Assessment
from decoder.docstrings import describe

__all__ = ["schema"]

_MODULES = (
    assessment,
    calibration,
    ceiling,
    controls,
    curves,
    design,
    evaluation,
    patterns,
    resampling,
)


def schema() -> dict[str, Any]:
    """Return the schema of ``evaluation.json``, with what the docstrings say of each field."""
    found = TypeAdapter(Assessment).json_schema()
    parts = {"Assessment": found, **found["$defs"]}
    for name, part in parts.items():
        made_of = next(vars(m)[name] for m in _MODULES if name in vars(m))
        if is_dataclass(made_of) and isinstance(made_of, type):
            describe(part, made_of)
    return found


if __name__ == "__main__":
    print(json.dumps(schema(), indent=1))  # noqa: T201
