"""What a user gets who does something wrong: one line, the fix, exit code 2, no traceback."""

from __future__ import annotations

import re

import pytest
import typer

from decoder.cli import MANY, app, main, spread
from tests.decoder.complaining import complaint


def test_an_unknown_option_is_told_by_name(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--modle", "x"]) == 2
    assert "--modle" in capfd.readouterr().err


def test_every_command_has_help(capfd: pytest.CaptureFixture[str]) -> None:
    names = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert set(names) >= {
        *("demo", "simulate", "sample", "streams", "replay"),
        *("fit", "serve", "listen", "doctor", "verify", "export", "timing"),
    }
    for name in names:
        assert main([name, "--help"]) == 0
        assert len(capfd.readouterr().out) > 200


def test_each_option_that_may_be_repeated_takes_several_values() -> None:
    commands = [typer.main.get_command(app)]
    repeated = set()
    while commands:
        command = commands.pop()
        commands += getattr(command, "commands", {}).values()
        repeated |= {
            tuple(option.opts)
            for option in command.params
            if option.param_type_name == "option" and option.multiple
        }
    assert ("--people",) in repeated
    said_anew = {"--model", "--allow-host", "--fault"}  # for each, as their help says
    assert not [names for names in repeated if not set(names) & {*MANY, *said_anew}]


def test_options_with_several_values() -> None:
    spread_out = spread(["fit", "a.fif", "--events", "a", "b", "--drop", "c", "-o", "m"])
    assert spread_out == [
        *("fit", "a.fif", "--events", "a", "--events", "b"),
        *("--drop", "c", "-o", "m"),
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("demo --seconds -1", "invalid value for '--seconds': .* 0"),
        ("timing --seconds 0", "invalid value for '--seconds': .* 1"),
        ("streams --timeout -3", "invalid value for '--timeout'"),
        ("serve -m model --port 99999", "invalid value for '--port'"),
        ("serve -m model --timeout -1", "invalid value for '--timeout'"),
        ("replay x.xdf --start -2", "invalid value for '--start'"),
        ("simulate --channels 0", "invalid value for '--channels'"),
        ("listen http://x -n -1", "invalid value for '-n'"),
        ("serve --nope", "no such option: --nope"),
        ("replay", "missing argument 'recordings'"),
        ("nonsense", "no such command 'nonsense'"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(
    arguments: str, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert re.search(said, complaint(capfd, *arguments.split()))


def test_help_is_what_no_command_means(capfd: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "serve" in capfd.readouterr().out
