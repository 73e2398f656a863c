"""What the page shows of sets, of answers that sharpen, and of those withheld as unsure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from decoder.events import ConformalSet, Running
from tests.e2e.pagemock import POOL, THINGS, PageMock

SCORE = Running("closed_set", 120, POOL, 0.2, 0.1, 0.35, 0.5, 6.0, 120, 0.83, 0.75, 0.88, 23.5)


@pytest.fixture
def mock() -> PageMock:
    return PageMock()


@pytest.fixture
def url(mock: PageMock) -> Iterator[str]:
    with mock.serving() as address:
        yield address


def first(n: int) -> ConformalSet:
    return ConformalSet(tuple(text for text, _ in THINGS[:n]), 0.2, 200)


def test_a_later_answer_takes_the_place_of_the_one_before(
    page: Page, url: str, mock: PageMock
) -> None:
    page.goto(url)
    mock.wait()
    about = page.locator("#decoded-set")
    one: dict[str, Any] = {"decode_id": "S1/locked/900"}
    mock.decode(
        0, [2, 0, 1, 3, 4], truth=None, final=False, latency=0.4, conformal=first(4), **one
    )
    expect(about).to_have_text("after 400 ms · one of 4, wrong in at most 20 % of cases")
    expect(page.locator("#top .inside")).to_have_count(4)
    expect(page.locator("#verdict")).to_contain_text("not final yet")
    expect(page.locator("#trial-list li")).to_have_count(0)

    mock.decode(
        0, [0, 2, 1, 3, 4], revision=1, latency=0.8, conformal=first(1), running=(SCORE,), **one
    )
    expect(about).to_have_text("after 800 ms · this one, wrong in at most 20 % of cases")
    expect(page.locator("#top .inside")).to_have_text([re.compile(THINGS[0][0])])
    expect(page.locator("#verdict")).to_contain_text("Right")
    expect(page.locator("#trial-list li")).to_have_count(1)
    sets = page.locator("#closed_set .sets")
    expect(sets).to_have_text("sets hold 83 %")
    expect(sets).to_have_attribute("title", "120 sets of 23.5 candidates; 80 % is promised")

    mock.decode(0, [0, 1, 2, 3, 4], n_repeats=3)
    expect(about).to_have_text("from 3 windows")
    expect(page.locator("#top .inside")).to_have_count(0)


def test_what_is_unsure_says_how_many_there_would_be(
    page: Page, url: str, mock: PageMock
) -> None:
    page.goto(url)
    mock.wait()
    many = ConformalSet(tuple(map(str, range(37))), 0.05, 200)
    mock.decode(0, [], truth=None, abstained="unsure", conformal=many)
    expect(page.locator("#verdict")).to_contain_text("not sure enough")
    expect(page.locator("#decoded-set")).to_have_text(
        "one of 37, wrong in at most 5 % of cases"
    )
    expect(page.locator("#decoded-flag")).to_have_text("NO DECODE")
