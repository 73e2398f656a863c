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
from streaming.errors import ConfigError

if TYPE_CHECKING:
    from decoder.assessment import Assessment

__all__ = ["evaluate", "tell_verdict", "tell_warnings"]


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
    pictures: Annotated[
        str | None,
        typer.Option(
            help="Make and score pictures of held-out decodes, too: `braincast-preview`, "
            "`diffusers:` with a folder or hub id, or `retrieve:` with a folder. Needs the "
            "column stim_file in the table of stimuli."
        ),
    ] = None,
    pictures_from: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the pictures that were shown; that of --stimuli if not given."
        ),
    ] = None,
    pictures_by: Annotated[
        str,
        typer.Option(
            help="Embedding that pictures are told apart by: `efficientnet`, `clip:` or "
            "`dinov2:` with a folder or hub id."
        ),
    ] = "efficientnet",
    pictures_on: Annotated[
        str, typer.Option(help="What makes them: `cpu`, `cuda` or `mps`.")
    ] = "cpu",
) -> None:
    """Say how well recordings can be decoded, with controls, as JSON and a page to send.

    Without --model, fits and tests as `braincast fit` does, and keeps no model. Everything is
    causal.
    """
    from decoder.evaluating import evaluate_model, evaluate_recordings
    from decoder.picturing import PictureSettings
    from decoder.tables import as_table, pictures_table
    from models.checkpoint import load_model

    drawn = None
    if pictures is not None:
        drawn = PictureSettings(
            generator=pictures, folder=pictures_from, space=pictures_by, device=pictures_on
        )
    elif pictures_from is not None or (pictures_by, pictures_on) != ("efficientnet", "cpu"):
        msg = "--pictures-from, --pictures-by, --pictures-on: name a generator with --pictures"
        raise ConfigError(msg)
    work: Callable[..., Assessment]
    if model is not None:
        work = partial(evaluate_model, load_model(model), said.files, output, said.later())
    else:
        work = partial(evaluate_recordings, said.files, output, said.settings())
    with progress_bar() as bar:
        step = bar.add_task("reading", total=1.0)
        assessment = work(
            lambda now, share: bar.update(step, description=now, completed=share),
            pictures=drawn,
        )
    out.print(as_table(assessment.scores))
    if assessment.pictures is not None:
        out.print(pictures_table(assessment.pictures))
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
