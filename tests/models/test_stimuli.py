from __future__ import annotations

from pathlib import Path

import pytest

from models.stimuli import Stimulus, StimulusTable, read_marker
from streaming.errors import StimuliError


def write(path: Path, *lines: str) -> Path:
    path = path / "stimuli.tsv"
    path.write_text("\n".join("\t".join(line.split("|")) for line in lines) + "\n")
    return path


def test_a_table_is_read(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "marker|role|candidate_id|concept|text|stim_file|prob",
        "5|stimulus|dog|animal|a dog|dog1.jpg|0.5",
        "6|stimulus|||cat",
        "go|run_start",
    )
    table = StimulusTable.read(path)
    assert table.rows == (
        Stimulus("5", "stimulus", "dog", "animal", "a dog", "dog1.jpg", 0.5),
        Stimulus("6", "stimulus", "cat", "", "cat"),
        Stimulus("go", "run_start"),
    )
    assert table.texts == {"dog": "a dog", "cat": "cat"}


@pytest.mark.parametrize(
    ("label", "found"),
    [("5", True), ("5.0", True), (" 5 ", True), ("05", False), ("5.5", False), ("15", False)],
)
def test_integers_match_however_they_are_spelled(label: str, found: bool) -> None:
    table = StimulusTable([Stimulus("5", "ignore")])
    assert (table.find(label) is not None) is found
    table = StimulusTable([Stimulus("5.0", "ignore")])
    assert (table.find(label) is not None) is found


def test_words_match_exactly() -> None:
    table = StimulusTable.from_labels(["face", "House"])
    assert table.find("face") == Stimulus("face", "stimulus", "face", "", "face")
    assert table.find("house") is None


def test_writing_and_reading_gives_the_same(tmp_path: Path) -> None:
    table = StimulusTable(
        [
            Stimulus("a\tb", "stimulus", "x", "y", 'quoted "text"', "f.jpg", 0.25),
            Stimulus("7", "pause"),
        ]
    )
    table.write(tmp_path / "t.tsv")
    assert StimulusTable.read(tmp_path / "t.tsv") == table
    assert StimulusTable.from_json(table.to_json()) == table


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["role|text", "stimulus|a"], "line 1: column marker is missing, found role, text"),
        (["marker", "a"], "line 1: column role is missing"),
        (["marker|role|colour", "a|ignore|red"], "line 1: column 'colour' is unknown"),
        (["marker|role|role", "a|ignore|x"], "line 1: column 'role' is there twice"),
        (["marker|role", "a|shown"], "line 2, column role: 'shown' is unknown; use one of"),
        (
            ["marker|role", "a|ignore", "b|stimulus"],
            "line 3, column candidate_id: stimulus 'b'",
        ),
        (
            ["marker|role", "5|ignore", "5.0|ignore"],
            "line 3, column marker: '5.0' is on line 2",
        ),
        (
            ["marker|role|prob", "a|ignore|often"],
            "line 2, column prob: 'often' is not a number",
        ),
        (["marker|role|prob", "a|ignore|2"], "line 2, column prob: prob must be above 0"),
        (["marker|role", "|ignore"], "line 2, column marker: marker is empty"),
        (["marker|role", "a|ignore|b"], "line 2: 3 values for 2 columns"),
        (["marker|role"], "names columns but no marker"),
    ],
)
def test_a_bad_table_is_refused(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(StimuliError) as error:
        StimulusTable.read(write(tmp_path, *lines))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StimuliError, match=r"cannot read .* No such file"):
        StimulusTable.read(tmp_path / "none.tsv")
    (tmp_path / "empty.tsv").write_text("")
    with pytest.raises(StimuliError, match="is empty; its first line"):
        StimulusTable.read(tmp_path / "empty.tsv")
    (tmp_path / "bytes.tsv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StimuliError, match="not UTF-8"):
        StimulusTable.read(tmp_path / "bytes.tsv")


def test_one_candidate_has_one_text() -> None:
    rows = [
        Stimulus("1", "stimulus", "dog", text="dog"),
        Stimulus("2", "stimulus", "dog", text="hound"),
    ]
    with pytest.raises(StimuliError, match="two texts, 'dog' and 'hound'"):
        StimulusTable(rows)
    with pytest.raises(StimuliError, match="listed twice"):
        StimulusTable.from_labels(["a", "a"])
    with pytest.raises(StimuliError, match="no events"):
        StimulusTable.from_labels([])


def test_files_are_relative_to_the_table(tmp_path: Path) -> None:
    path = tmp_path / "stimuli.tsv"
    path.write_text(
        "marker\trole\tcandidate_id\tstim_file\n1\tstimulus\tcat\ta.jpg\n"
        "2\tstimulus\tcat\tin/b.jpg\n3\tstimulus\tcat\ta.jpg\n4\tstimulus\tdog\t\n"
    )
    table = StimulusTable.read(path)
    assert table.files("cat") == (tmp_path / "a.jpg", tmp_path / "in" / "b.jpg")
    assert table.files("dog") == ()


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("face", ("face", "")),
        ('{"marker": "face"}', ("face", "")),
        (' {"marker": 5, "trial_id": 17}', ("5", "17")),
        ('{"marker": "face", "trial_id": null}', ("face", "")),
        ('{"marker": ["face"]}', ('{"marker": ["face"]}', "")),
        ('{"trial_id": 1}', ('{"trial_id": 1}', "")),
        ("{face", ("{face", "")),
        ("[1]", ("[1]", "")),
        ('{"a":' + "[" * 5000, ('{"a":' + "[" * 5000, "")),
    ],
)
def test_a_marker_may_be_json_with_the_number_of_its_trial(
    label: str, said: tuple[str, str]
) -> None:
    assert read_marker(label) == said


def test_a_marker_in_json_is_looked_up_by_what_it_says() -> None:
    table = StimulusTable.from_labels(["face", "5"])
    for label, found in (('{"marker": "face", "trial_id": 3}', "face"), ('{"marker": 5}', "5")):
        stimulus = table.find(label)
        assert stimulus is not None
        assert stimulus.candidate_id == found
