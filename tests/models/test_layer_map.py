from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.candidates import Candidates
from models.dataset import Dataset, read_dataset
from models.fit import evoked_chain
from models.layer_map import LayerMap, latency_bins, map_layers
from streaming.errors import ConfigError, EvaluationError
from streaming.window import LockedWindows
from tests.models.viewer import LATENCIES, layers_of, save_viewer

N_CONCEPTS = 40


def read(folder: Path, snr: float, seed: int = 0) -> tuple[Dataset, Candidates]:
    path, table = save_viewer(folder, N_CONCEPTS, snr=snr, seed=seed)
    dataset = read_dataset([path], LockedWindows(0.0, 0.5), table, evoked_chain)
    ids = tuple(table.texts)
    vectors = np.eye(N_CONCEPTS, dtype=np.float32)
    n = len(ids)
    return dataset, Candidates(ids, ids, ("",) * n, (True,) * n, vectors, "network")


def mapped(dataset: Dataset, candidates: Candidates, seed: int = 0) -> LayerMap:
    truth = np.array([candidates.ids.index(shown) for shown in dataset.ids])
    return map_layers(dataset, candidates, truth, layers_of(N_CONCEPTS, seed))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> LayerMap:
    return mapped(*read(tmp_path_factory.mktemp("viewer"), snr=0.7))


def test_layers_come_out_in_the_order_in_which_they_drive_the_brain(found: LayerMap) -> None:
    peaks = [peak for peak in found.peaks if peak is not None]
    assert len(peaks) == len(LATENCIES)
    assert (np.diff(peaks) > 0).all()
    np.testing.assert_allclose(peaks, LATENCIES, atol=0.03)
    assert found.order is not None
    assert found.order[0] == pytest.approx(1)


def test_decoding_tells_each_layer_at_its_time(found: LayerMap) -> None:
    best = found.times[found.decoding.argmax(axis=1)]
    np.testing.assert_allclose(best, LATENCIES, atol=0.045)
    assert (found.decoding.max(axis=1) > 0.58).all()
    before = found.times < 0.02
    assert not (found.decoding_q[:, before] < 0.05).any()


def test_scores_stay_below_the_ceiling_on_average(found: LayerMap) -> None:
    assert found.ceiling is not None
    assert found.ceiling.max() > 0.8
    strong = found.encoding_q < 0.05
    assert 0.3 < found.normalised[strong].mean() < 1.05
    assert (found.normalised[:, found.ceiling < 0.1] == 0).all()


def test_a_brain_that_does_not_answer_gives_an_empty_map(tmp_path: Path) -> None:
    none = mapped(*read(tmp_path, snr=0, seed=3), seed=3)
    assert none.peaks == (None,) * len(LATENCIES)
    assert none.order is None
    assert not (none.encoding_q < 0.05).any()
    assert not (none.decoding_q < 0.05).any()
    # of 5 layers, 23 times and 8 sensors that hang together; negative, as means are taken off
    assert -0.15 < none.encoding.mean() < 0.05


def test_latencies_have_the_delay_of_the_chain_taken_off(tmp_path: Path) -> None:
    dataset, _ = read(tmp_path, snr=0)
    responses, times = latency_bins(dataset)
    assert responses.shape == (len(dataset), len(times), 8)
    assert dataset.delay > 0.01
    later, moved = latency_bins(replace(dataset, delay=dataset.delay + 0.01))
    np.testing.assert_array_equal(responses, later)
    np.testing.assert_allclose(moved, times - 0.01)
    np.testing.assert_allclose(responses[:, 0], dataset.windows[..., :2].mean(-1), rtol=1e-5)
    assert times[0] == pytest.approx(0.005 - dataset.delay)


def test_a_picture_that_two_concepts_share_is_refused(tmp_path: Path) -> None:
    dataset, candidates = read(tmp_path, snr=0.7)
    files = [
        "same.png" if shown in candidates.ids[:2] else f"{shown}.png" for shown in dataset.ids
    ]
    with pytest.raises(EvaluationError, match=r"the stimulus file 'same.png' is in training"):
        mapped(replace(dataset, stim_files=tuple(files)), candidates)


def test_no_layer_is_refused(tmp_path: Path) -> None:
    dataset, candidates = read(tmp_path, snr=0)
    with pytest.raises(ConfigError, match="no layer to map"):
        map_layers(dataset, candidates, np.zeros(len(dataset), int), {})
