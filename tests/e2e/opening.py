"""Open the page of a `PageMock`, and what it is mostly made to say."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from decoder.events import Running
from tests.e2e.pagemock import POOL, PageMock

__all__ = ["LIVE", "NEVER_SEEN", "SEEN", "open_page"]

SEEN = Running("closed_set", 40, POOL, 0.2, 0.1, 0.35, 0.5, 6.0)
NEVER_SEEN = Running("zero_shot", 40, POOL, 0.01, 0.002, 0.05, 0.1, 60.0)
LIVE = re.compile(r"^LIVE$")


def open_page(page: Page, url: str, mock: PageMock) -> None:
    page.goto(url)
    mock.wait()
    expect(page.locator("#pill")).to_have_text(LIVE)
