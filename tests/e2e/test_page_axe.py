"""What axe-core finds that would keep people with disabilities out of the page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from decoder.events import Evidence, Latency, Running
from decoder.tokens import TokenFile
from tests.e2e.pagemock import POOL, PageMock

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
OPTIONS = {"resultTypes": ["violations"], "runOnly": RULES}
STAGES = {"acquire": (8.0, 9.0, 9.0), "decode": (2.0, 2.0, 2.0), "total": (12.0, 13.0, 14.0)}

DIM = [".old", *(f"[data-live='no'] #{name}" for name in ("shown", "decoded", "latency"))]
"""What is not live is dim on purpose: pale for axe-core. When that is depends on the load."""

Scheme = Literal["dark", "light"]


@pytest.fixture(scope="module")
def mock(tmp_path_factory: pytest.TempPathFactory) -> PageMock:
    return PageMock(tokens=TokenFile(tmp_path_factory.mktemp("axe") / "tokens.json"))


@pytest.fixture(scope="module")
def url(mock: PageMock) -> Iterator[str]:
    with mock.serving() as address:
        yield address


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_nobody_is_kept_out_of_the_desk(
    page: Page, url: str, mock: PageMock, scheme: Scheme
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{url}#token={mock.token}")
    mock.wait()
    mock.judge("good", "noisy", "flat", "marked", *["good"] * 28)
    mock.emit(Latency(STAGES, n_decodes=3, gaps=2, drops=5))
    scores = (
        Running("closed_set", 40, POOL, 0.2, 0.1, 0.35, 0.5, 6.0),
        Running("zero_shot", 40, POOL, 0.01, 0.002, 0.05, 0.1, 60.0),
    )
    mock.show(1)
    for ranked in ([1, 0, 2, 3, 4], [0, 2, 1, 3, 4], [0, 2, 5, 3, 4]):
        mock.decode(1, ranked, running=scores)
    mock.emit(Evidence("S1/0", "closed_set", "independent", 52, 2.38, 2.5, 0.003))
    mock.emit(Evidence("S1/1", "zero_shot", "independent", 9, 0.1, 0.2, 0.6, warning="odd"))
    mock.decode(1, [], abstained="artifact", truth=None)
    mock.decode(1, [0, 2, 5, 3, 4], running=scores)
    expect(page.locator("#trial-list li")).to_have_count(5)
    expect(page.locator("#scalp [data-look=bad]")).to_have_count(2)
    assert found(page) == []
    mock.state("recorder", "failed", "the disk is full")
    expect(page.locator("#banner")).to_be_visible()
    for name in ("sessions", "candidates", "models"):
        page.evaluate(f"() => document.getElementById('{name}').showPopover()")
        assert found(page, f"#{name}") == []


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_nobody_is_kept_out_of_the_participants_view(
    page: Page, url: str, mock: PageMock, scheme: Scheme
) -> None:
    assert mock.tokens is not None
    token = mock.tokens.create("participant", f"who sits in the {scheme}")
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{url}#token={token}")
    expect(page.locator("#seat-word")).to_have_text("Decoding")
    assert found(page) == []


def found(page: Page, within: str = "html") -> list[str]:
    """Return what axe-core complains of."""
    context = {"include": [[within]], "exclude": [[selector] for selector in DIM]}
    complaints = Axe().run(page, context, OPTIONS).response["violations"]
    return [
        f"{complaint['id']}: {node['target']} {node['failureSummary']}"
        for complaint in complaints
        for node in complaint["nodes"]
    ]
