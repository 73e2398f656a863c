"""What lies in deploy/, by the tools of those who wrote these formats, where they are."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import yaml

from decoder.cli import app, spread
from tests.pages import ROOT

DEPLOY = ROOT / "deploy"

GROUP = typer.main.get_command(app)


def tool(name: str) -> str:
    found = shutil.which(name, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if found is None:
        pytest.skip(f"no {name} here: its file in deploy/ was not checked")
    return found


def passes(*command: str | Path) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def is_a_command(arguments: list[str]) -> None:
    command = GROUP.commands[arguments[0]]  # type: ignore[attr-defined]
    command.make_context(arguments[0], spread(arguments[1:]))


def test_the_image_is_built_as_hadolint_wants_it() -> None:
    passes(tool("hadolint"), DEPLOY / "Dockerfile")


def test_compose_knows_every_setting() -> None:
    schema = ("--builtin-schema", "vendor.compose-spec")
    passes(tool("check-jsonschema"), *schema, DEPLOY / "compose.yaml")


def test_caddy_takes_its_file(tmp_path: Path) -> None:
    shutil.copy(DEPLOY / "Caddyfile", tmp_path)
    passes(tool("caddy"), "validate", "--config", tmp_path / "Caddyfile")


def test_systemd_takes_the_unit_and_finds_it_confined(tmp_path: Path) -> None:
    unit = tmp_path / "braincast-ingest.service"
    text = (DEPLOY / unit.name).read_text()
    unit.write_text(text.replace("/opt/braincast/bin/braincast", "/bin/true"))
    analyze = tool("systemd-analyze")
    passes(analyze, "verify", unit)
    passes(analyze, "security", "--offline=true", "--threshold=20", unit)  # in tenths


def test_the_commands_of_services_exist() -> None:
    unit = (DEPLOY / "braincast-ingest.service").read_text()
    (line,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    is_a_command(shlex.split(line)[1:])
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    is_a_command(services["braincast"]["command"])


def test_only_what_the_image_needs_is_sent_to_its_builder() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    needed = (
        "pyproject.toml",
        "constraints.txt",
        "README.md",
        "decoder",
        "streaming",
        "models",
    )
    assert not set(ignored) & {*needed, "LICENSE", "wheelhouse"}
    assert {".git", ".venv", "sessions"} <= set(ignored)
