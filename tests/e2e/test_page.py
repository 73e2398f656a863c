"""The page in a real browser, against a scripted server: what it shows and what it must not."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from decoder.events import Evidence, GapFound, Latency, Ranked, Truth
from streaming.lsl_clock import lsl_clock
from streaming.signal import Gap
from tests.e2e.opening import LIVE, NEVER_SEEN, SEEN, open_page
from tests.e2e.pagemock import PageMock


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

    seen, never = page.locator("#closed_set .evidence"), page.locator("#zero_shot .evidence")
    mock.emit(Evidence("S1/0", "closed_set", "independent", 52, 2.38, 2.5, 0.0032))
    expect(seen).to_have_text("evidence: 240 : 1")
    expect(seen).to_have_attribute("title", re.compile(r"316 at most, p = 0\.0032"))
    expect(never).to_have_text("evidence: no bet yet")
    mock.emit(Evidence("S1/1", "zero_shot", "independent", 1, -0.48, 0.0, 1.0))
    expect(never).to_have_text("evidence: 1 : 3")
    mock.emit(Evidence("S1/2", "zero_shot", "independent", 2, 7.0, 7.0, 0.0, warning="odd"))
    expect(never).to_have_text("doubted: over 1,000,000 : 1")
    why = "blocked order: slow drift tells it too"
    mock.emit(Evidence("", "", "blocked", 0, 0.0, 0.0, 1.0, available=False, reason=why))
    for panel in (seen, never):
        expect(panel).to_have_text("evidence unavailable: blocked order")
        expect(panel).to_have_attribute("title", why)

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
    mock.state("drift", "alarm", "decodes lie elsewhere")
    expect(banner).to_have_text("Drift: decodes lie elsewhere.")
    mock.state("drift", "good")
    expect(banner).to_be_hidden()

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
    assert page.locator("img:not(#preview-picture)").count() == 0


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


@pytest.mark.parametrize("font", ["", "DejaVu Sans"])
def test_a_long_name_is_not_cut_in_two(page: Page, url: str, mock: PageMock, font: str) -> None:
    open_page(page, url, mock)
    page.evaluate("(font) => { if (font) document.body.style.fontFamily = font; }", font)
    for name in ("saxophone", "refrigerator magnet", "internationalization"):
        mock.show(1, text=name)
        shown = page.locator("#shown-text")
        expect(shown).to_have_text(name)
        expect(shown).to_have_attribute("title", name)
        assert shown.evaluate("(node) => node.scrollWidth <= node.clientWidth")
