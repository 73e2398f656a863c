"""Whatever the documentation says to type exists, and what it shows works."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import typer

from decoder.cli import app, spread
from tests.pages import ROOT, commands, pages

GROUP = typer.main.get_command(app)

ALL = [
    (page, arguments)
    for page in pages()
    for arguments in commands(page.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize(
    ("page", "arguments"), ALL, ids=[f"{p.stem}: {' '.join(a)}" for p, a in ALL]
)
def test_every_command_has_the_options_that_a_page_gives_it(
    page: Path, arguments: list[str]
) -> None:
    command = GROUP.commands[arguments[0]]  # type: ignore[attr-defined]
    command.make_context(arguments[0], spread(arguments[1:]))


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_links_within_the_project_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    for target in targets:
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_make_targets_in_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", (ROOT / "README.md").read_text(), re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_the_client_is_one_file_that_runs_on_old_pythons() -> None:
    import ast

    source = (ROOT / "decoder" / "client.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 8))
    imported = set(re.findall(r"^(?:from|import) (\w+)", source, re.MULTILINE))
    assert imported - set(sys.stdlib_module_names) == {"websockets"}
