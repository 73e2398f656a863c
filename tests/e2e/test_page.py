"""The page in a real browser, against a scripted server: what it shows and what it must not."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from decoder.control import MarkBad
from decoder.events import GapFound, Latency, Ranked, Running, Truth
from decoder.server.app import STATIC
from streaming.lsl_clock import lsl_clock
from streaming.signal import Gap
from tests.e2e.pagemock import POOL, PageMock

SEEN = Running("closed_set", 40, POOL, 0.2, 0.1, 0.35, 0.5, 6.0)
NEVER_SEEN = Running("zero_shot", 40, POOL, 0.01, 0.002, 0.05, 0.1, 60.0)
LIVE = re.compile(r"^LIVE$")


@pytest.fixture
def mock() -> PageMock:
    return PageMock()


@pytest.fixture
def url(mock: PageMock) -> Iterator[str]:
    with mock.serving() as address:
        yield address


def open_page(page: Page, url: str, mock: PageMock) -> None:
    page.goto(url)
    mock.wait()
    expect(page.locator("#pill")).to_have_text(LIVE)


def test_a_trial_is_shown_decoded_and_scored(page: Page, url: str, mock: PageMock) -> None:
    response = page.goto(url)
    assert response is not None
    assert "default-src 'self'" in response.headers["content-security-policy"]
    open_page(page, url, mock)
    expect(page.locator("#participant")).to_have_text(
        re.compile("simulated participant.*easy", re.IGNORECASE)
    )
    expect(page.locator("#source")).to_contain_text("32 channels · 250 Hz")

    mock.show(1)
    expect(page.locator("#shown-text")).to_have_text("cat")
    mock.decode(1, [1, 0, 2, 3, 4], running=(SEEN, NEVER_SEEN))
    first = page.locator("#top li").first
    expect(first).to_contain_text("cat")
    expect(first).to_contain_text("42 %")
    expect(first).to_have_class(re.compile("truth"))
    expect(page.locator("#verdict")).to_have_text("Rightrank 1 of 300")
    expect(page.locator("#closed_set")).to_contain_text("20 %")
    expect(page.locator("#closed_set")).to_contain_text("60 \N{MULTIPLICATION SIGN} chance")
    expect(page.locator("#zero_shot")).to_contain_text("1.0 %")
    expect(page.locator("#zero_shot")).to_contain_text("within chance")
    expect(page.locator("#zero_shot")).to_contain_text("chance 1 in 300")

    mock.decode(1, [0, 2, 1, 3, 4])
    expect(page.locator("#verdict")).to_contain_text("In the top five")
    mock.decode(1, [0, 2, 5, 3, 4])
    expect(page.locator("#verdict")).to_have_text("Wrongrank 37 of 300")
    expect(page.locator("#trial-list .mark")).to_have_text(["1", "3", "37"])
    expect(page.locator("#trial-list use").nth(2)).to_have_attribute("href", "#shape-wrong")

    stages = {
        "acquire": (8.0, 9.0, 9.0),
        "decode": (2.0, 2.0, 2.0),
        "total": (12.0, 13.0, 14.0),
    }
    mock.emit(Latency(stages, n_decodes=3, gaps=2, drops=5))
    expect(page.locator("#latency")).to_contain_text("p50 12 p95 13 p99 14")
    expect(page.locator("#losses")).to_have_text("gaps 2 · drops 5")
    expect(page.locator("#latency-from")).to_have_text("from LSL timestamp")


def test_only_the_last_twelve_trials_stay_and_a_revision_replaces(
    page: Page, url: str, mock: PageMock
) -> None:
    open_page(page, url, mock)
    for i in range(14):
        mock.decode(1, [1, 0, 2, 3, 4], decode_id=f"S1/locked/{i}")
    expect(page.locator("#trial-list li")).to_have_count(12)
    mock.decode(1, [0, 1, 2, 3, 4], decode_id="S1/locked/13")
    expect(page.locator("#trial-list .mark").last).to_have_text("2")
    expect(page.locator("#trial-list li")).to_have_count(12)


def test_what_is_not_live_never_looks_live(page: Page, url: str, mock: PageMock) -> None:
    open_page(page, url, mock)
    decoded, flag = page.locator("#decoded"), page.locator("#decoded-flag")
    faded = re.compile(r"grayscale")

    mock.decode(1, [1, 0, 2, 3, 4], stale=True)
    expect(flag).to_have_text("STALE")
    expect(page.locator("#top")).to_have_css("filter", faded)
    expect(page.locator("#verdict")).to_contain_text("not counted")

    mock.decode(1, [1, 0, 2, 3, 4])
    expect(flag).to_have_text("")
    expect(page.locator("#top")).to_have_css("filter", "none")

    now = lsl_clock()
    mock.decode(1, [1, 0, 2, 3, 4], t_end=now - 3, t_emit=now - 3)  # late on the way here
    expect(flag).to_have_text("STALE")
    expect(page.locator("#verdict")).to_contain_text("reached this page too late")
    mock.decode(1, [1, 0, 2, 3, 4], t_end=lsl_clock() - 60)  # of a minute ago
    expect(flag).to_have_text(re.compile(r"STALE · 6\d s ago"))

    for reason, words in (("gap", "samples of this window were lost"), ("odd", "odd")):
        mock.decode(1, [], abstained=reason, truth=None)
        expect(flag).to_have_text("NO DECODE")
        expect(page.locator("#verdict")).to_have_text(words)
        expect(page.locator("#top li:visible")).to_have_count(0)
    expect(decoded).to_have_attribute("data-look", "abstained")
    mock.decode(1, [1, 0, 2, 3, 4], calibrated=False)
    expect(flag).to_have_text("not calibrated")


def test_gaps_and_the_state_of_the_source_are_said(
    page: Page, url: str, mock: PageMock
) -> None:
    open_page(page, url, mock)
    banner, pill = page.locator("#banner"), page.locator("#pill")
    expect(banner).to_be_hidden()
    mock.decode(1, [1, 0, 2, 3, 4])

    mock.emit(GapFound(Gap(lsl_clock(), 0.32, "lost")))
    expect(banner).to_contain_text("320 ms of signal lost")
    mock.state("decoder", "settling")
    expect(pill).to_have_text("SETTLING")
    mock.state("decoder", "ready")
    expect(pill).to_have_text(LIVE)

    mock.signal = False
    mock.state("source", "lost", "unplugged")
    expect(banner).to_have_text("The source is lost. Nothing here is live. unplugged")
    expect(pill).to_have_text("SOURCE LOST")
    expect(page.locator("#decoded-flag")).to_contain_text("STALE")
    expect(page.locator("#top")).to_have_css("filter", re.compile("grayscale"))
    box, window = banner.bounding_box(), page.viewport_size
    assert box is not None
    assert window is not None
    assert box["width"] == window["width"]
    mock.signal = True
    mock.state("source", "live")
    expect(pill).to_have_text(LIVE)

    mock.signal = False  # nobody says anything: the page sees for itself
    expect(pill).to_have_text("NO SIGNAL")
    mock.signal = True
    expect(pill).to_have_text(LIVE)


def test_who_comes_while_the_source_is_away_is_told(
    page: Page, url: str, mock: PageMock
) -> None:
    mock.signal = False
    mock.state("source", "lost", "unplugged")
    page.goto(url)
    expect(page.locator("#pill")).to_have_text("SOURCE LOST")
    expect(page.locator("#shown-text")).to_have_text("waiting")


def test_text_from_outside_stays_text(page: Page, url: str, mock: PageMock) -> None:
    open_page(page, url, mock)
    evil = "<img src=x onerror=alert(1)>"
    truth = Truth("x", evil, evil, 1, trained=False)
    top = (Ranked("x", evil, 1.0, evil),)
    mock.show(1, text=evil, glyph=evil)
    mock.decode(1, [], truth=truth, top=top)
    mock.state("recorder", "failed", evil)
    expect(page.locator("#shown-text")).to_have_text(evil)
    expect(page.locator("#top .word").first).to_have_text(evil)
    expect(page.locator("#banner")).to_contain_text(evil)
    expect(page.locator("#trial-list")).to_contain_text(evil)
    assert page.locator("img").count() == 0


def test_a_token_is_taken_from_the_address_or_asked_for(page: Page) -> None:
    with PageMock(open_viewer=False, token="s3cret").serving() as url:
        ask_for_token(page, url)


def ask_for_token(page: Page, url: str) -> None:
    page.goto(url)
    expect(page.locator("#ask")).to_be_visible()
    expect(page.locator("#ask-reason")).to_have_text(re.compile("token is needed"))
    expect(page.locator("#ask")).to_contain_text("#token=")
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    expect(page.locator("#ask")).to_be_visible()
    page.locator("#ask-token").fill(f"{url}#token=s3cret")
    page.keyboard.press("Enter")
    expect(page.locator("#ask")).to_be_hidden()
    expect(page.locator("#pill")).to_have_text(LIVE)
    expect(page.locator("#participant")).to_be_visible()

    other = page.context.new_page()
    other.goto(f"{url}#token=s3cret")
    expect(other.locator("#pill")).to_have_text(LIVE)
    assert other.url == url
    other.reload()
    expect(other.locator("#pill")).to_have_text(LIVE)


def test_after_a_restart_it_comes_back_and_forgets_the_other_session(page: Page) -> None:
    before = PageMock(session="before")
    with before.serving() as url:
        open_page(page, url, before)
        before.decode(1, [1, 0, 2, 3, 4])
        expect(page.locator("#trial-list li")).to_have_count(1)
    expect(page.locator("#pill")).to_have_text("OFFLINE")
    expect(page.locator("#banner")).to_contain_text("Nothing here is live")
    expect(page.locator("#top")).to_have_css("filter", re.compile("grayscale"))
    after = PageMock(session="after")
    with after.serving(urlsplit(url).port or 0):
        expect(page.locator("#pill")).to_have_text(LIVE)
        expect(page.locator("#trial-list li")).to_have_count(0)
        expect(page.locator("#verdict")).to_have_text("no decode yet")
        after.decode(2, [2, 0, 1, 3, 4])
        expect(page.locator("#trial-list li")).to_have_count(1)


@pytest.mark.parametrize("mock", [PageMock(n_channels=64)])
def test_everything_fits_and_the_signal_is_drawn(page: Page, url: str, mock: PageMock) -> None:
    open_page(page, f"{url}#token={mock.token}", mock)
    mock.judge(*["good", "noisy", "flat", "line"] * 16)
    mock.emit(Latency({"total": (102.0, 478.0, 1077.0)}, n_decodes=3, gaps=2, drops=5))
    rare = replace(NEVER_SEEN, n=10_000, top1=0.0063, median_rank=123.5)
    mock.show(1)
    for i in range(20):
        mock.decode(1, [1, 9, 2, 3, 4], decode_id=f"S1/locked/{i}", running=(SEEN, rare))
    expect(page.locator("#trial-list li")).to_have_count(12)
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


def test_the_theme_follows_the_system_until_the_button_is_pressed(
    page: Page, url: str, mock: PageMock
) -> None:
    open_page(page, url, mock)
    root = page.locator("html")
    expect(root).to_have_attribute("data-theme", "dark")
    page.emulate_media(color_scheme="light")
    expect(root).to_have_attribute("data-theme", "light")
    page.get_by_role("button", name="Use dark colours").press("Enter")
    expect(root).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(root).to_have_attribute("data-theme", "dark")


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


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_the_client_runs_in_node(url: str, mock: PageMock) -> None:
    script = f"""
        import {{ Client }} from "{(STATIC / "client.js").as_uri()}";
        const policies = {{ signal: "latest", text: "lossless" }};
        const client = new Client("{url.replace("http", "ws")}v1/ws", {{ policies }});
        client.on("signal", ({{ header }}) => {{
            const near = Math.abs(client.now() - header.t0) < 5;
            console.log(header.n_channels, header.n_times, near);
            client.stop();
        }});
        client.start();
    """
    done = subprocess.run(
        ["node", "--experimental-websocket", "--input-type=module", "-e", script],
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    assert done.stdout.split() == ["32", "6", "true"]


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
