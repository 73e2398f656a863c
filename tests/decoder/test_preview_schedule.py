"""Laws of what is pictured: the newest alone, in time, and nothing is lost from the count."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decoder.preview_schedule import CANCEL, OUTCOMES, Job, Make, Order, Schedule
from tests.examples import examples

DEADLINE = 2.0


def job(number: int, t: float = 0.0) -> Job:
    return Job(f"S/locked/{number}", np.zeros(2, np.float32), number, t - 1, t, t)


def test_after_a_failure_nothing_is_asked_for_a_while() -> None:
    schedule = Schedule(DEADLINE)
    schedule.opened(0.0)
    assert schedule.offer(job(1), 0.0)
    assert schedule.offer(job(2, 0.2), 0.2) == [CANCEL]
    assert schedule.ended("failed", 0.5, 1.0) == []
    assert schedule.offer(job(3, 1.4), 1.4) == []
    assert schedule.counts == {"made": 0, "cancelled": 0, "late": 0, "failed": 3}
    (order,) = schedule.offer(job(4, 1.5), 1.5)
    assert isinstance(order, Make)
    assert order.job.decode_id == "S/locked/4"


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["offer", "newer", "picture", "final", *OUTCOMES, "opened", "died", "stop"]
        ),
        st.sampled_from([0.0, 0.1, 0.5, 1.5, 3.0]),
    ),
    max_size=60,
)


class Worker:
    """Obeys, and checks that what it is told can be done."""

    def __init__(self) -> None:
        self.there = False
        self.making: Job | None = None
        self.cancelled = False

    def obey(self, orders: list[Order]) -> None:
        for order in orders:
            if order is CANCEL:
                assert self.there
                assert self.making is not None
                assert not self.cancelled
                self.cancelled = True
            elif isinstance(order, Make):
                assert self.there
                assert self.making is None
                assert 0 < order.within <= DEADLINE
                self.making, self.cancelled = order.job, False


@given(STEPS)
@examples(300)
def test_laws(steps: list[tuple[str, float]]) -> None:
    schedule, worker = Schedule(DEADLINE), Worker()
    t, n_offered, newest = 0.0, 0, ""
    finished: set[str] = set()
    for what, dt in steps:
        t += dt
        if what == "offer":
            n_offered += 1
            newest = job(n_offered).decode_id
            worker.obey(schedule.offer(job(n_offered, t), t))
        elif what in {"newer", "stop"}:
            newest = ""
            worker.obey(schedule.offer(None, t))
        elif what in {"picture", "final"} and worker.making is not None:
            shown = schedule.pictured(t, final=what == "final")
            if shown is not None:
                assert shown is worker.making
                assert shown.decode_id == newest, "a picture of a decode that is not the newest"
                assert t <= shown.t_text + DEADLINE, "a picture after its deadline"
                assert shown.decode_id not in finished, "a picture after the final one"
                if what == "final":
                    finished.add(shown.decode_id)
        elif what in OUTCOMES and worker.making is not None:
            worker.making = None
            worker.obey(schedule.ended(what, t))
        elif what == "opened" and not worker.there:
            worker.there = True
            worker.obey(schedule.opened(t))
        elif what == "died":
            worker.there, worker.making = False, None
            schedule.died()
        assert schedule.running is worker.making
        n_open = (schedule.running is not None) + (schedule.waiting is not None)
        assert schedule.counts.total() + n_open == n_offered, "a decode was lost"
        assert schedule.counts["made"] <= len(finished)
        assert set(schedule.counts) == set(OUTCOMES)


def test_the_newest_is_next() -> None:
    schedule = Schedule(DEADLINE)
    schedule.opened(0.0)
    (first,) = schedule.offer(job(1), 0.0)
    assert isinstance(first, Make)
    assert schedule.offer(job(2), 0.1) == [CANCEL]
    assert schedule.offer(job(3), 0.2) == []
    assert schedule.pictured(0.3, final=True) is None, "it has been cancelled"
    (second,) = schedule.ended("made", 0.4)
    assert isinstance(second, Make)
    assert second.job.decode_id == "S/locked/3"
    assert schedule.counts["cancelled"] == 2


@pytest.mark.parametrize("t", [1.9, 2.1])
def test_what_would_be_late_is_not_begun(t: float) -> None:
    schedule = Schedule(DEADLINE)
    schedule.offer(job(1), 0.0)
    orders = schedule.opened(t)
    assert len(orders) == (t < DEADLINE)
    assert schedule.counts["late"] == (t > DEADLINE)


def test_what_is_taken_back_was_cancelled() -> None:
    schedule = Schedule(DEADLINE)
    schedule.opened(0.0)
    schedule.offer(job(1), 0.0)
    schedule.pictured(0.1, final=True)
    schedule.withdrawn()
    schedule.ended("made", 0.2)
    assert schedule.counts == {"made": 0, "cancelled": 1, "late": 0, "failed": 0}
    schedule.offer(job(2), 0.3)
    schedule.pictured(0.4, final=True)
    schedule.ended("made", 0.5)
    schedule.withdrawn()
    assert schedule.counts == {"made": 0, "cancelled": 2, "late": 0, "failed": 0}
