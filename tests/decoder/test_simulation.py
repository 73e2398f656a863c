from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

from decoder.order_check import OrderCheck
from decoder.randomisation import Design, Draws
from decoder.simulation import (
    CANDIDATES,
    LIVE,
    RECORDING,
    STIMULI,
    live_participant,
    save_calibration,
    save_live,
)
from models.candidates import demo_concepts, read_candidates
from models.spaces import LabelSpace
from models.stimuli import StimulusTable
from streaming.signal import Marker
from streaming.sources.recording import RecordingSource
from streaming.sources.simulated import SimulatedSettings

SETTINGS = SimulatedSettings(n_channels=8)


def test_calibration_is_what_a_lab_would_have(tmp_path: Path) -> None:
    save_calibration(SETTINGS, 30, tmp_path)
    table = StimulusTable.read(tmp_path / STIMULI)
    pool = read_candidates(tmp_path / CANDIDATES, LabelSpace())
    concepts = demo_concepts()
    assert pool.ids == concepts.ids
    assert pool.trained == concepts.trained
    assert sum(pool.trained) == 200
    shown = RecordingSource(tmp_path / RECORDING).labels
    assert len(shown) == 30
    for label in shown:
        stimulus = table.find(label)
        assert stimulus is not None
        index = pool.index(stimulus.candidate_id)
        assert index is not None
        assert pool.trained[index]


def test_live_half_of_what_is_shown_was_never_seen(tmp_path: Path) -> None:
    concepts = demo_concepts()
    trained = dict(zip(concepts.ids, concepts.trained, strict=True))
    source = live_participant(SETTINGS, n_trials=200)
    save_calibration(SETTINGS, 1, tmp_path)
    draws = Draws(Design(), StimulusTable.read(tmp_path / STIMULI))
    order = OrderCheck([row.candidate_id for row in draws.rows], draws.base)
    seen: Counter[bool] = Counter()
    labels: set[str] = set()
    while (item := source.read(0.0)) is not None:
        if isinstance(item, Marker):
            draw = draws.come(item.label)
            assert draw is not None
            order.add(draw.row, draw.expected)
            seen[trained[item.label]] += 1
            labels.add(item.label)
    assert 70 < seen[True] < 130  # one seed in 20,000 is beyond
    assert len(labels) < 190  # drawn anew, and not used up
    assert (draws.name, order.warning) == ("independent", "")


def test_what_would_be_sent_can_be_recorded(tmp_path: Path) -> None:
    settings = replace(SETTINGS, lead=5.0)
    save_live(settings, 6, tmp_path)
    recorded, source = RecordingSource(tmp_path / LIVE), live_participant(settings, n_trials=6)
    sent: list[Marker] = []
    while (item := source.read(0.0)) is not None:
        sent += [item] if isinstance(item, Marker) else []
    assert sorted(recorded.labels) == sorted(marker.label for marker in sent)
    assert sent[0].sample == 5 * settings.sfreq
