from __future__ import annotations

from typing import Any

import pytest

from decoder import events
from decoder.docstrings import describe, parameters


def test_parameters_are_read_over_several_lines_and_up_to_the_next_section() -> None:
    said = parameters(
        "Do.\n\nParameters\n----------\na : int\n    First\n    line.\nb, c : str\n    Both.\n"
        "\nReturns\n-------\nd : int\n    Not a parameter.\n"
    )
    assert said == {"a": "First line.", "b": "Both.", "c": "Both."}


@pytest.mark.parametrize("docstring", ["", "Do.", "Do.\n\nReturns\n-------\na : int\n    It."])
def test_what_names_no_parameter_gives_none(docstring: str) -> None:
    assert parameters(docstring) == {}


def test_a_schema_says_what_the_docstring_says() -> None:
    part: dict[str, Any] = {"properties": {"decode_id": {}, "added": {}}}
    describe(part, events.ImagePreview)
    assert part["description"]
    assert part["properties"]["decode_id"]["description"]
    assert part["properties"]["added"] == {}
