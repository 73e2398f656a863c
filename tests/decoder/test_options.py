from __future__ import annotations

import inspect

import pytest
import typer

from decoder.config import SourceConfig
from decoder.options import parse_mask, read_band, read_trigger, takes, takes_source
from streaming.errors import ConfigError
from streaming.triggers import TriggerChannel
from tests.decoder.complaining import complaint


def test_a_mask_is_a_number_of_any_base() -> None:
    assert [parse_mask(text) for text in (None, "255", "0xFF", "0b11")] == [None, 255, 255, 3]


@pytest.mark.parametrize("text", ["zz", "0", "-1", "", "1.5"])
def test_what_masks_nothing_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--trigger-mask must be a positive number, such as"):
        parse_mask(text)


@pytest.mark.parametrize("text", ["", "5", "5-", "low-high", "5-45 Hz"])
def test_a_band_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is no band; write its two frequencies in Hz"):
        read_band(text)


def test_a_trigger_is_a_channel_and_maybe_a_mask() -> None:
    assert read_trigger(None, None) is None
    assert read_trigger("STI014", None) == TriggerChannel("STI014", None)
    assert read_trigger("STI014", "0x0F") == TriggerChannel("STI014", 15)
    with pytest.raises(ConfigError, match="name it with --trigger-channel"):
        read_trigger(None, "1")


def test_a_source_is_all_that_was_said_of_it() -> None:
    said: list[SourceConfig] = []

    @takes_source
    def command(source: SourceConfig) -> None:
        said.append(source)

    defaults = {name: p.default for name, p in inspect.signature(command).parameters.items()}
    command(**defaults)
    changes = {"streams": ["a", "b"], "trigger_channel": "STI014", "trigger_mask": "0xF"}
    command(**defaults | changes)
    assert said == [
        SourceConfig(),
        SourceConfig(streams=("a", "b"), trigger_channel="STI014", trigger_mask=15),
    ]


def test_options_stand_where_the_parameter_stood_and_those_that_are_needed_first() -> None:
    options = {"needed": (str, ...), "n": (int, 3)}

    @takes("both", options, lambda needed, n: (needed, n))
    def command(before: str, both: tuple[str, int], after: int = 1) -> None:
        raise ConfigError(f"{before} {both} {after}")

    assert list(inspect.signature(command).parameters) == ["before", "needed", "n", "after"]
    app = typer.Typer()
    app.command()(command)
    with pytest.raises(ConfigError, match=r"x \('y', 4\) 2"):
        app(["x", "y", "--n", "4", "--after", "2"], standalone_mode=False)


def test_a_mask_without_sense_is_told_by_the_commands(
    capfd: pytest.CaptureFixture[str],
) -> None:
    said = complaint(capfd, "serve", "-m", "model", "--trigger-mask", "zz")
    assert "--trigger-mask must be a positive number" in said
