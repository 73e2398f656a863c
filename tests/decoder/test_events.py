"""Events are plain data: nothing that was said can be changed, and all of it is described."""

from __future__ import annotations

import dataclasses
import typing

import pytest

from decoder import events
from decoder.docstrings import parameters
from decoder.events import Event

KINDS = typing.get_args(Event)
PARTS = [getattr(events, name) for name in events.__all__ if name != "Event"]


def test_all_that_is_public_is_an_event_or_a_part_of_one() -> None:
    asked, found = list(KINDS), set[type]()
    while asked:
        kind = asked.pop()
        if kind in found or getattr(kind, "__module__", "") != events.__name__:
            asked += typing.get_args(kind)
            continue
        found.add(kind)
        asked += typing.get_type_hints(kind).values()
    assert found == set(PARTS)


@pytest.mark.parametrize("kind", PARTS)
def test_what_was_said_stays(kind: type) -> None:
    assert dataclasses.is_dataclass(kind)
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert "__slots__" in vars(kind)


@pytest.mark.parametrize("kind", PARTS)
def test_fields_are_described_in_their_order(kind: type) -> None:
    """The documents of the protocol say what the docstrings do."""
    names = [field.name for field in dataclasses.fields(kind)]
    described = list(parameters(kind.__doc__ or ""))
    assert set(described) <= set(names)
    assert described == [] or described == sorted(described, key=names.index)
