from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from decoder.appraising import Appraisal, Appraiser
from decoder.calibrating import Calibration, Ended, Plan, recorded, taking_in
from decoder.config import Config, SessionConfig
from decoder.folder import SessionFolder
from decoder.tally import Tally
from streaming.errors import SourceError
from streaming.ingest import Fed
from streaming.signal import SourceState
from tests.decoder.calibrations import WHO, live, settings

NEVER = 1_000_000


class Given:
    """A feed that gives what it was given; the clock stands at its newest sample."""

    n_dropped = 0

    def __init__(self, items: Iterator[Fed]) -> None:
        self._items = items
        self.ended = False
        self.t = 0.0

    def get(self, timeout: float) -> Fed | None:
        fed = next(self._items, None)
        self.ended = fed is None
        self.t += 0.3  # each look is shown
        return fed


def calibrate(
    folder: Path, feed: Given, plan: Plan, keys: str = "", *, stop: bool = False
) -> tuple[Ended, Tally, list[str]]:
    tally = Tally(WHO.spec, plan.settings)
    appraiser = Appraiser(plan.settings, first=NEVER)
    calibration = Calibration(
        plan, feed, tally, appraiser, list, lambda: min(feed.t, tally.newest)
    )
    stopping = threading.Event()
    if stop:
        stopping.set()
    news: list[str] = []

    def view(tally: Tally, appraisal: Appraisal | None, said: str, busy: bool) -> None:
        assert appraisal is None
        assert not busy
        news.append(said)

    return calibration.run(stopping, view, lambda: keys), tally, news


def test_it_ends_with_the_run_and_the_last_window(tmp_path: Path) -> None:
    plan = Plan(settings=settings(tmp_path))
    why, tally, news = calibrate(tmp_path, Given(live(20)), plan)
    assert why == "run_end"
    assert tally.n_windows + tally.withheld.total() == 20
    assert news


def test_it_goes_on_until_all_runs_are_over(tmp_path: Path) -> None:
    plan = Plan(settings=settings(tmp_path), n_runs=2)
    why, tally, _ = calibrate(tmp_path, Given(live(10)), plan)
    assert why == "source"
    assert tally.n_ended == 1


def test_minutes_end_it(tmp_path: Path) -> None:
    plan = Plan(settings=settings(tmp_path), minutes=0.1)
    why, tally, _ = calibrate(tmp_path, Given(live(30)), plan)
    assert why == "minutes"
    assert 6 <= tally.seconds < 9


@pytest.mark.parametrize(
    ("keys", "stop", "why"), [("xF", False, "key"), ("x", True, "stopped")]
)
def test_people_end_it(tmp_path: Path, keys: str, stop: bool, why: str) -> None:
    plan = Plan(settings=settings(tmp_path))
    assert calibrate(tmp_path, Given(live(20)), plan, keys, stop=stop)[0] == why


def test_a_participant_who_stops_is_heard(tmp_path: Path) -> None:
    def items() -> Iterator[Fed]:
        yield from list(live(20))[:30]
        yield Fed(SourceState("lost", 1.0, "no samples for 2 s"), 0, 1.0)
        yield Fed(SourceState("stopped", 1.0, "the participant", "session"), 0, 1.0)
        raise AssertionError("nothing is taken after it")

    plan = Plan(settings=settings(tmp_path))
    why, _, news = calibrate(tmp_path, Given(items()), plan)
    assert why == "withdrawn"
    assert "no samples for 2 s" in news


def test_recordings_come_in_their_order(tmp_path: Path) -> None:
    for n in range(1, 12):
        (tmp_path / ("raw.xdf" if n == 1 else f"raw-{n}.xdf")).touch()
    names = [path.name for path in recorded(SessionFolder(tmp_path))]
    assert names[:3] == ["raw.xdf", "raw-2.xdf", "raw-3.xdf"]
    assert names[-1] == "raw-11.xdf"


def test_a_recording_that_was_given_up_hides_none_after_it(tmp_path: Path) -> None:
    """Taking in that begins again and finds no stream leaves a number that no file has."""
    for name in ("raw.xdf", "raw-4.xdf", "raw-12.xdf"):
        (tmp_path / name).touch()
    names = [path.name for path in recorded(SessionFolder(tmp_path))]
    assert names == ["raw.xdf", "raw-4.xdf", "raw-12.xdf"]


def test_a_recording_in_which_nothing_was_shown_is_not_fitted(tmp_path: Path) -> None:
    """Such as one that begins after the last stimulus: a fit would refuse them all."""
    there = [tmp_path / "raw.xdf", tmp_path / "raw-2.xdf"]
    plan = Plan(settings=settings(tmp_path))
    tally = Tally(WHO.spec, plan.settings)
    items = list(live(5))
    last = max(n for n, fed in enumerate(items) if tally.counts(fed.item))
    feed = Given(
        replace(fed, recording="raw-2.xdf" if n > last else "raw.xdf")
        for n, fed in enumerate(items)
    )
    appraiser = Appraiser(plan.settings, first=NEVER)
    calibration = Calibration(plan, feed, tally, appraiser, lambda: there, lambda: tally.newest)
    assert calibration.recordings() == there  # nothing was shown yet: a fit says so
    assert calibration.run(threading.Event(), lambda *_: None, str) == "run_end"
    assert calibration.recordings() == there[:1]


def test_where_there_is_no_stream_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def no_stream(folder: SessionFolder, stop: threading.Event) -> Iterator[None]:
        assert folder.config().session.stop_markers == ("stop",)
        raise SourceError("there is no such stream")
        yield

    monkeypatch.setattr("decoder.calibrating.ingest_process", no_stream)
    config = Config(session=SessionConfig(record=tmp_path / "sessions"))
    plan = Plan(settings=settings(tmp_path))
    with (
        pytest.raises(SourceError, match="no such stream"),
        taking_in(config, plan, threading.Event()),
    ):
        pass
    assert list((tmp_path / "sessions").iterdir()) == []
