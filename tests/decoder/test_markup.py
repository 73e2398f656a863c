from __future__ import annotations

from pathlib import Path

import pytest

from decoder.markup import add_figure, block, cards, new_report, save, table, warnings
from decoder.plots import empty_axes


def test_text_of_people_is_no_markup() -> None:
    bad = "<script>alert(1)</script>"
    page = block(cards([(bad, bad)]), warnings([bad]), table((bad,), [(bad,)]))
    assert "<script" not in page
    assert page.count("&lt;") >= 8


def test_rows_have_the_columns_of_their_header() -> None:
    with pytest.raises(ValueError, match="argument"):
        table(("one", "two"), [("1",)])
    assert table(("one", "two"), [("a", "1")], numbers=(1,)).count('class="n"') == 2


def test_a_page_is_whole_or_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    report = new_report("A page")
    add_figure(report, "A figure", empty_axes()[0], "what it says")
    for _ in range(2):
        save(report, path)
        assert "what it says" in path.read_text()
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises(OSError, match="none"):
        save(report, tmp_path / "none" / "report.html")
