from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from decoder.fitting import FitSettings, fit_recordings
from decoder.session import Session
from models.checkpoint import load_model
from models.epochs import are_epochs, read_epochs
from models.stimuli import StimulusTable
from models.things import convert_things_eeg2, convert_things_meg, load_dict
from streaming.errors import ModelError, RecordingError
from streaming.sources.bids import find_recordings
from streaming.window import LockedWindows
from tests.models.things_tree import save_things_eeg2, save_things_meg

N_TRAIN, N_TEST = 24, 6


@pytest.fixture(scope="module")
def eeg2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree like the published one, converted."""
    root = tmp_path_factory.mktemp("things-eeg2")
    save_things_eeg2(root, N_TRAIN, N_TEST)
    convert_things_eeg2(root, "01", root / "images", root / "out")
    return root


def test_arrays_become_epochs_and_a_table(eeg2: Path) -> None:
    table = StimulusTable.read(eeg2 / "out" / "stimuli.tsv")
    assert len(table.rows) == N_TRAIN * 2 + N_TEST
    row = table.rows[1]
    assert (row.marker, row.concept, row.split) == ("thing_a_02s", "thing_a", "train")
    assert table.files("thing_a_02s")[0].resolve().is_file()
    assert sum(row.split == "test" for row in table.rows) == N_TEST
    paths = [eeg2 / "out" / f"sub-01_{name}-epo.fif" for name in ("training", "test")]
    assert are_epochs(paths)
    dataset = read_epochs(paths, LockedWindows(0.0, 0.5), table)
    arrays = load_dict(eeg2 / "sub-01" / "preprocessed_eeg_training.npy")
    expected = arrays["preprocessed_eeg_data"][3, :, :, 20:70]  # 0 to 0.5 s
    found = dataset.windows[np.array(dataset.ids) == "thing_b_02s"]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert len(dataset) == N_TRAIN * 2 * 2 + N_TEST * 10
    assert dataset.spec.sfreq == 100
    with pytest.raises(RecordingError, match=r"has epochs from -0.2 to 0.79 s, not 0 to 1.2 s"):
        read_epochs(paths, LockedWindows(0.0, 1.2), table)
    with pytest.raises(RecordingError, match="is no file of epochs, but others are"):
        are_epochs([*paths, "raw.fif"])


def test_the_kept_pictures_are_found_among_each_other(eeg2: Path, tmp_path: Path) -> None:
    """Zero-shot, among the kept ones alone; and the model says what it cannot be used for."""
    paths = [eeg2 / "out" / f"sub-01_{name}-epo.fif" for name in ("training", "test")]
    settings = FitSettings(
        stimuli=eeg2 / "out" / "stimuli.tsv", space="efficientnet", tmax=0.5, encoder="ridge"
    )
    fitted = fit_recordings(paths, tmp_path / "m", settings)
    model, evaluation = fitted.model, fitted.evaluation
    assert (evaluation.protocol, evaluation.pool, evaluation.n) == ("zero_shot", N_TEST, 60)
    # exact, whatever was answered: each part of the test has all pictures equally often
    assert evaluation.top1.chance == pytest.approx(1 / N_TEST, abs=1e-12)
    assert fitted.problem.order.kind == "random"
    assert evaluation.p_value is not None
    saved = load_model(tmp_path / "m")
    assert saved.training["input"] == "non-causal input"
    with pytest.raises(ModelError, match=r"has non-causal input: .* fit one to raw recordings"):
        Session(saved, model.spec, "S")


def test_a_pickle_that_runs_something_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return print, ("executed",)

    path = tmp_path / "a.npy"
    np.save(path, np.array({"x": Evil()}, dtype=object), allow_pickle=True)
    with pytest.raises(RecordingError, match=r"it asks for builtins.print"):
        load_dict(path)
    path.write_bytes(pickle.dumps({"x": 1}))
    with pytest.raises(RecordingError, match="is no dictionary of arrays"):
        load_dict(path)
    np.save(path, np.array([None]), allow_pickle=True)
    with pytest.raises(RecordingError, match="holds a ndarray, expected a dictionary"):
        load_dict(path)
    with pytest.raises(RecordingError, match="No such file or directory; name the folder"):
        load_dict(tmp_path / "none.npy")


def test_arrays_of_another_shape_are_refused(tmp_path: Path) -> None:
    save_things_eeg2(tmp_path, 4, 3)
    path = tmp_path / "sub-01" / "preprocessed_eeg_test.npy"
    arrays = load_dict(path)
    np.save(path, np.array({**arrays, "times": arrays["times"][1:]}, dtype=object))
    with pytest.raises(RecordingError, match=r"shape \(3, 10, 6, 100\), expected .* 99 times"):
        convert_things_eeg2(tmp_path, "01", tmp_path / "images", tmp_path / "out")
    np.save(path, np.array({"preprocessed_eeg_data": np.zeros(3)}, dtype=object))
    with pytest.raises(RecordingError, match="lacks 'ch_names'; download it again"):
        convert_things_eeg2(tmp_path, "01", tmp_path / "images", tmp_path / "out")


def test_things_meg_is_fitted_from_its_own_recordings(tmp_path: Path) -> None:
    root = tmp_path / "bids"
    save_things_meg(root, tmp_path / "images")
    path = convert_things_meg(root, tmp_path / "images", tmp_path / "out" / "stimuli.tsv")
    table = StimulusTable.read(path)
    found = table.find("test/3")
    assert found is not None
    assert (found.candidate_id, found.concept, found.split) == (
        "thing_d_01b",
        "thing_d",
        "test",
    )
    assert table.files("thing_d_01b")[0].resolve().is_file()
    catch = table.find("catch/na")
    assert catch is not None
    assert catch.role == "ignore"
    recordings = find_recordings(root, subject="BIGMEG1")
    assert len(recordings) == 2
    settings = FitSettings(
        stimuli=path, space="efficientnet", picks="meg", tmax=0.4, encoder="ridge"
    )
    fitted = fit_recordings(recordings, tmp_path / "m", settings)
    evaluation = fitted.evaluation
    assert (evaluation.protocol, evaluation.pool) == ("zero_shot", 4)
    with pytest.raises(RecordingError, match="name the root of THINGS-MEG"):
        convert_things_meg(tmp_path, tmp_path, tmp_path / "x.tsv")
