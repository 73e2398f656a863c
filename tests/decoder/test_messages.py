from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from decoder.server.messages import Candidate, Control, Inject, SetCandidates


@pytest.mark.parametrize(
    "text", ["an owl", "جغد", "می‌خواهم", "👩‍🚀", "🦉", "a" * 256, "x/../y", "%s{}"]
)
def test_any_word_can_be_a_candidate(text: str) -> None:
    assert Candidate(id=text, text=text, glyph=text).text == text
    assert Inject(label=f" {text} " if len(text) < 250 else text).label == text


@pytest.mark.parametrize(
    "text",
    [
        "two\nlines",
        "\0",
        "\u202eleft",
        "half \ud83e",
        "a" * 257,
        "tab\there",
        "\u200d",
        " \u200c\u200d ",
    ],
)
def test_what_is_no_line_of_text_is_refused(text: str) -> None:
    for wrong in ({"id": text}, {"id": "a", "text": text}, {"id": "a", "glyph": text}):
        with pytest.raises(ValidationError):
            Candidate(**wrong)
    with pytest.raises(ValidationError):
        Inject(label=text)


@pytest.mark.parametrize(
    ("model", "wrong"),
    [
        (Candidate, {"id": " "}),
        (SetCandidates, {"candidates": []}),
        (SetCandidates, {"candidates": [{"id": "a"}], "mode": "drop"}),
        (Inject, {"label": ""}),
        (Inject, {"label": 1.5}),
        (Inject, {"label": 10**400}),
        (Inject, {"label": "a", "t": float("nan")}),
        (Control, {"action": "note"}),
        (Control, {"action": "note", "text": " "}),
        (Control, {"action": "explode"}),
        (Control, {"action": "stop", "reason": "two\nlines"}),
    ],
)
def test_what_is_wrong_is_refused(model: type[Any], wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        model(**wrong)


def test_markers_may_be_integers() -> None:
    assert Inject(label=9).label == 9
