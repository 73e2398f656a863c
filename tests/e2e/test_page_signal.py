"""The signal on the page, and its channels: drawn once, whole, and marked by the operator."""

from __future__ import annotations

from dataclasses import replace

import pytest
from playwright.sync_api import Page, expect

from decoder.control import MarkBad
from decoder.events import Latency, Ranked
from tests.e2e.opening import NEVER_SEEN, SEEN, open_page
from tests.e2e.pagemock import THINGS, PageMock


@pytest.mark.parametrize("mock", [PageMock(n_channels=64)], ids=["64"])
@pytest.mark.parametrize("font", ["", "DejaVu Sans"])  # the system's own, and the widest in use
def test_everything_fits_and_the_signal_is_drawn(
    page: Page, url: str, mock: PageMock, font: str
) -> None:
    open_page(page, f"{url}#token={mock.token}", mock)
    page.evaluate("(font) => { if (font) document.body.style.fontFamily = font; }", font)
    mock.judge(*["good", "noisy", "flat", "line"] * 16)
    mock.emit(Latency({"total": (102.0, 478.0, 1077.0)}, n_decodes=3, gaps=2, drops=5))
    rare = replace(NEVER_SEEN, n=10_000, top1=0.0063, median_rank=123.5)
    mock.show(1)
    for i in range(20):
        mock.decode(1, [1, 9, 2, 3, 4], decode_id=f"S1/locked/{i}", running=(SEEN, rare))
    unlikely = tuple(Ranked(text, text, 0.0041, glyph) for text, glyph in THINGS[:5])
    mock.decode(1, [], decode_id="S1/locked/20", running=(SEEN, rare), top=unlikely)
    expect(page.locator("#trial-list li")).to_have_count(12)
    expect(page.locator("#top .p")).to_have_text(["0.41 %"] * 5)
    for width, height in ((1280, 720), (1920, 1080)):
        page.set_viewport_size({"width": width, "height": height})
        spills = page.evaluate(
            """() => [...document.querySelectorAll("section, main section *")]
                .filter((e) => e.matches("section:not([popover]), p, li, h2"))
                .filter((e) => e.scrollWidth > e.clientWidth + 1 && e.clientWidth
                            || e.matches("section") && e.scrollHeight > e.clientHeight + 1)
                .map((e) => (e.id || e.className || e.tagName) + ": " + e.textContent)"""
        )
        assert spills == []
        assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
    drawn = """() => {
        const { width, height } = plot;
        const rgba = plot.getContext("2d").getImageData(width / 2, 0, width / 2, height).data;
        let n = 0;
        for (let i = 3; i < rgba.length; i += 4) n += rgba[i] > 100;
        return n > 5000;
    }"""
    page.wait_for_function(drawn)


def test_the_ring_marks_what_is_missing(page: Page, url: str, mock: PageMock) -> None:
    page.goto(url)
    marks = page.evaluate(
        """async () => {
            const { Ring } = await import("/static/ring.js");
            const ring = new Ring(2, 100, 1);
            const frame = (t0) => ({
                header: { t0, n_times: 5 },
                view: new DataView(new Float32Array(10).fill(3).buffer),
                start: 0,
            });
            for (const t0 of [0, 0.05, 0.101, 0.5, 0.55]) ring.append(frame(t0));
            const gaps = [...ring.afterGap.slice(0, ring.end)];
            return [gaps.indexOf(1), gaps.filter(Boolean).length, ring.typical(1, [0])];
        }"""
    )
    assert marks == [15, 1, 3]


def test_the_operator_marks_a_channel_and_takes_it_back(page: Page) -> None:
    mock = PageMock(open_viewer=False)
    with mock.serving() as url:
        open_page(page, f"{url}#token={mock.token}", mock)
        button, choice = page.locator("#mark-button"), page.locator("#mark-channel")
        expect(button).to_be_hidden()  # nothing is known of the channels yet
        mock.judge("good", "good", "noisy")
        choice.select_option("E2")
        expect(button).to_have_text("Mark as bad")
        button.click()
        mock.judge("good", "marked", "noisy")
        expect(button).to_have_text("Mark as good")
        expect(choice).to_have_value("E2")
        button.click()
        mock.judge("good", "good", "noisy")
        expect(button).to_have_text("Mark as bad")
        page.goto("about:blank")  # so that the server can end
    assert mock.marked == [MarkBad(("E2",), bad=True), MarkBad(("E2",), bad=False)]


def test_a_viewer_cannot_mark(page: Page, url: str, mock: PageMock) -> None:
    open_page(page, url, mock)
    mock.judge("good", "good")
    mock.decode(1, [1, 0, 2, 3, 4])  # comes after it
    expect(page.locator("#verdict")).to_contain_text("Right")
    expect(page.locator("#mark")).to_be_hidden()


def test_a_verdict_on_a_channel_does_not_draw_the_signal_again(page: Page, url: str) -> None:
    page.goto(url)
    script = """async () => {
      const { Plot } = await import("/static/plot.js");
      let n = 0;
      const line = CanvasRenderingContext2D.prototype.lineTo;
      CanvasRenderingContext2D.prototype.lineTo = function (...at) {
        n += 1;
        line.apply(this, at);
      };
      const plot = new Plot(document.getElementById("plot"));
      plot.describe({ ch_names: ["Cz"], units: ["V"] });
      const view = new DataView(new Float32Array(100).fill(1e-5).buffer);
      const header = { t0: 0, sfreq: 100, n_channels: 1, n_times: 100 };
      plot.append({ header, view, start: 0 });
      await new Promise((done) => setTimeout(done, 100)); // what the size of the canvas does
      const counts = [];
      for (const verdict of ["", "good", "flat"]) {
        if (verdict) plot.judge({ ch_names: ["Cz"], verdicts: [verdict] });
        n = 0;
        plot.draw(0.5);
        counts.push(n);
      }
      return counts;
    }"""
    first, good, flat = page.evaluate(script)
    assert first > 90
    assert good == 0
    assert flat == 0


def test_magnetometers_and_gradiometers_have_a_scale_each(page: Page, url: str) -> None:
    page.goto(url)
    script = """async () => {
      const { Plot } = await import("/static/plot.js");
      const said = [];
      const fill = CanvasRenderingContext2D.prototype.fillText;
      CanvasRenderingContext2D.prototype.fillText = function (text, ...at) {
        said.push(text);
        fill.call(this, text, ...at);
      };
      const plot = new Plot(document.getElementById("plot"));
      plot.describe({ ch_names: ["MEG 0111", "MEG 0112"], units: ["T", "T/m"] });
      const [n, sfreq] = [100, 100];
      const view = new DataView(new ArrayBuffer(8 * n));
      for (let i = 0; i < n; i++) {
        view.setFloat32(4 * i, 1e-12 * (i % 2 ? 1 : -1), true);
        view.setFloat32(4 * (n + i), 2e-11 * (i % 2 ? 1 : -1), true);
      }
      plot.append({ header: { t0: 0, sfreq, n_channels: 2, n_times: n }, view, start: 0 });
      plot.draw(1);
      return said.find((text) => text.includes("\u00b7"));
    }"""
    assert page.evaluate(script) == "4000 fT \u00b7 1000 fT/cm"
