"""A whole session in real browsers: the operator's, the participant's and a viewer's."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, expect

from decoder.tokens import TokenFile
from models.checkpoint import save_model
from streaming.lsl_clock import lsl_clock
from streaming.outlet import MarkerOutlet
from tests.decoder.tiny import tiny_model
from tests.e2e.pagemock import PageMock
from tests.e2e.processes import Process, braincast, children_of
from tests.e2e.test_supervision import Amplifier

LIVE = re.compile("^LIVE$")
EMPTY = "\N{EN DASH}"


@contextmanager
def experiment(name: str) -> Iterator[None]:
    """Send a signal, and show a face and a house in turn."""
    amplifier, markers = Amplifier(name), MarkerOutlet(f"{name} shown")
    over = threading.Event()

    def show() -> None:
        n = 0
        while not over.wait(0.4):
            markers.push(("face", "house")[n % 2], lsl_clock())
            n += 1

    thread = threading.Thread(target=show)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        amplifier.close()


@contextmanager
def service(folder: Path) -> Iterator[tuple[Process, str, str]]:
    """Serve; gives the process, the address for its operator and that for the participant."""
    name = f"test-{uuid4().hex}"
    save_model(tiny_model(), folder / "model")
    token = TokenFile(folder / "tokens.json").create("participant", "who sits there")
    streams = ("--name", name, "--markers", f"{name} shown", "--tokens", folder / "tokens.json")
    more = ("--record", folder / "sessions", "--port", "0", "--freshness", "60")
    with (
        experiment(name),
        braincast("serve", "--model", folder / "model", *streams, *more) as serve,
    ):
        operators = serve.line()
        yield serve, operators, f"{operators.split('#')[0]}#token={token}"
        assert serve.interrupt() == 0, serve.errors


def another(browser: Browser, address: str) -> Page:
    """Open a page as somebody else would."""
    page = browser.new_context(viewport={"width": 1280, "height": 720}).new_page()
    page.goto(address)
    return page


def purged(page: Page) -> None:
    """See that nothing of the participant is left."""
    expect(page.locator("#trial-list li")).to_have_count(0)
    expect(page.locator("#decoded")).to_have_attribute("data-look", "waiting")
    expect(page.locator("#closed_set .big")).to_have_text(EMPTY)
    expect(page.locator("#closed_set .value").first).to_have_text("")
    expect(page.locator("#shown-text")).to_have_text("waiting")
    expect(page.locator("#channels")).to_be_hidden()
    drawn = """() => {
        const { width, height } = plot;
        const rgba = plot.getContext("2d").getImageData(0, 0, width, height).data;
        return rgba.some((value) => value);
    }"""
    assert page.evaluate(drawn) is False


def test_a_stop_is_said_again_until_it_arrives(page: Page) -> None:
    script = """async () => {
        const { Switch } = await import("/static/switch.js");
        const [asked, said] = [[], []];
        let broken = true;
        const call = async (action) => {
            asked.push(action);
            if (broken) throw new Error("the connection was lost");
            return { state: action === "stop" ? "stopped" : "decoding" };
        };
        const settled = () => new Promise((done) => setTimeout(done));
        const lever = new Switch(call, (state) => said.push(state), (why) => said.push(why));
        lever.connected("viewer");
        lever.stop();
        lever.connected("participant");
        lever.pause();
        lever.stop();
        await settled();
        lever.see("decoding"); // what was on its way
        broken = false;
        lever.connected("participant");
        await settled();
        lever.connected("participant");
        lever.see("stopped");
        lever.resume();
        await settled();
        return [asked, said];
    }"""
    mock = PageMock()
    with mock.serving() as url:
        page.goto(url)
        asked, said = page.evaluate(script)
        page.goto("about:blank")  # so that the server can end
    assert asked == ["stop", "stop", "resume"]
    assert said == ["stopping", "stopped", "unknown", "stopped", "decoding"]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_session_as_its_people_see_it(browser: Browser, tmp_path: Path) -> None:
    with service(tmp_path) as (serve, operators, participants):
        desk, seat = another(browser, operators), another(browser, participants)
        a_session_is_watched_and_steered(desk)
        it_is_stopped_from_the_seat(desk, seat)
        os.kill(children_of(serve.pid, "decode")[0], signal.SIGKILL)
        expect(desk.locator("#trial-list li")).not_to_have_count(0)
        desk.locator("#sessions-button").click()
        expect(desk.locator("#sessions-list")).to_have_text("None is kept here yet.")
        desk.context.close()
        seat.context.close()


def a_session_is_watched_and_steered(desk: Page) -> None:
    pill, bar = desk.locator("#pill"), desk.locator("#bar")
    expect(pill).to_have_text(LIVE)
    expect(desk.locator("#closed_set .count")).to_contain_text("trials")
    expect(desk.locator("#trial-list li").first).to_be_visible()
    expect(desk.locator("#top li").first).to_contain_text(re.compile("face|house"))
    expect(desk.locator("#clients")).to_have_text("1 operator · 1 participant")

    desk.locator("#marker").fill("coffee")
    desk.keyboard.press("Enter")
    expect(desk.locator("#toast")).to_have_text("Marker coffee sent")
    desk.locator("#note").fill("he moved")
    desk.keyboard.press("F8")  # also from within a field
    expect(pill).to_have_text("PAUSED")
    expect(desk.locator("#banner")).to_contain_text("the operator paused the session")
    bar.get_by_role("button", name="Resume").click()
    expect(pill).to_have_text(LIVE)
    bar.get_by_role("button", name="Save").click()
    expect(desk.locator("#toast")).to_have_text("Note saved")

    bar.get_by_role("button", name="Blind").click()
    expect(bar.get_by_role("button", name="Blind")).to_have_attribute("aria-pressed", "true")
    expect(desk.locator("#decoded .cover")).to_be_visible()
    expect(desk.locator("#trial-list li")).to_have_count(0)
    expect(desk.locator("#top")).not_to_contain_text(re.compile("face|house"))
    bar.get_by_role("button", name="Blind").click()
    expect(desk.locator("#trial-list li")).not_to_have_count(0)

    bar.get_by_role("button", name="Model").click()
    expect(desk.locator("#models-list")).to_contain_text("Decodes now")
    desk.locator("#models-back").click()
    expect(desk.locator("#toast")).to_contain_text("none to go back to")
    bar.get_by_role("button", name="Candidates").click()
    expect(desk.locator("#candidates-list li")).to_have_count(2)
    desk.get_by_label("New ones").fill("house\nface")
    desk.get_by_role("button", name="Replace all").click()
    desk.get_by_role("button", name="Press again: 2 for 2").click()
    expect(desk.locator("#toast")).to_have_text("house, face in place of all others")
    expect(desk.locator("#candidates-list li").first).to_contain_text("house")
    desk.keyboard.press("Escape")


def it_is_stopped_from_the_seat(desk: Page, seat: Page) -> None:
    expect(seat.locator("#seat-word")).to_have_text("Decoding")
    expect(seat.locator("#desk")).to_be_hidden()
    expect(seat.locator("#bar")).to_be_hidden()
    expect(seat.get_by_role("button", name="Stop")).to_be_focused()
    seat.keyboard.press("Escape")
    expect(seat.locator("#seat-word")).to_have_text("Stopped")
    expect(desk.locator("#pill")).to_have_text("STOPPED")
    expect(desk.locator("#banner")).to_contain_text("the participant stopped the session")
    purged(desk)
    desk.keyboard.press("F8")  # takes back a pause, not a stop
    desk.reload()
    expect(desk.locator("#pill")).to_have_text("STOPPED")
    purged(desk)
    expect(seat.get_by_role("button", name="Go on")).not_to_be_focused()
    seat.get_by_role("button", name="Go on").click()
    expect(seat.locator("#seat-word")).to_have_text("Decoding")
    expect(seat.get_by_role("button", name="Stop")).to_be_focused()
    expect(desk.locator("#pill")).to_have_text(LIVE)
    expect(desk.locator("#trial-list li")).not_to_have_count(0)
