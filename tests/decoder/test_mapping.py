from __future__ import annotations

import colorsys
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from decoder.mapping import MapSettings, map_recordings
from models.stimuli import Stimulus, StimulusTable
from streaming.errors import ConfigError, RecordingError
from tests.models.pretrained import save_dinov2, save_picture
from tests.models.viewer import save_viewer

N_CONCEPTS = 16


@pytest.fixture
def stimuli(tmp_path: Path) -> Path:
    rows = []
    for n in range(N_CONCEPTS):
        red, green, blue = (round(255 * x) for x in colorsys.hsv_to_rgb(n / N_CONCEPTS, 1, 1))
        save_picture(tmp_path / f"{n}.png", f"#{red:02x}{green:02x}{blue:02x}")
        name = f"thing {n}"
        rows.append(Stimulus(name, "stimulus", candidate_id=name, stim_file=f"{n}.png"))
    StimulusTable(rows).write(tmp_path / "stimuli.tsv")
    return tmp_path / "stimuli.tsv"


def test_a_map_is_a_document_and_a_page(stimuli: Path, tmp_path: Path) -> None:
    path, _ = save_viewer(tmp_path, N_CONCEPTS, 4)
    (folder := tmp_path / "network").mkdir()
    space = f"dinov2:{save_dinov2(folder)}"
    told: list[tuple[str, float]] = []
    found = map_recordings(
        [path],
        tmp_path / "map",
        MapSettings(stimuli=stimuli, space=space, layers=("0", "2"), tmax=0.3),
        lambda step, share: told.append((step, share)),
    )
    document = json.loads((tmp_path / "map" / "map.json").read_text())
    assert document["layers"] == ["0", "2"]
    assert document["protocol"] == "zero_shot"
    shape = np.shape(document["encoding"])
    assert shape == (2, len(document["times"]), len(document["ch_names"]))
    assert shape == np.shape(document["encoding_q"]) == found.encoding.shape
    assert np.shape(document["decoding"]) == shape[:2]
    assert shape == np.shape(document["encoding_normalised"])
    page = (tmp_path / "map" / "map.html").read_text()
    assert "Topographies" in page
    assert "layers by latency" in page
    assert [share for _, share in told] == sorted(share for _, share in told)
    assert told[-1] == ("done", 1.0)


def test_a_recording_that_was_named_twice_is_refused(stimuli: Path, tmp_path: Path) -> None:
    (folder := tmp_path / "network").mkdir()
    settings = MapSettings(stimuli=stimuli, space=f"dinov2:{save_dinov2(folder)}", tmax=0.3)
    path, _ = save_viewer(tmp_path, N_CONCEPTS, 2)
    copy = Path(shutil.copy(path, tmp_path / "copy_raw.fif"))
    with pytest.raises(RecordingError, match=r"copy_raw.fif holds the same trials"):
        map_recordings([path, copy], tmp_path / "map", settings)


def test_what_has_no_layers_is_refused(stimuli: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'labels' has no layers; name a pretrained network"):
        map_recordings([], tmp_path / "map", MapSettings(stimuli=stimuli, space="labels"))
    (folder := tmp_path / "network").mkdir()
    settings = MapSettings(
        stimuli=stimuli, space=f"dinov2:{save_dinov2(folder)}", layers=("first",)
    )
    path, _ = save_viewer(tmp_path, N_CONCEPTS, 2)
    with pytest.raises(ConfigError, match="has no layer 'first'; it has 0 to 2"):
        map_recordings([path], tmp_path / "map", settings)
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="is a file; name a folder to write to"):
        map_recordings([path], tmp_path / "file", settings)
