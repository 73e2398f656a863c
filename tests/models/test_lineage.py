"""What a model and its ancestors have seen: nobody scores it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import mne
import numpy as np
import pytest
from numpy.typing import NDArray

from decoder.events import LatentMade, TextDecoded
from decoder.refitter import Refitter, Trial
from decoder.runtime import Audience
from models.checkpoint import load_model, save_model
from models.dataset import Dataset, read_through
from models.fit import fit_model
from models.heldout import predict
from models.lineage import (
    check_fresh,
    joined,
    seen_in,
    sessions_of,
    spans_of,
    window_hashes,
    without_seen,
)
from streaming.errors import EvaluationError
from streaming.sources.recording import RecordingSource
from streaming.window import LockedWindows
from tests.decoder.learning import learner, trials
from tests.decoder.sessions import record_source
from tests.decoder.tiny import SPEC, signal
from tests.models.test_fit import dataset, labels


def part_of(session: str, n: int = 20) -> Dataset:
    """Return windows of 0.4 s every 2 s, that a recording says are of a session."""
    made = replace(dataset(n), sessions=(session,), hashes=("another",))
    return replace(made, windows=data_of(n))


def data_of(n: int) -> NDArray[np.float32]:
    """Return the samples of n windows, none of which is zero."""
    return 1 + np.random.default_rng(7).random((n, 3, 40), np.float32)


def test_hashes_are_of_samples_alone() -> None:
    data = dataset()
    other = data.windows.copy()
    other[3, 0, 0] += 1e-6
    same = window_hashes(other) == window_hashes(data.windows)
    assert np.flatnonzero(~same).tolist() == [3]
    assert len(np.unique(window_hashes(data.windows))) == len(data)


def test_all_generations_are_known(tmp_path: Path) -> None:
    first = fit_model(dataset(), labels()).model
    second_day = replace(part_of("B", 60), ids=dataset(60).ids)
    second = fit_model(second_day, labels(), parent=first).model
    third_day = replace(
        second_day, windows=second_day.windows[::-1], sessions=("C",), hashes=("third",)
    )
    third = fit_model(third_day, labels(), parent=second).model
    save_model(third, tmp_path / "third")
    third = load_model(tmp_path / "third")
    assert set(sessions_of(third)) == {"B", "C"}
    for known in (dataset(), second_day, third_day):
        with pytest.raises(EvaluationError, match="would score what it remembers"):
            check_fresh(third, known)
        with pytest.raises(EvaluationError, match="would score what it remembers"):
            predict(third, known, "closed_set")
        # neither another name, nor another table, nor half of it makes it unknown
        cut = replace(known.take(np.arange(len(known)) % 2 == 0), hashes=("x",), sessions=())
        assert seen_in(third, replace(cut, ids=cut.ids[::-1]))[0].all()
    check_fresh(third, replace(part_of("D"), hashes=("unknown",), windows=-data_of(20)))


def test_exactly_what_was_seen_of_a_session_is_left_out() -> None:
    model = fit_model(dataset(), labels()).model
    data = part_of("S")
    learnt = {"sessions": {"S": [[14.0, 14.4], [20.1, 20.2], [26.399, 28.001]]}}
    model = replace(model, training={**model.training, **learnt})
    left, note = without_seen(model, data)
    assert sorted(set(data.t) - set(left.t)) == [14.0, 20.0]
    assert left.withheld["known"] == 2
    assert "2 of 20 trials are left out" in note
    assert "session S" in note
    assert not seen_in(model, part_of("other"))[0].any()
    everything = replace(model, training={**model.training, "sessions": {"S": [[0, 99]]}})
    with pytest.raises(EvaluationError, match="all of recording 1 would score"):
        without_seen(everything, data)


def test_stretches_are_joined_as_they_lie() -> None:
    assert joined([(1.0, 2.0)], [(2.0, 3.0), (5.0, 6.0)], []) == ((1.0, 3.0), (5.0, 6.0))
    assert spans_of(part_of("S", 2)) == {"S": ((10.0, 10.4), (12.0, 12.4))}
    assert spans_of(dataset()) == {}
    two = replace(part_of("S", 2), sessions=("S", "T"), hashes=("x", "y"))
    assert set(spans_of(two)) == {"S"}, "nothing was cut of the other"


def test_a_refit_names_what_it_used_and_its_session() -> None:
    model = learner()
    refitter = Refitter(model, "S")
    used: list[Trial] = []
    while len(sessions_of(refitter.model).get("S", ())) < 100:  # more than one generation
        for trial in trials(refitter.model, 10, 0.5 - len(used) // 150, seed=len(used)):
            span = (float(len(used)), len(used) + 0.2)
            used.append(replace(trial, span=span))
            refitter.take(used[-1])
    made = refitter.model
    n = len(sessions_of(made)["S"])
    assert sessions_of(made)["S"] == tuple(trial.span for trial in used[:n])
    found = window_hashes(np.stack([trial.data for trial in used]))
    assert np.isin(found, made.seen).tolist() == [k < n for k in range(len(used))]


def test_what_is_decoded_live_is_found_in_the_recording_by_time_and_by_samples(
    tmp_path: Path,
) -> None:
    raw = mne.io.RawArray(signal(3000), SPEC.to_info(), verbose="error")
    raw.set_annotations(mne.Annotations(np.arange(8, 28.7, 0.8), 0.0, ["face", "house"] * 13))
    raw.save(tmp_path / "one_raw.fif", verbose="error")
    live: list[tuple[TextDecoded, LatentMade]] = []
    model = learner()
    folder, _ = record_source(
        tmp_path,
        lambda tap: RecordingSource(tmp_path / "one_raw.fif", tap=tap),
        model=model,
        audience=Audience(on_decode=lambda decoded, made: live.append((decoded, made))),
    )
    assert isinstance(model.windowing, LockedWindows)
    offline = read_through(
        [folder.raw], model.windowing, model.stimuli, model.chain(), model.spec
    )
    assert offline.sessions == ("S",)
    assert len(offline) == len(live) > 20
    spans = [[decoded.t_start, decoded.t_end] for decoded, _ in live[:5]]
    by_time = replace(model, training={"sessions": {"S": spans}})
    data = [made.data for _, made in live[:5] if made.data is not None]
    by_samples = replace(model, seen=window_hashes(np.stack(data)))
    for known in (by_time, by_samples):
        assert np.flatnonzero(seen_in(known, offline)[0]).tolist() == list(range(5))


def test_models_of_older_versions_stay_what_they_are(tmp_path: Path) -> None:
    older = learner()
    assert not older.seen.size
    save_model(older, tmp_path / "model")
    assert load_model(tmp_path / "model").model_id == older.model_id
    assert not seen_in(older, part_of("S"))[0].any()
