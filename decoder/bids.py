"""Write a session as a dataset that other people's tools read: BIDS, by mne-bids."""

from __future__ import annotations

import json
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from decoder.brainvision import MICROVOLTS, write_header
from decoder.config import BidsConfig
from decoder.folder import SessionFolder, open_folder
from decoder.journal import place, read_entries
from decoder.pool import N_TOP
from decoder.reading import read_log, signal_of, store_recorded
from decoder.rowfile import RowFile, RowWriter
from decoder.rowraw import rows_as_raw
from decoder.timeline import Timeline
from decoder.xdf import copy_anonymised
from streaming.errors import SessionError

if TYPE_CHECKING:
    import mne
    from mne_bids import BIDSPath

__all__ = ["Exported", "export_bids"]

_MEG = {"mag", "grad", "ref_meg"}

_TRIAL_TYPE = (
    "What the experiment sent as marker; BAD_ACQ_SKIP: samples were lost here, and the file "
    "holds zeros; EDGE boundary: samples on both sides are not neighbours; BAD_unplaced: "
    "recorded, but never decoded, so that losses in it were not looked for, or some were found "
    "too late to know where in it"
)

_DECODES = {
    "onset": ("Start of the window that was decoded, from the start of the recording", "s"),
    "duration": ("Length of that window", "s"),
    "sample": ("Index of its first sample in the recording", ""),
    "decode_id": ("Name of the decode, the same in every replay", ""),
    "revision": ("Which answer under that name, from 0; a later one takes its place", ""),
    "final": ("Whether no later one came; only such have a truth", ""),
    "abstained": ("Why there is no decode; n/a if there is one", ""),
    "stale": ("Whether it came later than the freshness deadline", ""),
    "truth": ("What was really shown, told after the decode", ""),
    "truth_rank": ("Place of the truth in the ranking of all candidates, from 1", ""),
    "latency": ("From the newest sample's timestamp to the decode", "s"),
    "quality": ("Share of its samples that were measured, and not filled in for lost ones", ""),
    "revised": ("Whether samples in it or before it were found to be lost after it", ""),
    "calibrated": ("Whether the probabilities were fitted for this model and candidates", ""),
}


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Parameters
    ----------
    path : Path
        The recording in the dataset.
    n_times, n_events, n_decodes : int
        Samples (with the gaps), events and decodes.
    n_outside : int
        Markers that lie outside the recording, and so are in no table.
    n_gaps : int
        Gaps that were put back in their places.
    """

    path: Path
    n_times: int
    n_events: int
    n_decodes: int
    n_outside: int
    n_gaps: int


def export_bids(
    session: Path, root: Path, labels: Mapping[str, str | None], *, anonymise: bool = False
) -> Exported:
    """Add a session to a BIDS dataset.

    EEG is written as BrainVision and MEG as FIF, both float32. Lost samples are zeros of the
    length of the loss, annotated ``BAD_ACQ_SKIP``, so that onsets are true times; nothing is
    glued.

    Parameters
    ----------
    session : Path
        The session's folder; also one that was cut short.
    root : Path
        The dataset; made if it is not there.
    labels : mapping
        ``subject``, ``session``, ``task`` and ``run``, each in place of what was said to
        ``serve`` unless it is None.
    anonymise : bool
        Move the date before 1925, as BIDS has it, and leave out of XDF and decodes whatever
        names a machine, a person or a day.

    Raises
    ------
    ConfigError
        If a label is not one.
    SessionError
        If the session holds no samples or has no subject, or the dataset holds it already.
    """
    folder = open_folder(session)
    manifest = folder.manifest()
    given = {k: v for k, v in labels.items() if v is not None}
    called = BidsConfig.of(**(manifest["bids"] | given))
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".braincast-", dir=root) as scratch:
            return _export(folder, root, called, Path(scratch), anonymise=anonymise)
    except OSError as error:
        msg = f"cannot write to {root} ({error}); name another folder with --bids"
        raise SessionError(msg) from error


def _export(
    folder: SessionFolder, root: Path, called: BidsConfig, scratch: Path, *, anonymise: bool
) -> Exported:
    manifest = folder.manifest()
    recorded, rows = store_recorded(folder, scratch)
    if not recorded.n_rows:
        msg = f"{folder.path} holds no samples: there is nothing to export"
        raise SessionError(msg)
    sfreq = manifest["signal"]["sfreq"]
    entries = place(read_entries(folder.inputs), rows)
    timeline = Timeline.of(entries, recorded.n_rows, sfreq)
    markers, n_outside = timeline.markers(read_entries(folder.inputs))
    notes = [(at, 0.0, marker.label) for at, marker in markers]
    notes += [(m.start, m.n_times / sfreq, m.label) for m in timeline.missing]
    raw = _raw(manifest, timeline, recorded, sorted(notes), scratch)
    path = _path(root, called, folder, raw)
    _write(raw, path, anonymise=anonymise)
    decodes = list(_decodes(folder, timeline, path if anonymise else None))
    _write_decodes(path, decodes, manifest)
    _write_source(folder, list(rows), path, anonymise=anonymise)
    n_gaps = sum(m.label != "BAD_unplaced" for m in timeline.missing)
    return Exported(
        Path(path.fpath), timeline.n_times, len(notes), len(decodes), n_outside, n_gaps
    )


def _raw(
    manifest: dict[str, Any],
    timeline: Timeline,
    recorded: RowFile,
    notes: list[tuple[int, float, str]],
    scratch: Path,
) -> mne.io.BaseRaw:
    """Lay the samples out in a file, and return it as a recording that is not loaded."""
    import mne

    spec = signal_of(manifest)
    info = spec.to_info()
    started = datetime.fromisoformat(manifest["started"])
    is_meg = bool(_MEG & set(spec.ch_types))
    base = scratch / "signal"
    unit = [1.0 if is_meg or unit != "V" else MICROVOLTS for unit in spec.units]
    factors = np.array(unit, np.float32)[:, None]
    with RowWriter(base.with_suffix(".eeg"), len(spec.ch_names)) as writer:
        for s in timeline.stretches:
            for row, block in recorded.blocks(s.row, s.row + s.n_times):
                writer.put(s.start + row - s.row, block * factors)
    laid = writer.close()
    if is_meg:
        raw = rows_as_raw(laid, info)
    else:
        header = write_header(base, spec, notes, started)
        raw = mne.io.read_raw_brainvision(header, preload=False, verbose="error")
        types = dict(zip(spec.ch_names, spec.ch_types, strict=True))
        raw.set_channel_types(types, on_unit_change="ignore", verbose="error")
        raw.set_montage(info.get_montage(), on_missing="ignore", verbose="error")
    onsets, durations, texts = zip(*notes, strict=True) if notes else ((), (), ())
    annotations = mne.Annotations([n / spec.sfreq for n in onsets], durations, texts)
    raw.set_meas_date(started)
    raw.set_annotations(annotations)
    return raw


def _path(
    root: Path, labels: BidsConfig, folder: SessionFolder, raw: mne.io.BaseRaw
) -> BIDSPath:
    from mne_bids import BIDSPath

    if labels.subject is None:
        msg = f"{folder.path} does not say whose it is: name the subject, as in --subject 01"
        raise SessionError(msg)
    kind = "meg" if _MEG & set(raw.get_channel_types()) else "eeg"
    path = BIDSPath(
        **labels.model_dump(),
        root=root,
        datatype=kind,
        suffix=kind,
        extension=".fif" if kind == "meg" else ".vhdr",
    )
    if path.fpath.exists():
        msg = f"{path.fpath} exists, and is never overwritten: choose another --run"
        raise SessionError(msg)
    return path


def _write(raw: mne.io.BaseRaw, path: BIDSPath, *, anonymise: bool) -> None:
    import mne_bids

    days = None
    if anonymise:
        days = {"daysback": mne_bids.get_anonymization_daysback(raw, verbose="error")[0]}
    how = {"format": "FIF", "allow_preload": True} if path.datatype == "meg" else {}
    with warnings.catch_warnings():
        # mne-bids says that it converts, which is what it is asked to do
        warnings.simplefilter("ignore", RuntimeWarning)
        if not (Path(path.root) / "dataset_description.json").exists():
            name = "Sessions of braincast"
            mne_bids.make_dataset_description(path=path.root, name=name, verbose="error")
        mne_bids.write_raw_bids(raw, path, anonymize=days, verbose="error", **how)
    skipped = any(raw.annotations.description == "BAD_ACQ_SKIP")
    said = {
        "Manufacturer": "n/a",  # mne-bids concludes it from the file's format
        "RecordingType": "discontinuous" if skipped else "continuous",
    }
    _update_json(path.copy().update(extension=".json"), said)
    events = path.copy().update(suffix="events", extension=".json")
    if events.fpath.exists():
        _update_json(events, {"trial_type": {"Description": _TRIAL_TYPE}})


def _decodes(
    folder: SessionFolder, timeline: Timeline, hide: BIDSPath | None
) -> Iterator[dict[str, Any]]:
    """Yield a row for each decode whose samples were recorded."""
    sfreq = folder.manifest()["signal"]["sfreq"]
    revised = {
        name
        for message in read_log(folder)
        if message["params"].get("state") == "revised"
        for name in message["params"]["decode_ids"]
    }
    for message in read_log(folder):
        said = message["params"]
        if message["method"] != "text":
            continue
        at = timeline.locate(said["segment"], said["first"])
        if at is None:
            continue
        name = said["decode_id"]
        truth = said["truth"] or {}
        row = {
            "onset": at / sfreq,
            "duration": said["n_times"] / sfreq,
            "sample": at,
            "decode_id": f"{hide.basename}/{name.split('/', 1)[1]}" if hide else name,
            "revision": said.get("revision", 0),
            "final": said.get("final", True),
            "abstained": said["abstained"] or None,
            "stale": said["stale"],
            "truth": truth.get("id"),
            "truth_rank": truth.get("rank"),
            "latency": _seconds(said.get("latency_ms", {}).get("total")),
            "quality": said.get("quality"),
            "revised": name in revised,
            "calibrated": said["calibrated"],
        }
        for n in range(N_TOP):
            ranked = said["top"][n] if n < len(said["top"]) else {}
            row[f"top_{n + 1}"], row[f"p_{n + 1}"] = ranked.get("id"), ranked.get("p")
        yield row


def _write_decodes(
    path: BIDSPath, rows: list[dict[str, Any]], manifest: dict[str, Any]
) -> None:
    root = Path(path.root) / "derivatives" / "braincast"
    target = _beside(path, root, "desc-decodes_events")
    columns = [
        *_DECODES,
        *(f"{what}_{n}" for n in range(1, N_TOP + 1) for what in ("top", "p")),
    ]
    lines = ["\t".join(columns)]
    lines += ["\t".join(_cell(row[name]) for name in columns) for row in rows]
    target.with_suffix(".tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    described: dict[str, Any] = {
        name: {"Description": text} | ({"Units": unit} if unit else {})
        for name, (text, unit) in _DECODES.items()
    }
    for n in range(1, N_TOP + 1):
        described[f"top_{n}"] = {"Description": f"Candidate {n}, best first"}
        described[f"p_{n}"] = {"Description": "Its probability among all candidates"}
    _write_json(target.with_suffix(".json"), described)
    _write_json(
        root / "dataset_description.json",
        {
            "Name": "What braincast decoded live",
            "BIDSVersion": _bids_version(Path(path.root)),
            "DatasetType": "derivative",
            "GeneratedBy": [
                {"Name": "braincast", "Version": manifest["packages"]["braincast"]},
            ],
            "SourceDatasets": [{"URL": "../.."}],
        },
    )


def _write_source(
    folder: SessionFolder, names: Sequence[str], path: BIDSPath, *, anonymise: bool
) -> None:
    copy = copy_anonymised if anonymise else shutil.copyfile
    for number, name in enumerate(names, 1):
        ending = str(path.suffix) + (f"-{number}" if number > 1 else "")
        target = _beside(path, Path(path.root) / "sourcedata", ending)
        copy(folder.path / name, target.with_suffix(".xdf"))


def _beside(path: BIDSPath, root: Path, ending: str) -> Path:
    """Return where something about a recording goes under another root, without an ending."""
    folder = root / Path(path.directory).relative_to(path.root)
    folder.mkdir(parents=True, exist_ok=True)
    entities = path.basename.rsplit("_", 1)[0]
    return folder / f"{entities}_{ending}"


def _bids_version(root: Path) -> str:
    said: str = json.loads((root / "dataset_description.json").read_bytes())["BIDSVersion"]
    return said


def _cell(value: Any) -> str:
    if value is None:
        return "n/a"
    if isinstance(value, bool):
        return str(value).lower()
    return " ".join(str(value).split()) or "n/a"


def _seconds(ms: float | None) -> float | None:
    return None if ms is None else ms / 1000


def _update_json(path: BIDSPath, said: dict[str, Any]) -> None:
    file = Path(path.fpath)
    _write_json(file, json.loads(file.read_bytes()) | said)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    text = json.dumps(content, indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
