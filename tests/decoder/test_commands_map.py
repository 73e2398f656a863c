"""What `map` says of a map; the map itself: test_mapping.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from decoder import mapping
from decoder.cli import main
from decoder.mapping import MapSettings
from models.layer_map import LayerMap
from tests.decoder.complaining import complaint


def a_map(n_layers: int) -> LayerMap:
    """Return a map whose layer k peaks at bin k, but for the last, which tells nothing."""
    encoding = np.zeros((n_layers, 4, 2))
    encoding[np.arange(n_layers), np.arange(n_layers), 1] = 0.5
    q = np.where(encoding > 0, 0.001, 1.0)
    q[-1] = 1.0
    return LayerMap(
        layers=tuple(f"layer {k}" for k in range(n_layers)),
        times=np.array([0.1, 0.2, 0.3, 0.4]),
        ch_names=("Cz", "Oz"),
        encoding=encoding,
        encoding_q=q,
        ceiling=None,
        decoding=0.5 + encoding[:, :, 1] / 2,
        decoding_q=q[:, :, 1],
        n_stimuli=16,
        n_trials=64,
        n_folds=4,
    )


def test_it_says_where_each_layer_is_most_like_the_brain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[MapSettings] = []

    def found(
        files: Sequence[Path],
        output: Path,
        settings: MapSettings,
        tell: Callable[[str, float], None],
    ) -> LayerMap:
        asked.append(settings)
        tell("done", 1.0)
        return a_map(4)

    monkeypatch.setattr(mapping, "map_recordings", found)
    monkeypatch.setenv("COLUMNS", "120")
    stimuli = tmp_path / "stimuli.tsv"
    options = ("--stimuli", str(stimuli), "--space", "dinov2:x", "--tmax", "0.4")
    layers = ("--layers", "0", "1", "2", "3")
    assert main(["map", "a_raw.fif", *options, *layers, "-o", str(tmp_path)]) == 0
    assert asked == [
        MapSettings(stimuli=stimuli, space="dinov2:x", layers=("0", "1", "2", "3"), tmax=0.4)
    ]
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == str(tmp_path / "map.html")
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if "│" in line]
    assert rows == [
        ["layer 0", "0.50", "100 ms", "0.75", "100 ms"],
        ["layer 1", "0.50", "200 ms", "0.75", "200 ms"],
        ["layer 2", "0.50", "300 ms", "0.75", "300 ms"],
        ["layer 3", "0.50", "no q < .05", "0.75", "400 ms"],
    ]


def test_a_space_without_layers_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    options = ("--stimuli", tmp_path / "none.tsv", "--space", "labels", "-o", tmp_path / "map")
    assert "'labels' has no layers; name a pretrained network" in complaint(
        capfd, "map", "a_raw.fif", *options
    )
    assert not (tmp_path / "map").exists()
