"""Whatever a sender says of itself, its stream is taken and its recording can be read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pylsl
import pytest
import pyxdf
from hypothesis import given
from hypothesis import strategies as st

from streaming.readable import readable_xml
from streaming.record import XdfWriter
from streaming.sources.lsl import LslSource
from tests.streaming.lslstreams import signal_info, unique


@given(st.text(), st.integers(0, 2**32))
def test_any_text_can_be_read(text: str, code: int) -> None:
    said = text.replace("&", "&amp;").replace("<", "&lt;") + f"&#{code};&#x{code:x};"
    found = ET.fromstring(readable_xml(f"<info><desc><a>{said}</a></desc></info>"))
    assert found.find("desc/a") is not None


@pytest.mark.parametrize("text", ["plain", "Ger\u00e4t &amp; &#956;V", "<a>1</a><a>2</a>"])
def test_what_can_be_read_is_left_as_it_is(text: str) -> None:
    xml = f"<info><name>x</name><desc>{text}</desc></info>"
    assert readable_xml(xml) == xml


@pytest.mark.parametrize("desc", ["<a>" * 80 + "</a>" * 80, "<amp 1>x</amp 1>", "<a></b>"])
def test_what_cannot_is_left_out_and_said(desc: str, caplog: pytest.LogCaptureFixture) -> None:
    xml = f"<info><name>x</name><desc>{desc}</desc><uid>u</uid></info>"
    assert readable_xml(xml) == "<info><name>x</name><desc /><uid>u</uid></info>"
    assert "what a stream says of its channels is left out" in caplog.text


def control(info: pylsl.StreamInfo) -> None:
    info.desc().append_child_value("manufacturer", "g.tec\x01\x1b")


def deep(info: pylsl.StreamInfo) -> None:
    element = info.desc()
    for _ in range(3000):
        element = element.append_child("a")


@pytest.mark.parametrize("say", [control, deep])
def test_a_stream_that_says_it_is_taken_and_recorded(
    say: Callable[[pylsl.StreamInfo], None], tmp_path: Path
) -> None:
    name = unique()
    info = signal_info(name)
    say(info)
    outlet = pylsl.StreamOutlet(info)
    with_unit = "uV" if say is deep else None
    writer = XdfWriter(tmp_path / "a.xdf")
    source = LslSource.open(name=name, markers=[], unit=with_unit, tap=writer)
    source.close()
    writer.close()
    (stream,), _ = pyxdf.load_xdf(tmp_path / "a.xdf")
    assert stream["info"]["name"] == [name]
    del outlet
