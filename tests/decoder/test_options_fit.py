from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from decoder.options_fit import Said, takes_recordings, takes_what_is_shown
from models.checkpoint import save_model
from streaming.errors import ConfigError
from streaming.triggers import TriggerChannel
from tests.decoder.complaining import complaint
from tests.decoder.tiny import tiny_model

FILES = [Path("a_raw.fif"), Path("b_raw.fif")]


def said(
    takes: Callable[[Callable[..., None]], Callable[..., None]] = takes_recordings,
    **values: Any,
) -> Said:
    """Return what a command gets when only some options are given."""
    got: list[Said] = []

    def command(said: Said) -> None:
        got.append(said)

    with_options = takes(command)
    parameters = inspect.signature(with_options).parameters
    with_options(**{name: p.default for name, p in parameters.items()} | values)
    return got[0]


def test_what_is_said_is_what_is_fitted() -> None:
    settings = said(
        recordings=FILES,
        events=["face", "house"],
        drop=["AUX"],
        band="1-20",
        latencies=[0.2, 0.4],
        people=["01", "02"],
        trigger_channel="STI014",
        trigger_mask="0xFF",
        streams=["amp"],
    ).settings()
    assert settings.events == ("face", "house")
    assert settings.drop == ("AUX",)
    assert settings.band == (1.0, 20.0)
    assert settings.latencies == (0.2, 0.4)
    assert settings.subjects == ("01", "02")
    assert settings.trigger == TriggerChannel("STI014", 255)
    assert settings.streams == ("amp",)
    assert (settings.track, settings.parent) == (None, None)


def test_a_hop_is_of_the_fit_alone() -> None:
    assert said(recordings=FILES, events=["face"]).settings(0.5).hop == 0.5


def test_an_older_model_is_read(tmp_path: Path) -> None:
    save_model(tiny_model(), tmp_path / "old")
    settings = said(recordings=FILES, events=["face"], parent=tmp_path / "old").settings()
    assert settings.parent is not None
    assert settings.parent.model_id == tiny_model().model_id


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"events": ["face"]}, "--events"),
        ({"encoder": "ridge", "tmax": 0.5}, "--encoder, --tmax"),
        ({"parent": Path("old"), "chain_file": Path("chain.yaml")}, "--chain, --from"),
    ],
)
def test_what_the_model_says_is_refused_beside_it(values: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=f"{named}: the model says it itself; leave it out"):
        said(recordings=FILES, **values).later()


def test_of_a_later_recording_one_says_how_it_is_read() -> None:
    later = said(
        recordings=FILES, unit="uV", streams=["amp"], track=["env"], protocol="zero_shot"
    ).later()
    assert (later.unit, later.streams, later.protocol) == ("uV", ("amp",), "zero_shot")
    assert later.track is not None
    assert later.track.names == ("env",)


def test_of_a_live_stream_the_source_says_how_it_is_read() -> None:
    live = said(takes_what_is_shown, events=["face", "house"])
    assert live.files == []
    assert live.settings() == said(recordings=[], events=["face", "house"]).settings()

    def command(said: Said) -> None: ...

    options = inspect.signature(takes_what_is_shown(command)).parameters
    assert {"events", "space", "encoder"} <= set(options)
    assert not {"recordings", "unit", "streams", "trigger_channel", "track"} & set(options)


def test_a_mask_needs_a_channel(capfd: pytest.CaptureFixture[str]) -> None:
    fit = ("fit", "x.fif", "--events", "a", "b", "-o", "m", "--trigger-mask", "1")
    assert "name it with --trigger-channel" in complaint(capfd, *fit)
