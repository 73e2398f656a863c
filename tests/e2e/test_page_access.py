"""Who sees the page, after a restart too; the sessions that are over; its client in Node."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from decoder.finished import Sessions
from decoder.server.app import STATIC
from decoder.verified import keep_verdict
from decoder.verify import Verdict
from tests.decoder.sessions import lay_out
from tests.decoder.tiny import SPEC
from tests.e2e.opening import LIVE, open_page
from tests.e2e.pagemock import PageMock


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


def test_sessions_that_are_over_are_listed_and_their_report_is_saved(
    page: Page, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        folder = lay_out(tmp_path / name, SPEC, np.zeros((3, 5), np.float32), [])
    (folder.path / "report.html").write_text("<h1>How it was</h1>")
    keep_verdict(folder, Verdict(7, "", cut_short=False))
    mock = PageMock(open_viewer=False, sessions=Sessions(tmp_path, "S1"))
    with mock.serving() as url:
        open_page(page, f"{url}#token={mock.token}", mock)
        page.locator("#sessions-button").click()
        rows = page.locator("#sessions-list li")
        expect(rows).to_have_count(2)
        expect(rows.nth(0)).to_contain_text("0 decodes · two · verified")
        expect(rows.nth(1)).not_to_contain_text("verified")
        expect(rows.nth(1).get_by_role("button")).to_have_count(0)
        with page.expect_download() as saved:
            rows.nth(0).get_by_role("button").click()
        assert saved.value.suggested_filename == "two.html"
        assert Path(saved.value.path()).read_text() == "<h1>How it was</h1>"
        page.goto("about:blank")  # so that the server can end
