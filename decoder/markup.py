"""What the pages that we write have in common: their look, and how they are saved."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import mne
    from matplotlib.figure import Figure

__all__ = [
    "add_figure",
    "block",
    "cards",
    "new_report",
    "picture",
    "save",
    "sentence",
    "table",
    "warnings",
]

_STYLE = """<style>
.bc {font-size: 1rem; line-height: 1.5; max-width: 54rem}
.bc .verdict {border-radius: .5rem; padding: 1rem 1.25rem; margin-bottom: 1rem}
.bc .verdict b {font-size: 1.5rem; display: block}
.bc .cards {display: flex; flex-wrap: wrap; gap: .75rem; margin-bottom: 1rem}
.bc .card {border: 1px solid #d5d9e0; border-radius: .5rem; padding: .6rem 1rem;
  min-width: 9rem}
.bc .card b {display: block; font-size: 1.4rem}
.bc .card span {color: #5b6472; font-size: .85rem}
.bc .warn {border-left: 4px solid #d97706; background: #fdf6ec; padding: .5rem .9rem;
  margin-bottom: .5rem}
.bc table {border-collapse: collapse; margin-bottom: 1rem}
.bc th, .bc td {padding: .25rem .9rem .25rem 0; border-bottom: 1px solid #e3e6eb;
  text-align: left; vertical-align: top; overflow-wrap: anywhere}
.bc img {max-width: 100%}
.bc td.n, .bc th.n {text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap}
</style>"""


def block(*parts: str) -> str:
    """Return parts of a page in our look."""
    return f'{_STYLE}<div class="bc">{"".join(parts)}</div>'


def cards(pairs: Iterable[tuple[str, str]]) -> str:
    """Return boxes, each a value and what it is."""
    boxes = "".join(
        f'<div class="card"><b>{escape(value)}</b><span>{escape(what)}</span></div>'
        for value, what in pairs
    )
    return f'<div class="cards">{boxes}</div>'


def warnings(texts: Iterable[str]) -> str:
    """Return what a reader must not miss."""
    return "".join(f'<div class="warn">{sentence(text)}</div>' for text in texts)


def table(
    header: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()
) -> str:
    """Return a table.

    Parameters
    ----------
    header : sequence of str
        Names of the columns.
    rows : iterable of sequences of str
        The cells.
    numbers : sequence of int
        Columns of numbers, which stand to the right.
    """
    css = [' class="n"' if n in numbers else "" for n in range(len(header))]
    head = "".join(f"<th{c}>{escape(cell)}</th>" for c, cell in zip(css, header, strict=True))
    body = "".join(
        "<tr>"
        + "".join(f"<td{c}>{escape(cell)}</td>" for c, cell in zip(css, row, strict=True))
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def picture(png: bytes, what: str) -> str:
    """Return a picture within the page, which then needs no other.

    Parameters
    ----------
    png : bytes
        The picture.
    what : str
        What it shows, for those who do not see it.
    """
    content = base64.b64encode(png).decode("ascii")
    return f'<img alt="{escape(what)}" src="data:image/png;base64,{content}">'


def sentence(text: str) -> str:
    """Return text with a capital letter, safe in HTML.

    >>> sentence("p < 0.05")
    'P &lt; 0.05'
    """
    return escape(text[:1].upper() + text[1:])


def new_report(title: str) -> mne.Report:
    """Return an empty page."""
    import mne

    return mne.Report(title=title, verbose="ERROR")


def add_figure(report: mne.Report, title: str, figure: Figure, caption: str = "") -> None:
    """Add a figure, as drawing that stays sharp."""
    report.add_figure(
        figure, title, caption=caption or None, image_format="svg", tags=("figures",)
    )


def save(report: mne.Report, path: Path) -> None:
    """Write a page as one HTML file that needs no other; one that is there is replaced.

    Raises
    ------
    OSError
        If the disk refuses; what was there before is then kept.
    """
    part = path.with_name(f".{path.stem}-part.html")
    try:
        report.save(part, open_browser=False, overwrite=True, verbose="ERROR")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
