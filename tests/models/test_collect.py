from __future__ import annotations

from pathlib import Path

import pytest

from models.collect import Collector
from models.stimuli import Stimulus
from streaming.errors import RecordingError
from streaming.sources.recording import RecordingSource
from tests.models.test_dataset import EVENTS, TABLE, WINDOWS, make_chain, record


def collector(path: Path) -> tuple[Collector, RecordingSource]:
    source = RecordingSource(path)
    chain = make_chain(source.spec)
    return Collector(path, source.spec, chain, WINDOWS, TABLE), source


def test_what_was_taken_is_not_kept(tmp_path: Path) -> None:
    marked = [*EVENTS[:10], (14.9, "go"), *EVENTS[10:20], (19.9, "what")]
    found, source = collector(record(tmp_path / "a_raw.fif", marked))
    taken: list[tuple[Stimulus, int]] = []
    while (item := source.read(0.0)) is not None:
        found.feed(item)
        taken += found.take()
        assert found.windows == []
    assert [stimulus.candidate_id for stimulus, _ in taken] == ["face", "house"] * 10
    assert [run for _, run in taken] == [0] * 10 + [1] * 10
    assert found.roles == {"stimulus": 20, "run_start": 1, "unknown": 1}
    found.check_shown()


def test_a_recording_without_stimuli_is_refused(tmp_path: Path) -> None:
    found, source = collector(record(tmp_path / "a_raw.fif", [(3.0, "beep"), (4.0, "beep")]))
    while (item := source.read(0.0)) is not None:
        found.feed(item)
    with pytest.raises(RecordingError, match=r"none of the events face, house.*beep \(2\)"):
        found.check_shown()
    assert not found.windows
