from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streaming.errors import RecordingError
from streaming.signal import Chunk, Marker
from streaming.sources.edfplus import Note, Notes, read_notes
from streaming.sources.opening import open_playable
from streaming.sources.recording import RecordingSource


def write(path: Path, starts: list[float], notes: list[Note]) -> Path:
    """Write records of 1 s at 100 Hz, of which each sample is its index, in 0.1 uV."""
    kind = path.suffix[1:].upper()
    width, top = (3, 8388607) if kind == "BDF" else (2, 32767)
    n_notes = 60
    labels = ["EEG Cz", f"{kind} Annotations"]
    fields: list[tuple[list[object], int]] = [
        (list(labels), 16),
        (["", ""], 80),
        (["uV", ""], 8),
        ([(-top - 1) / 10, -1], 8),
        ([top / 10, 1], 8),
        ([-top - 1] * 2, 8),
        ([top] * 2, 8),
        (["", ""], 80),
        ([100, n_notes], 8),
        (["", ""], 32),
    ]
    first = b"\xffBIOSEMI" if kind == "BDF" else b"0".ljust(8)
    header = first + b"X X X X".ljust(80) + b"Startdate 01-JAN-2020 X X X".ljust(80)
    header += b"01.01.2000.00.00" + b"768".ljust(8) + f"{kind}+D".encode().ljust(44)
    header += str(len(starts)).encode().ljust(8) + b"1".ljust(8) + b"2".ljust(4)
    for values, size in fields:
        header += b"".join(str(value).encode()[:size].ljust(size) for value in values)
    body = b""
    for n, start in enumerate(starts):
        samples = np.arange(100 * n, 100 * n + 100, dtype="<i4")
        body += samples[:, None].view(np.uint8)[:, :width].tobytes()
        said = f"+{start:g}\x14\x14\x00"
        for note in notes:
            if start <= note.onset < start + 1:
                lasts = f"\x15{note.duration:g}" if note.duration else ""
                said += f"+{note.onset:g}{lasts}\x14{note.text}\x14\x00"
        body += said.encode().ljust(n_notes * width, b"\x00")
    path.write_bytes(header + body)
    return path


@pytest.mark.parametrize("ending", ["edf", "bdf"])
def test_breaks_end_segments_and_notes_stay_at_their_samples(
    tmp_path: Path, ending: str
) -> None:
    said = [Note(0.5, 0.0, "go"), Note(5.25, 0.0, "spät"), Note(6.0, 0.5, "last")]
    path = write(tmp_path / f"d.{ending}", [0, 1, 5, 6], said)
    assert read_notes(path) == Notes((0, 1, 5, 6), 1.0, tuple(said))
    source = RecordingSource(path)
    items = []
    while (item := source.read()) is not None:
        items.append(item)
    source.close()
    chunks = [i for i in items if isinstance(i, Chunk)]
    lengths = [sum(c.n_times for c in chunks if c.segment == n) for n in range(2)]
    assert lengths == [200, 200]
    markers = [(i.label, i.segment, i.sample) for i in items if isinstance(i, Marker)]
    assert markers == [("go", 0, 50), ("spät", 1, 25), ("last", 1, 100)]
    for n, (_, _, sample) in enumerate(markers[1:]):  # under each is the sample it was at
        second = np.concatenate([c.data[0] for c in chunks if c.segment == 1])
        factor = second[1] - second[0]
        truth = 200 + (25, 100)[n]
        assert round(float((second[sample] - second[0]) / factor)) + 200 == truth


def test_the_replay_pauses_where_the_file_breaks_off(tmp_path: Path) -> None:
    path = write(tmp_path / "d.edf", [0, 7], [])
    t = np.concatenate([b.t for b in open_playable(path).blocks() if b.stream == 0])
    assert np.diff(t).max() == pytest.approx(0.51)
    assert np.sum(np.diff(t) > 0.011) == 1


def test_records_without_a_break_are_one_segment(tmp_path: Path) -> None:
    notes = read_notes(write(tmp_path / "c.edf", [0.25, 1.25], [Note(1.5, 0.0, "go")]))
    assert notes is not None
    found = notes.annotations()
    assert list(found.description) == ["go"]
    np.testing.assert_allclose(found.onset, [1.25])  # the file's start is no sample


def test_notes_of_what_was_not_recorded_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    found = Notes((0.0, 5.0), 1.0, (Note(3.0, 0.0, "between"),)).annotations()
    assert list(found.description) == ["EDGE boundary"]
    assert "1 notes are at instants that were not recorded" in caplog.text


def test_other_files_are_left_to_mne(tmp_path: Path) -> None:
    path = write(tmp_path / "c.edf", [0, 1], [])
    data = path.read_bytes()
    path.write_bytes(data.replace(b"EDF+D", b"EDF+C", 1))
    assert read_notes(path) is None


def test_one_that_is_cut_in_its_header_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "c.edf", [0, 1], [])
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(RecordingError, match="cannot be read"):
        RecordingSource(path)


@pytest.mark.parametrize(
    ("unit", "said"), [("uV", ""), ("mV", ""), ("nV", "'nV'"), ("", "'n/a'")]
)
def test_units_that_are_taken_for_volts_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, unit: str, said: str
) -> None:
    path = write(tmp_path / "some.edf", [0, 1], [])
    path.write_bytes(path.read_bytes().replace(b"uV", unit.encode().ljust(2)))
    RecordingSource(path).close()
    assert [said in record.message for record in caplog.records] == [True] * bool(said)
