"""Debian's chromium, driven by Playwright, which brings no browser of its own here."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, Playwright

__all__ = ["CHROMIUM", "launch"]

CHROMIUM = Path("/usr/bin/chromium")

FLAGS = [
    "--no-sandbox",  # chromium refuses to run as root with it, as containers do
    "--disable-gpu",
    # The rest keeps it from speaking to anyone but the server under test.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
]


def launch(playwright: Playwright) -> Browser:
    """Start a headless browser."""
    return playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
