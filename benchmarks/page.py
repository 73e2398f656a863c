"""What the page costs the browser: frames a second, and how busy its main thread is.

A process sends noise over LSL at 1 kHz and a marker a second; ``braincast serve`` decodes it 20
times a second, and a headless Chromium without a GPU shows the operator's page. Frames are
counted by `requestAnimationFrame`, the main thread by Chromium's own account of its tasks.

Run with ``python -m benchmarks page``; ``--quick`` is a first look.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from playwright.sync_api import Browser, Page, sync_playwright
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks._rig import HOP, save_noise_model, send_noise
from benchmarks._service import PATIENCE, serving
from tests.e2e.browser import launch

__all__ = ["Seen", "main"]

SIZES = ((1280, 720), (1920, 1080))
CHANNELS = (32, 64, 128, 306)
WARM = 5.0  # seconds of signal before it is measured: so many are on view

COUNT = """(duration) => new Promise((done) => {
    const gaps = [];
    let last = performance.now();
    const end = last + 1000 * duration;
    const step = () => {
        const now = performance.now();
        gaps.push(now - last);
        last = now;
        if (now < end) requestAnimationFrame(step);
        else done(gaps.sort((a, b) => a - b));
    };
    requestAnimationFrame(step);
})"""


@dataclass(frozen=True, slots=True)
class Seen:
    """How the page ran.

    Parameters
    ----------
    rate : float
        Frames a second.
    p50, p99 : float
        Time from frame to frame, in ms.
    busy, script : float
        Share of the time in which the main thread worked, and in which it ran our code.
    heap : float
        Memory of scripts, in MB.
    """

    rate: float
    p50: float
    p99: float
    busy: float
    script: float
    heap: float


def watch(page: Page, duration: float) -> Seen:
    """Count frames for `duration` seconds."""
    account = page.context.new_cdp_session(page)
    account.send("Performance.enable")

    def read() -> dict[str, float]:
        metrics = account.send("Performance.getMetrics")["metrics"]
        return {metric["name"]: metric["value"] for metric in metrics}

    before = read()
    gaps: list[float] = page.evaluate(COUNT, duration)
    after = read()
    passed = after["Timestamp"] - before["Timestamp"]
    return Seen(
        rate=1000 * len(gaps) / sum(gaps),
        p50=gaps[len(gaps) // 2],
        p99=gaps[int(0.99 * len(gaps))],
        busy=(after["TaskDuration"] - before["TaskDuration"]) / passed,
        script=(after["ScriptDuration"] - before["ScriptDuration"]) / passed,
        heap=after["JSHeapUsedSize"] / 1e6,
    )


@contextmanager
def noise(name: str, n_channels: int) -> Iterator[None]:
    """Send noise from a process of its own."""
    spawn = multiprocessing.get_context("spawn")
    arguments = (name, n_channels, spawn.Value("d", 0.0), spawn.Array("d", 1000))
    sender = spawn.Process(target=send_noise, args=arguments, daemon=True)
    sender.start()
    try:
        yield
    finally:
        sender.terminate()
        sender.join()


def measure(browser: Browser, n_channels: int, duration: float) -> Iterator[Seen]:
    """Yield how the page of so many channels ran at each size."""
    name = f"page-{uuid4().hex}"
    with tempfile.TemporaryDirectory(prefix="braincast-page-") as folder:
        model = Path(folder) / "model"
        save_noise_model(n_channels, HOP, model)
        with noise(name, n_channels), serving(model, name, Path(folder) / "run") as service:
            for width, height in SIZES:
                page = browser.new_page(viewport={"width": width, "height": height})
                page.goto(service.listener.url)
                live = "() => document.getElementById('pill').textContent === 'LIVE'"
                page.wait_for_function(live, timeout=1000 * PATIENCE)
                page.wait_for_timeout(1000 * WARM)
                yield watch(page, duration)
                page.close()
            service.stop()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", help="64 channels, 3 s")
    quick = parser.parse_args().quick
    columns = ("channels", "page", "frames/s", "p50 [ms]", "p99 [ms]", "busy", "script", "heap")
    table = Table(*columns, box=box.MARKDOWN)
    with sync_playwright() as playwright:
        browser = launch(playwright)
        for n_channels in CHANNELS[1:2] if quick else CHANNELS:
            seen = measure(browser, n_channels, 3.0 if quick else 15.0)
            for (width, height), s in zip(SIZES, seen, strict=True):
                table.add_row(
                    str(n_channels),
                    f"{width} x {height}",
                    f"{s.rate:.0f}",
                    f"{s.p50:.1f}",
                    f"{s.p99:.1f}",
                    f"{s.busy:.0%}",
                    f"{s.script:.0%}",
                    f"{s.heap:.1f} MB",
                )
        browser.close()
    Console().print(table)


if __name__ == "__main__":
    main()
