"""The command that says what recordings, or a model, are worth."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from decoder.console import err, out, progress_bar
from decoder.options_fit import Said, takes_recordings

if TYPE_CHECKING:
    from decoder.assessment import Assessment

__all__ = ["evaluate", "tell_verdict", "tell_warnings"]

Tell = Callable[[str, float], None]


@takes_recordings
def evaluate(
    said: Said,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for evaluation.json and report.html.")
    ] = Path("evaluation"),
    model: Annotated[
        Path | None,
        typer.Option(
            help="A fitted model, to be tested on recordings made later or kept back."
        ),
    ] = None,
) -> None:
    """Say how well recordings can be decoded, with controls, as JSON and a page to send.

    Without --model, fits and tests as `braincast fit` does, and keeps no model. Everything is
    causal.
    """
    from decoder.evaluating import evaluate_model, evaluate_recordings
    from decoder.tables import as_table
    from models.checkpoint import load_model

    work: Callable[[Tell], Assessment]
    if model is not None:
        work = partial(evaluate_model, load_model(model), said.files, output, said.later())
    else:
        work = partial(evaluate_recordings, said.files, output, said.settings())
    with progress_bar() as bar:
        step = bar.add_task("reading", total=1.0)
        assessment = work(lambda now, share: bar.update(step, description=now, completed=share))
    out.print(as_table(assessment.scores))
    tell_verdict(assessment, output)
    typer.echo(f"{output / 'report.html'}")


def tell_verdict(assessment: Assessment, output: Path) -> None:
    """Print the controls, the warnings, and the verdict."""
    from decoder.tables import controls_table

    out.print(controls_table(assessment.controls))
    tell_warnings(assessment.warnings)
    err.print(
        f"verdict: [bold]{assessment.verdict}[/]; why: {output / 'report.html'}",
        soft_wrap=True,
        highlight=False,
    )


def tell_warnings(warnings: Iterable[str]) -> None:
    """Print what a reader must know before believing a score."""
    for warning in warnings:
        err.print(f"[yellow]warning:[/] {escape(warning)}", soft_wrap=True)
