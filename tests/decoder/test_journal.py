from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from decoder.journal import End, Journal, read_journal
from decoder.start import Start
from streaming.errors import SessionError
from streaming.signal import Chunk, Gap, Impedance, Marker, Revision, SourceState
from streaming.sources.source import Item
from tests.decoder.tiny import SPEC, chunk, signal

DATA = signal(300)
ITEMS: list[Item] = [
    SourceState("live", 99.5, "here\nwe are"),
    chunk(DATA, 0, 100),
    Marker("häuschen", 100.1 + 0.2, 0, 30),
    chunk(DATA, 100, 101),
    Impedance(("Cz", "Pz"), (4e3 / 3, None), 101.0),
    Gap(101.01, 1 / 3, "lost"),
    Revision(0, 3, 90, 100.03, 2),
    chunk(DATA, 101, 300, segment=1),
]


def write(path: Path) -> None:
    journal = Journal(path)
    journal.start(Start(7, {"zero_shot": [3, 1]}), 99.0)
    row = 0
    for n, item in enumerate(ITEMS):
        journal.write(item, row, 100.0 + n / 3)
        row += item.n_times if isinstance(item, Chunk) else 0
    journal.close(9.0)


def test_what_was_fed_can_be_fed_again_to_the_last_bit(tmp_path: Path) -> None:
    write(tmp_path / "inputs.jsonl")
    (start, _), *read, (end, _) = read_journal(tmp_path / "inputs.jsonl", SPEC, DATA)
    assert start == Start(7, {"zero_shot": [3, 1]})
    assert end == End()
    assert [t for _, t in read] == [100.0 + n / 3 for n in range(len(ITEMS))]
    for (item, _), truth in zip(read, ITEMS, strict=True):
        if isinstance(truth, Chunk):
            assert isinstance(item, Chunk)
            np.testing.assert_array_equal(item.data, truth.data)
            assert (item.segment, item.first, item.t0) == (truth.segment, truth.first, truth.t0)
        else:
            assert item == truth


def test_a_torn_last_line_and_missing_samples_end_it(tmp_path: Path) -> None:
    path = tmp_path / "inputs.jsonl"
    write(path)
    path.write_bytes(path.read_bytes()[:-20])  # the end, and a part of the line before it
    assert len(list(read_journal(path, SPEC, DATA))) == len(ITEMS)
    assert len(list(read_journal(path, SPEC, DATA[:, :50]))) == 2


@pytest.mark.parametrize("line", ["garbage", '["song", 1.0]', "{}", '["marker", 1.0]', "[]"])
def test_another_broken_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "inputs.jsonl"
    path.write_text(line + '\n["gap", 1.0, 1.0, 1.0, "lost"]\n')
    with pytest.raises(SessionError, match="line 1 is not an input"):
        list(read_journal(path, SPEC, DATA))


def test_a_journal_goes_on_where_it_ended(tmp_path: Path) -> None:
    for n in range(2):
        journal = Journal(tmp_path / "inputs.jsonl")
        journal.start(Start(n), 1.0)
        journal.close(9.0)
    kinds = [item for item, _ in read_journal(tmp_path / "inputs.jsonl", SPEC, DATA)]
    assert kinds == [Start(0), End(), Start(1), End()]
