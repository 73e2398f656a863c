"""Make the pictures of the README: `python -m docs.screenshot` from the project's root.

It starts `braincast demo` and takes what the page shows after a hundred decodes, whatever that
is: no trial is picked. Give the operator's address of a running demo to use that one instead.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, STDOUT

from playwright.sync_api import Page, ViewportSize, sync_playwright

from tests.e2e.browser import launch

IMAGES = Path(__file__).parent / "images"
N_DECODES = 100  # fixed beforehand; with fewer the intervals are too wide to say much
TIMEOUT = 240_000  # ms; a trial takes about a second
MAX_BYTES = 450_000
SIZE: ViewportSize = {"width": 1280, "height": 720}

COUNTED = f"""() => [...document.querySelectorAll(".score .count")]
    .map((count) => parseInt(count.textContent) || 0)
    .reduce((a, b) => a + b) >= {N_DECODES}
    && document.querySelectorAll("#trial-list li").length === 12"""

NEXT_DECODE = """() => new Promise((seen) => {
    const strip = document.getElementById("trial-list");
    const observer = new MutationObserver(() => requestAnimationFrame(() => {
        observer.disconnect();
        seen();
    }));
    observer.observe(strip, { childList: true });
})"""


@contextmanager
def demo() -> Iterator[str]:
    """Run the demo; gives the operator's address, which it prints."""
    command = [sys.executable, "-u", "-m", "decoder", "demo", "--port", "0"]
    with subprocess.Popen(command, stdout=PIPE, stderr=STDOUT, text=True) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                print(line, end="")
                if found := re.search(r"http://127\.0\.0\.1:\d+/#token=\S+", line):
                    yield found[0]
                    break
            else:
                msg = "the demo ended without printing an address"
                raise SystemExit(msg)
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)


def take(page: Page, path: Path) -> None:
    """Take a picture just after the next decode has its preview."""
    page.evaluate("document.fonts.ready")
    page.evaluate(NEXT_DECODE)
    page.wait_for_selector("#preview[data-look=final]")
    page.screenshot(path=path)
    size = path.stat().st_size
    if size > MAX_BYTES:
        msg = f"{path.name} has {size} bytes, more than the {MAX_BYTES} a README should carry"
        raise SystemExit(msg)
    print(f"{path}: {size // 1000} kB")


def main(url: str) -> None:
    """Take the page as everybody sees it, dark and light, and as its operator does."""
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_page(viewport=SIZE, color_scheme="dark")
        desk = browser.new_page(viewport=SIZE, color_scheme="dark")
        page.goto(url.split("#", maxsplit=1)[0])
        desk.goto(url)
        page.wait_for_function(COUNTED, timeout=TIMEOUT)
        take(page, IMAGES / "demo.png")
        page.emulate_media(color_scheme="light")
        take(page, IMAGES / "demo-light.png")
        desk.bring_to_front()
        desk.click("#candidates-button")
        take(desk, IMAGES / "control.png")
        browser.close()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        with demo() as address:
            main(address)
