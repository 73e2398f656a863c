"""Pictures of decodes on the page: marked for what they are, and never old ones as if new."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.pagemock import PageMock
from tests.e2e.test_page_axe import found

RANKED = [0, 2, 1, 3, 4]


@pytest.fixture
def mock() -> PageMock:
    return PageMock()


@pytest.fixture
def url(mock: PageMock) -> Iterator[str]:
    with mock.serving() as address:
        yield address


def decode(mock: PageMock, number: int) -> None:
    mock.decode(0, RANKED, decode_id=f"S1/locked/{number}")


def test_a_picture_is_refined_then_old(page: Page, url: str, mock: PageMock) -> None:
    page.goto(url)
    mock.wait()
    panel, picture = page.locator("#preview"), page.locator("#preview-picture")
    expect(panel).to_be_hidden()
    decode(mock, 7)
    mock.picture(7, step=1)
    expect(picture).to_be_visible()
    expect(panel).to_have_attribute("data-look", "coarse")
    expect(page.locator("#preview-kind")).to_have_text("GENERATED")
    expect(page.locator("#preview-about")).to_have_text("step 1 of 4 · of this decode")
    mock.picture(7)
    expect(panel).to_have_attribute("data-look", "final")
    alt = "generated preview, step 4 of 4, of decode S1/locked/7"
    expect(picture).to_have_attribute("alt", alt)
    expect(page.locator("#preview-what")).to_contain_text("not what was seen")
    decode(mock, 8)
    expect(panel).to_have_attribute("data-look", "old")
    expect(page.locator("#preview-about")).to_have_text("OLD · of a decode before")
    expect(picture).to_have_attribute("alt", re.compile("of an earlier decode S1/locked/7$"))
    mock.picture(7)
    mock.picture(8, kind="retrieved")
    expect(page.locator("#preview-kind")).to_have_text("RETRIEVED")
    expect(page.locator("#preview-about")).to_have_text("dog · of this decode")
    expect(panel).to_have_attribute("data-look", "final")
    mock.state("session", "stopped", "the participant stopped the session")
    expect(picture).to_be_hidden()
    expect(picture).not_to_have_attribute("src", re.compile("."))


def test_blind_mode_hides_it(page: Page, url: str, mock: PageMock) -> None:
    page.goto(url)
    mock.wait()
    decode(mock, 7)
    mock.picture(7)
    expect(page.locator("#preview-picture")).to_be_visible()
    mock.state("blind", "on")
    expect(page.locator("#preview-picture")).to_be_hidden()
    mock.picture(7)
    mock.state("blind", "off")
    expect(page.locator("#preview-about")).to_have_text("no preview yet")


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("width", [1280, 400])
def test_nobody_is_kept_out(
    page: Page, url: str, mock: PageMock, scheme: Literal["dark", "light"], width: int
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 720})
    page.goto(url)
    mock.wait()
    decode(mock, 7)
    mock.picture(7)
    expect(page.locator("#preview-picture")).to_be_visible()
    assert found(page) == []
    box = page.locator("#preview-picture").bounding_box()
    assert box is not None
    assert min(box["width"], box["height"]) > 80
    assert page.evaluate("document.documentElement.scrollWidth") <= width
