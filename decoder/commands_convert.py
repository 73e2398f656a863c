"""The command that makes published datasets ready to be fitted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from decoder.console import err
from streaming.errors import ConfigError

__all__ = ["convert"]


def convert(
    dataset: Annotated[str, typer.Argument(help="`things-eeg2` or `things-meg`.")],
    folder: Annotated[Path, typer.Argument(help="Where it is, as it was published.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for what is made.")],
    images: Annotated[Path, typer.Option(help="Folder of the pictures.")],
    subject: Annotated[str, typer.Option(help="THINGS-EEG2: who, such as 01.")] = "01",
) -> None:
    """Make a published dataset ready for `fit`, with its 200 pictures kept for the test.

    THINGS-EEG2: preprocessed arrays become epochs. THINGS-MEG: a table of stimuli is written,
    and its recordings stay as they are.
    """
    from models.things import convert_things_eeg2, convert_things_meg

    if dataset == "things-eeg2":
        files = convert_things_eeg2(folder, subject, images, output)
        err.print("Filtered over whole sessions by those who published it: non-causal input.")
    elif dataset == "things-meg":
        files = [convert_things_meg(folder, images, output / "stimuli.tsv")]
    else:
        msg = f"dataset {dataset!r} is unknown; use things-eeg2 or things-meg"
        raise ConfigError(msg)
    for file in files:
        typer.echo(f"{file}")
