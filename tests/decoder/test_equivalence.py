from __future__ import annotations

from typing import Any

import pytest

from decoder.equivalence import difference, environment_changes
from decoder.folder import environment


def text(**params: Any) -> dict[str, Any]:
    return {"method": "text", "params": params}


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        (text(p=0.5), text(p=0.50001), True),
        (text(p=0.5), text(p=0.501), False),
        (text(top=[{"id": "a", "p": 0.5}]), text(top=[{"id": "a", "p": 0.50001}]), True),
        (text(top=[{"id": "a", "p": 0.5}]), text(top=[{"id": "b", "p": 0.5}]), False),
        (text(top=[{"id": "a"}]), text(top=[]), False),
        (text(truth={"rank": 7}), text(truth={"rank": 8}), True),
        (text(truth={"rank": 7}), text(truth={"rank": 9}), False),
        (text(truth={"rank": 7}), text(truth=None), False),
        (text(n_times=10), text(n_times=11), False),
        (text(t_end=1.0), text(t_end=1.0 + 1e-9), True),
        (text(t_end=1.0), text(t_end=1.001), False),
        (text(stale=True), text(stale=1.0), True),  # what JSON can hold, and Python calls equal
        (text(stale=True), text(stale=False), False),
        (text(spread=[1.01e-5]), text(spread=[1.02e-5]), True),
        (text(a=1), text(b=1), False),
    ],
)
def test_what_another_machine_may_say(
    before: dict[str, Any], after: dict[str, Any], same: bool
) -> None:
    assert (difference(before, after, exact=False) == "") is same


def test_exact_means_exact() -> None:
    assert difference(text(p=0.5), text(p=0.5), exact=True) == ""
    found = difference(text(p=0.5, q=1), text(p=0.5 + 1e-16, q=2), exact=True)
    assert found == "(text) differs in p, q: p was 0.5, now 0.5000000000000001"
    assert "of stream text" in difference(text(), {"method": "state"}, exact=False)


def test_what_is_another_is_named() -> None:
    here = environment()
    assert environment_changes(here, here) == ""
    other = here | {"python": "3.9", "packages": {"numpy": "1.0"}}
    changes = environment_changes(other, here)
    assert changes.startswith("python 3.9 -> ")
    assert "numpy 1.0 -> " in changes
    assert "scipy unknown -> " in changes
