from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from decoder.picturing import PictureSettings, choose_trials, make_pictures, read_seen
from models.generator import OPENERS
from streaming.errors import ConfigError
from tests.decoder.painter import Painter, colours
from tests.decoder.shown import N_THINGS, predicted, save_shown, things

FILES = tuple(f"{n}.png" for n in range(N_THINGS))


def test_trials_are_drawn_by_lot_from_all_things_and_runs() -> None:
    held_out = predicted(0.0)
    rows = choose_trials(held_out, FILES, 24)
    assert len(set(rows.tolist())) == 24
    assert sorted(held_out.truth[rows[:12]].tolist()) == list(range(12))
    assert set(np.bincount(held_out.truth[rows]).tolist()) == {2}
    assert set(held_out.groups[rows].tolist()) == {0, 1, 2, 3}
    np.testing.assert_array_equal(rows[:5], choose_trials(held_out, FILES, 5))


def test_what_was_decoded_has_no_part_in_the_draw() -> None:
    good, bad = predicted(0.0), predicted(5.0)
    np.testing.assert_array_equal(choose_trials(good, FILES, 20), choose_trials(bad, FILES, 20))


def test_trials_of_unknown_pictures_are_not_drawn() -> None:
    rows = choose_trials(predicted(0.0), FILES[:3], 96)
    assert set(predicted(0.0).truth[rows].tolist()) == {0, 1, 2}


def test_each_fold_has_its_own_generator_and_each_trial_its_own_seed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(OPENERS, "paint", Painter)
    held_out, shown = predicted(0.1), things()
    centres = [np.full(12, 0.2 * n, np.float32) for n in range(4)]
    rows = choose_trials(held_out, FILES, 12)
    told: list[float] = []
    made = make_pictures(
        held_out, shown, centres, rows, PictureSettings(generator="paint:"), told.append
    )
    assert told[-1] == 1
    assert len(made.decoded) == len(made.true) == len(made.prior) == 12
    assert made.kind == "generated"
    for number, row in enumerate(rows.tolist()):
        noise = np.random.default_rng(row).integers(0, 40, (32, 32, 3))
        for pixels, vector in (
            (made.decoded[number], held_out.latents[row]),
            (made.true[number], shown.vectors[held_out.truth[row]]),
            (made.prior[number], centres[held_out.fold[row]]),
        ):
            expected = np.clip(colours(vector).astype(int) + noise, 0, 255)
            np.testing.assert_array_equal(pixels, expected)


def test_without_pictures_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    settings = save_shown(tmp_path)
    with pytest.raises(ConfigError, match=r"no trial names the picture.*column stim_file"):
        read_seen(["", ""], settings, tmp_path)
    with pytest.raises(ConfigError, match=r"all trials show 1\.png"):
        read_seen(["1.png", "1.png"], settings, tmp_path)
    with pytest.raises(ConfigError, match=r"gone\.png is not there.*--pictures-from"):
        read_seen(["1.png", "gone.png"], settings, tmp_path)
    with pytest.raises(ConfigError, match="embeds no pictures"):
        read_seen(["1.png", "2.png"], replace(settings, space="labels"), tmp_path)


def test_pictures_are_read_once_each_and_from_the_folder_that_is_named(tmp_path: Path) -> None:
    settings = save_shown(tmp_path)
    elsewhere = replace(settings, folder=tmp_path)
    seen = read_seen(["2.png", "1.png", "2.png", ""], elsewhere, tmp_path / "nowhere", side=16)
    assert seen.files == ("1.png", "2.png")
    assert seen.pictures.shape == (2, 16, 16, 3)
    assert len(seen.embedded) == 2
