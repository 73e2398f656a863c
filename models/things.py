"""THINGS-EEG2 and THINGS-MEG as they are published, made ready to be fitted.

Gifford et al. 2022 (NeuroImage 264, 119754): ten people, 16,540 pictures four times and 200
others 80 times; the preprocessed arrays are z-scored and filtered over whole sessions. Hebart
et al. 2023 (eLife 12, e82580): four people, 22,248 pictures once and 200 twelve times; raw MEG
as BIDS.
"""

from __future__ import annotations

import csv
import io
import os
import pickle
import warnings
from pathlib import Path
from typing import Any

import mne
import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from models.checkpoint import NON_CAUSAL
from models.dataset import N_BLOCKS
from models.stimuli import Stimulus, StimulusTable
from streaming.errors import RecordingError

__all__ = ["convert_things_eeg2", "convert_things_meg", "load_dict"]

_SETS = {"training": "train", "test": "test"}

_SEED = 0  # of the order of trials, which was not published


def convert_things_eeg2(folder: Path, subject: str, images: Path, output: Path) -> list[Path]:
    """Write one person's preprocessed arrays as epochs, with a table of stimuli.

    Parameters
    ----------
    folder : Path
        Holds ``image_metadata.npy`` and ``sub-01/preprocessed_eeg_training.npy`` and
        ``..._test.npy``.
    subject : str
        Label, such as ``01``.
    images : Path
        Holds ``training_images/00001_aardvark/aardvark_01b.jpg`` and ``test_images/...``.
    output : Path
        Folder that gets ``sub-01_training-epo.fif``, ``sub-01_test-epo.fif`` and
        ``stimuli.tsv``.

    Returns
    -------
    list of Path
        The two files of epochs.

    Raises
    ------
    RecordingError
        If a file is missing, or is not what was published.
    """
    metadata = load_dict(folder / "image_metadata.npy")
    output.mkdir(parents=True, exist_ok=True)
    rows, written = [], []
    for name, short in _SETS.items():
        path = folder / f"sub-{subject}" / f"preprocessed_eeg_{name}.npy"
        arrays = load_dict(path)
        try:
            data = np.asarray(arrays["preprocessed_eeg_data"])
            ch_names, times = list(arrays["ch_names"]), np.asarray(arrays["times"])
            concepts = list(metadata[f"{short}_img_concepts"])
            files = list(metadata[f"{short}_img_files"])
        except KeyError as error:
            msg = f"{path} or image_metadata.npy lacks {error}; download it again"
            raise RecordingError(msg) from error
        expected = (
            len(files),
            data.shape[1] if data.ndim == 4 else 0,
            len(ch_names),
            len(times),
        )
        if data.shape != expected or len(concepts) != len(files):
            msg = (
                f"{path} has shape {data.shape}, expected (pictures, repeats, channels, times) "
                f"with {len(files)} pictures, {len(ch_names)} channels, {len(times)} times"
            )
            raise RecordingError(msg)
        for concept, file in zip(concepts, files, strict=True):
            picture = images / f"{name}_images" / concept / file
            rows.append(_row(Path(file).stem, concept, picture, output, short))
        labels = [row.marker for row in rows[-len(files) :]]
        written.append(output / f"sub-{subject}_{name}-epo.fif")
        _save(data, ch_names, times, labels, written[-1])
    StimulusTable(rows).write(output / "stimuli.tsv")
    return written


def convert_things_meg(root: Path, images: Path, output: Path) -> Path:
    """Write the table of stimuli of the BIDS dataset; its recordings stay as they are.

    Parameters
    ----------
    root : Path
        Of the dataset: holds ``sourcedata/sample_attributes_P1.csv`` and ``sub-BIGMEG1``.
    images : Path
        Holds ``aardvark/aardvark_01b.jpg``.
    output : Path
        The table, such as ``stimuli.tsv``.

    Returns
    -------
    Path
        Of the table. Markers are ``exp/123`` and ``test/45``, as events are read, by the
        number of the picture; catch trials are ignored.

    Raises
    ------
    RecordingError
        If a file is missing, or is not what was published.
    """
    pictures = _pictures(root)
    events = sorted(root.glob("sub-BIGMEG*/ses-*/meg/*_events.tsv"))
    if not events:
        msg = f"{root} has no sub-BIGMEG*/ses-*/meg/*_events.tsv; name the root of THINGS-MEG"
        raise RecordingError(msg)
    rows: dict[str, Stimulus] = {}
    for path in events:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for event in csv.DictReader(file, delimiter="\t"):
                kind, value = event.get("trial_type", ""), event.get("value", "n/a")
                label = f"{kind}/{value if value != 'n/a' else 'na'}"
                if label in rows:
                    continue
                found = pictures.get(_number(value)) if kind in {"exp", "test"} else None
                if found is None:
                    rows[label] = Stimulus(label, "ignore")
                    continue
                folder, name = found
                split = "test" if kind == "test" else "train"
                stem = Path(name).stem
                rows[label] = _row(
                    stem, folder, images / folder / name, output.parent, split, label
                )
    output.parent.mkdir(parents=True, exist_ok=True)
    StimulusTable(rows.values()).write(output)
    return output


