"""What the tests of the page share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.e2e.browser import CHROMIUM, launch
from tests.e2e.pagemock import PageMock

PATIENCE = 30_000.0
"""Milliseconds until a page must show what is waited for, on a busy machine."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Give a browser; not to the whole session, since its loop would run in other tests."""
    if not CHROMIUM.exists():
        pytest.skip("needs /usr/bin/chromium")
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        chromium = launch(playwright)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Give a page that may not complain; a lost line is the one thing browsers always log."""
    context = browser.new_context(viewport={"width": 1280, "height": 720}, color_scheme="dark")
    page = context.new_page()
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        lost = "ERR_CONNECTION" in message.text
        if message.type == "error" and not lost:
            complaints.append(message.text)

    page.on("console", listen)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []


@pytest.fixture
def mock() -> PageMock:
    """Give what stands behind the page."""
    return PageMock()


@pytest.fixture
def url(mock: PageMock) -> Iterator[str]:
    """Give the page's address."""
    with mock.serving() as address:
        yield address
