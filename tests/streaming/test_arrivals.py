from __future__ import annotations

import pytest

from streaming.arrivals import Arrivals


def _told(n_seconds: int, spread: float = 0.0, ahead: float = 0.0) -> Arrivals:
    arrivals = Arrivals()
    for n in range(10 * n_seconds):
        late = 0.001 + spread * (n // 10 % 2)
        arrivals.add(ahead * n / 10 - late, n / 10, held=False)
    return arrivals


def test_a_step_is_what_arrivals_do_not_share() -> None:
    arrivals = _told(4)
    assert arrivals.step() is None
    for n in range(3):
        arrivals.add(1.999 - 0.01 * n, 4.0 + n / 10, held=True)
    step = arrivals.step()
    assert step is not None
    assert step.size == pytest.approx(2.0)
    assert step.error < 0.5e-3


def test_it_is_known_as_well_as_arrivals_are_steady() -> None:
    arrivals = _told(4, spread=0.003)
    arrivals.add(2.0, 5.0, held=True)
    step = arrivals.step()
    assert step is not None
    assert step.error >= 0.003


@pytest.mark.parametrize(("n_seconds", "ahead"), [(2, 0.0), (20, 0.1), (20, -0.1), (20, 1.0)])
def test_it_is_unknown_at_first_and_where_timestamps_run_away(
    n_seconds: int, ahead: float
) -> None:
    arrivals = _told(n_seconds, ahead=ahead)
    arrivals.add(n_seconds * ahead + 2.0, 30.0, held=True)
    assert arrivals.step() is None


def test_it_is_known_also_where_we_were_too_busy_for_whole_seconds() -> None:
    arrivals = _told(6, spread=0.3)
    arrivals.add(1.999, 9.0, held=True)
    step = arrivals.step()
    assert step is not None
    assert step.size == pytest.approx(2.0)
    assert step.error < 0.5e-3


def test_it_begins_anew() -> None:
    arrivals = _told(5)
    arrivals.add(2.0, 5.0, held=True)
    arrivals.reset()
    assert arrivals.step() is None
