"""Markers of another machine do not become ours."""

from __future__ import annotations

from uuid import uuid4

import pytest

from streaming.lsl_clock import lsl_clock
from streaming.lsl_hosts import Hosts
from streaming.lsl_side import Role, SideStreams
from streaming.outlet import MarkerOutlet, SignalOutlet
from streaming.signal import SignalSpec
from streaming.sources import lsl
from streaming.sources.lsl import LslSource
from streaming.sources.source import StreamHeader

SPEC = SignalSpec(100.0, ("Cz", "Pz"))


class Elsewhere:
    """A stream as another machine announces it."""

    def __init__(self, host: str, uid: str) -> None:
        self._host, self._uid = host, uid

    def hostname(self) -> str:
        return self._host

    def uid(self) -> str:
        return self._uid

    def name(self) -> str:
        return "stimuli"

    def type(self) -> str:
        return "Markers"

    def channel_count(self) -> int:
        return 1

    def channel_format(self) -> int:
        return 1

    def nominal_srate(self) -> float:
        return 0.0

    def source_id(self) -> str:
        return "id"


def test_what_is_not_taken_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    hosts = Hosts(["amplifier", "decoder"])
    assert hosts.takes(Elsewhere("amplifier", "1"))
    for uid in ("2", "2", "3"):
        assert not hosts.takes(Elsewhere("next-lab", uid))
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2
    assert "'stimuli' (Markers" in caplog.text
    assert "of next-lab is not taken" in caplog.text
    assert "than amplifier and decoder" in caplog.text
    assert "--markers" in caplog.text


def test_streams_that_come_later_are_judged_in_the_same_way() -> None:
    def takes(role: Role, markers: list[str] | None) -> bool:
        side = SideStreams(1, Hosts(["here"]), markers, (), lambda _: None, lsl_clock)
        return side._searches[role][1](Elsewhere("next-lab", "1"))

    assert not takes("markers", None)
    assert takes("markers", ["stimuli"])
    assert not takes("impedance", ["stimuli"])


def test_a_source_takes_its_own_machines_markers_and_others_by_name(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    name = f"hosts-{uuid4().hex}"
    signal, markers = SignalOutlet(SPEC, name), MarkerOutlet(f"{name} markers")

    def open_source(names: list[str] | None) -> tuple[LslSource, str]:
        headers: list[str] = []

        def tap(item: object) -> None:
            if isinstance(item, StreamHeader):
                headers.append(item.info_xml)

        source = LslSource.open(name=name, markers=names, timeout=30, tap=tap)
        return source, "".join(headers)

    said = f"<name>{name} markers</name>"
    source, headers = open_source(None)
    source.close()
    assert said in headers
    monkeypatch.setattr(lsl, "_hosts", lambda _: Hosts(["elsewhere"]))
    source, headers = open_source([f"{name} markers"])
    source.close()
    assert said in headers
    source, headers = open_source(None)
    assert said not in headers
    while f"'{name} markers'" not in caplog.text:
        source.read(0.1)
    source.close()
    del signal, markers
