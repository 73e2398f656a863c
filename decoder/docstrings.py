"""What docstrings say, for documents that are made from the code."""

from __future__ import annotations

import re
from inspect import cleandoc
from typing import Any

__all__ = ["describe", "parameters"]


def parameters(docstring: str) -> dict[str, str]:
    r"""Return what a numpydoc docstring says of each parameter.

    Examples
    --------
    >>> parameters("Add.\n\nParameters\n----------\na, b : int\n    What to add.")
    {'a': 'What to add.', 'b': 'What to add.'}
    """
    section = docstring.partition("Parameters\n----------\n")[2].partition("\n\n")[0]
    entries = re.findall(r"^(\S[^:]*) : .*\n((?:    .*\n?)+)", section, re.MULTILINE)
    return {
        name.strip(): " ".join(text.split())
        for names, text in entries
        for name in names.split(",")
    }


def describe(part: dict[str, Any], made_of: type) -> None:
    """Put what the docstring of a dataclass says into its JSON schema."""
    docstring = cleandoc(made_of.__doc__ or "")
    part["description"] = docstring.split("\n")[0]
    for field, text in parameters(docstring).items():
        if field in part["properties"]:
            part["properties"][field]["description"] = text
