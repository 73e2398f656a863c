"""The table that candidates and galleries are written in."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from streaming.errors import ConfigError

__all__ = ["CandidateTable", "parse_table", "read_table"]

_COLUMNS = ("candidate_id", "text", "glyph", "trained", "stim_file")
_TRUE, _FALSE = ("1", "true", "yes"), ("0", "false", "no")


@dataclass(frozen=True, slots=True)
class CandidateTable:
    """What is in such a table, before anything is embedded.

    Parameters
    ----------
    ids, texts : tuple of str
        Name and text of each, without doubles.
    glyphs : tuple of str
        An emoji each, or an empty string.
    trained : tuple of bool
        Which of them calibration shows.
    files : tuple of Path or None
        A picture or sound of each, or None.
    """

    ids: tuple[str, ...]
    texts: tuple[str, ...]
    glyphs: tuple[str, ...]
    trained: tuple[bool, ...]
    files: tuple[Path | None, ...]


def read_table(path: str | Path) -> CandidateTable:
    """Read a list of words, or a table.

    Parameters
    ----------
    path : str or Path
        A list of words, one a line, or a tab-separated table whose first line names the
        columns: ``text``, and if wanted ``candidate_id``, ``glyph``, ``trained`` (1 or 0) and
        ``stim_file``, a picture or sound, relative to the table.

    Raises
    ------
    ConfigError
        If it cannot be read, or a line is wrong.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror}; name a list of words, one a line"
        raise ConfigError(msg) from error
    except UnicodeDecodeError as error:
        msg = f"{path} is not UTF-8 text; save it as UTF-8, one word a line"
        raise ConfigError(msg) from error
    return parse_table(str(path), text, path.parent)


def parse_table(where: str, text: str, folder: Path = Path()) -> CandidateTable:
    """Read a table from its text.

    Parameters
    ----------
    where : str
        What errors call it.
    text : str
        What is in it.
    folder : Path
        What its files are relative to.

    Raises
    ------
    ConfigError
        If a line is wrong.
    """
    rows = _rows(where, text)
    ids, texts, glyphs, trained = [], [], [], []
    files: list[Path | None] = []
    first: dict[str, int] = {}
    for number, row in rows:
        candidate_id = row.get("candidate_id") or row.get("text", "")
        candidate_text = row.get("text") or candidate_id
        for value in {candidate_id, candidate_text}:
            if not value or first.setdefault(value, number) != number:
                fault = f"{value!r} is on line {first[value]} already" if value else "no text"
                msg = f"{where} line {number}: {fault}; give each candidate one line"
                raise ConfigError(msg)
        ids.append(candidate_id)
        texts.append(candidate_text)
        glyphs.append(row.get("glyph", ""))
        stim_file = row.get("stim_file", "")
        files.append(folder / stim_file if stim_file else None)
        trained.append(_flag(f"{where} line {number}", row.get("trained", "") or "1"))
    if len(ids) < 2:
        msg = f"{where} has {len(ids)} candidates; a choice needs at least two"
        raise ConfigError(msg)
    return CandidateTable(tuple(ids), tuple(texts), tuple(glyphs), tuple(trained), tuple(files))


def _rows(where: str, text: str) -> list[tuple[int, dict[str, str]]]:
    """Return the number and the cells of each line that is not empty."""
    lines = text.splitlines()
    if not text.strip():
        msg = f"{where} is empty; write one word a line"
        raise ConfigError(msg)
    header = [name.strip() for name in lines[0].split("\t")]
    if "\t" not in lines[0] and "candidate_id" not in header:
        words = [line.strip() for line in lines]
        return [(number, {"text": word}) for number, word in enumerate(words, 1) if word]
    for name in header:
        if name not in _COLUMNS or header.count(name) > 1:
            what = "unknown" if name not in _COLUMNS else "there twice"
            columns = ", ".join(_COLUMNS)
            msg = f"{where} line 1: column {name!r} is {what}; the columns are {columns}"
            raise ConfigError(msg)
    table = csv.reader(lines[1:], delimiter="\t", quoting=csv.QUOTE_NONE)
    cells = (
        (number, [value.strip() for value in values]) for number, values in enumerate(table, 2)
    )
    return [
        (number, dict(zip(header, values, strict=False)))
        for number, values in cells
        if any(values)
    ]


def _flag(where: str, value: str) -> bool:
    """Return whether a cell says yes."""
    if value.lower() not in _TRUE + _FALSE:
        msg = f"{where}, column trained: {value!r} is neither 1 nor 0; write one of them"
        raise ConfigError(msg)
    return value.lower() in _TRUE
