"""The JSON schema of an evaluation: ``python -m decoder.schema`` prints it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import Any, get_args, get_type_hints

from pydantic import TypeAdapter

from decoder.assessment import Assessment
from decoder.docstrings import describe

__all__ = ["schema"]


def schema() -> dict[str, Any]:
    """Return the schema of ``evaluation.json``, with what the docstrings say of each field."""
    found = TypeAdapter(Assessment).json_schema()
    parts = {"Assessment": found, **found["$defs"]}
    for made_of in _dataclasses(Assessment):
        describe(parts[made_of.__name__], made_of)
    return found


def _dataclasses(kind: Any) -> Iterator[type]:
    """Yield the dataclasses that a type is made of."""
    if is_dataclass(kind) and isinstance(kind, type):
        yield kind
    inner = get_type_hints(kind).values() if is_dataclass(kind) else get_args(kind)
    for part in inner:
        yield from _dataclasses(part)


if __name__ == "__main__":
    print(json.dumps(schema(), indent=1))  # noqa: T201