def load_dict(path: Path) -> dict[str, Any]:
    """Read a dictionary of arrays that ``numpy.save`` pickled, and let nothing else run.

    Raises
    ------
    RecordingError
        If it is not there, or holds anything but arrays, lists, numbers and text.
    """
    try:
        with path.open("rb") as file:
            version = npy.read_magic(file)
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            read(file)
            loaded = _ArraysOnly(io.BytesIO(file.read())).load()
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror}; name the folder that holds it"
        raise RecordingError(msg) from error
    except (ValueError, EOFError, pickle.UnpicklingError, AttributeError, IndexError) as error:
        msg = f"{path} is no dictionary of arrays ({error}); download it again"
        raise RecordingError(msg) from error
    value = loaded.item() if isinstance(loaded, np.ndarray) and loaded.ndim == 0 else loaded
    if not isinstance(value, dict):
        msg = f"{path} holds a {type(value).__name__}, expected a dictionary; download it again"
        raise RecordingError(msg)
    return value


class _ArraysOnly(pickle.Unpickler):
    """Makes arrays and refuses whatever else a pickle may ask for."""

    def find_class(self, module: str, name: str) -> Any:
        """Return a class or function that makes arrays."""
        if module in {"numpy.core.multiarray", "numpy._core.multiarray"} and name in {
            "_reconstruct",
            "scalar",
        }:
            like = np.zeros(0) if name == "_reconstruct" else np.float64(0)
            return like.__reduce__()[0]
        if (module, name) in {("numpy", "ndarray"), ("numpy", "dtype")}:
            return getattr(np, name)
        if (module, name) == ("_codecs", "encode"):  # bytes, as old protocols write them
            return lambda text, coding: text.encode(coding)
        msg = f"it asks for {module}.{name}"
        raise pickle.UnpicklingError(msg)


def _row(
    stem: str, concept: str, picture: Path, folder: Path, split: str, marker: str = ""
) -> Stimulus:
    """Return what a picture is, with its file relative to the table."""
    plain = concept.split("_", 1)[1] if concept[:5].isdigit() else concept
    number = stem.rpartition("_")[2]
    return Stimulus(
        marker=marker or stem,
        role="stimulus",
        candidate_id=stem,
        concept=plain,
        text=f"{plain.replace('_', ' ')} ({number})",
        stim_file=os.path.relpath(picture.absolute(), folder.absolute()),
        split=split,
    )


def _save(
    data: np.ndarray[Any, Any], ch_names: list[str], times: np.ndarray[Any, Any],
    labels: list[str], path: Path,
) -> None:  # fmt: skip
    """Write (pictures, repeats, channels, times) as epochs, stamped; see `_mixed`."""
    n_pictures, n_repeats = data.shape[:2]
    picture, repeat = _mixed(n_pictures, n_repeats)
    sfreq = (len(times) - 1) / float(times[-1] - times[0])
    info = mne.create_info([str(name) for name in ch_names], round(sfreq, 6), "eeg")
    info["description"] = f"THINGS-EEG2, preprocessed as published: {NON_CAUSAL}"
    number = np.arange(len(picture))
    events = np.stack([number, np.zeros_like(number), picture + 1], axis=1)
    epochs = mne.EpochsArray(
        data[picture, repeat],
        info,
        events,
        tmin=float(times[0]),
        event_id={label: n for n, label in enumerate(labels, 1)},
        verbose="ERROR",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        epochs.save(path, overwrite=True, verbose="ERROR")


def _mixed(n_pictures: int, n_repeats: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return picture and repeat of each trial, in the order in which they are written.

    Pictures were shown at random; the arrays are sorted by picture, and their repeats were
    shuffled, so that nobody knows when a trial was. Left sorted, they would look like a
    design in blocks, of which nothing can be told. A dataset cuts them into `N_BLOCKS` parts:
    each gets whole repeats, and in it the order is random.
    """
    rng = np.random.default_rng(_SEED)
    pictures, repeats = [], []
    for part in np.array_split(np.arange(n_repeats), N_BLOCKS):
        order = rng.permutation(len(part) * n_pictures)
        pictures.append(order % n_pictures)
        repeats.append(part[order // n_pictures])
    return np.concatenate(pictures), np.concatenate(repeats)


def _pictures(root: Path) -> dict[int, tuple[str, str]]:
    """Return folder and name of each picture, by its number."""
    tables = sorted((root / "sourcedata").glob("sample_attributes_P*.csv"))
    if not tables:
        msg = f"{root} has no sourcedata/sample_attributes_P*.csv; name the root of THINGS-MEG"
        raise RecordingError(msg)
    found: dict[int, tuple[str, str]] = {}
    for table in tables:
        with table.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                if row.get("trial_type") not in {"exp", "test"}:
                    continue
                path = Path(row["image_path"])
                found[_number(row["things_image_nr"])] = (path.parent.name, path.name)
    return found


def _number(value: str) -> int:
    """Return an integer that may be written as a float; -1 for none."""
    try:
        return int(float(value))
    except ValueError:
        return -1
