"""The JSON schema of an evaluation: ``python -m decoder.schema`` prints it."""

from __future__ import annotations

import json
import re
from dataclasses import is_dataclass
from inspect import cleandoc
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
        if not is_dataclass(made_of):
            continue
        said = _parameters(cleandoc(made_of.__doc__ or ""))
        part["description"] = cleandoc(made_of.__doc__ or "").split("\n")[0]
        for field, values in part["properties"].items():
            values["description"] = said[field]
    return found


def _parameters(docstring: str) -> dict[str, str]:
    """Return what a numpydoc docstring says of each parameter."""
    section = docstring.partition("Parameters\n----------\n")[2].partition("\n\n")[0]
    entries = re.findall(r"^(\S[^:]*) : .*\n((?:    .*\n?)+)", section, re.MULTILINE)
    return {
        name.strip(): " ".join(text.split())
        for names, text in entries
        for name in names.split(",")
    }


if __name__ == "__main__":
    print(json.dumps(schema(), indent=1))  # noqa: T201
