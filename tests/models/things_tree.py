"""Tiny trees of files laid out as THINGS-EEG2 and THINGS-MEG are."""

from __future__ import annotations

import colorsys
import json
import string
import warnings
from pathlib import Path

import mne
import mne_bids
import numpy as np

from tests.models.pretrained import save_picture

__all__ = ["save_things_eeg2", "save_things_meg"]


def _concepts(n: int, start: int = 0) -> list[str]:
    letters = string.ascii_lowercase
    return [f"thing_{letters[k // 26 - 1] if k >= 26 else ''}{letters[k % 26]}"
            for k in range(start, start + n)]  # fmt: skip


def _colour(n: int) -> str:
    rgb = colorsys.hsv_to_rgb((n * 0.618) % 1, 1, 1)
    return "#" + "".join(f"{round(255 * x):02x}" for x in rgb)


def save_things_eeg2(root: Path, n_train: int, n_test: int) -> None:
    """Concepts of two pictures each, twice, and others of one picture, ten times."""
    rng = np.random.default_rng(0)
    metadata: dict[str, list[str]] = {}
    for name, short, n, n_pictures, n_repeats in (
        ("training", "train", n_train, 2, 2),
        ("test", "test", n_test, 1, 10),
    ):
        start = 0 if short == "train" else n_train
        concepts = [f"{k:05d}_{c}" for k, c in enumerate(_concepts(n, start), 1)]
        folders = [concept for concept in concepts for _ in range(n_pictures)]
        files = [
            f"{concept.split('_', 1)[1]}_{k:02d}s.jpg"
            for concept in concepts
            for k in range(1, n_pictures + 1)
        ]
        metadata[f"{short}_img_concepts"] = folders
        metadata[f"{short}_img_files"] = files
        for k, (folder, file) in enumerate(zip(folders, files, strict=True)):
            path = root / "images" / f"{name}_images" / folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            save_picture(path, _colour(start * 2 + k))
        arrays = {
            "preprocessed_eeg_data": rng.standard_normal((len(files), n_repeats, 6, 100)),
            "ch_names": ["Pz", "P3", "P4", "O1", "Oz", "O2"],
            "times": np.round(np.arange(-20, 80) / 100, 2),
        }
        (root / "sub-01").mkdir(parents=True, exist_ok=True)
        np.save(
            root / "sub-01" / f"preprocessed_eeg_{name}.npy",
            np.array(arrays, dtype=object),
            allow_pickle=True,
        )
    np.save(root / "image_metadata.npy", np.array(metadata, dtype=object), allow_pickle=True)


def save_things_meg(root: Path, images: Path) -> None:
    """Two runs of one person: sixteen pictures once, four others eight times, a catch trial."""
    rng = np.random.default_rng(0)
    names = [f"{concept}_01b" for concept in _concepts(20)]
    for n, name in enumerate(names):
        path = images / name.rpartition("_")[0] / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_picture(path, _colour(n))
    lines = ["trial_type,image_path,things_image_nr,session_nr,run_nr"]
    for n, name in enumerate(names):
        kind = "test" if n < 4 else "exp"
        folder = name.rpartition("_")[0]
        lines.append(f"{kind},images_meg/{folder}/{name}.jpg,{n}.0,1,1")
    lines.append("catch,images_catch_meg/1.jpg,,1,1")
    (root / "sourcedata").mkdir(parents=True)
    (root / "sourcedata" / "sample_attributes_P1.csv").write_text("\n".join(lines))
    for run in ("01", "02"):
        shown = [("exp", str(n)) for n in range(4, 20)]
        shown += [("test", str(n)) for n in range(4) for _ in range(4)] + [("catch", "n/a")]
        onsets = 10 + np.arange(len(shown))
        info = mne.create_info(["MEG0111", "MEG0112", "MEG0113"], 200.0, "mag")
        info["line_freq"] = 60
        data = 1e-13 * rng.standard_normal((3, 200 * 48))
        path = mne_bids.BIDSPath(
            subject="BIGMEG1", session="01", task="main", run=run, datatype="meg", root=root
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            raw = mne.io.RawArray(data, info, verbose="error")
            mne_bids.write_raw_bids(
                raw, path, allow_preload=True, format="FIF", verbose="error"
            )
        rows = ["onset\tduration\ttrial_type\tvalue\tsample"]
        order = rng.permutation(len(shown))
        for onset, k in zip(onsets, order, strict=True):
            kind, value = shown[k]
            rows.append(f"{onset}\t0.5\t{kind}\t{value}\t{onset * 200}")
        events = (
            root
            / "sub-BIGMEG1"
            / "ses-01"
            / "meg"
            / f"sub-BIGMEG1_ses-01_task-main_run-{run}_events.tsv"
        )
        events.write_text("\n".join(rows) + "\n")
    assert json.loads((root / "dataset_description.json").read_text())["BIDSVersion"]
