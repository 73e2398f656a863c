"""The command that fits what stands between a decoder and a generator of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from decoder.console import out

__all__ = ["fit_adapter"]


def fit_adapter(
    gallery: Annotated[
        Path, typer.Argument(help="Folder of pictures with gallery.tsv, which names them.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the adapter.")],
    to: Annotated[
        str,
        typer.Option(help="Space of the generator, such as `image-embeds:FOLDER_OR_ID`."),
    ],
    space: Annotated[str, typer.Option(help="Space of the decoder.")] = "minilm",
) -> None:
    """Fit an adapter from the decoder's space to that of a generator of pictures.

    Prints how well it finds pictures that it was not fitted to.
    """
    from models.adapter import save_adapter
    from models.adapter_fit import fit_adapter_to_gallery

    adapter = fit_adapter_to_gallery(gallery, space, to)
    save_adapter(adapter, output)
    n_in, n_out = adapter.weights.shape
    said = escape(f"{adapter.source} ({n_in}) to {adapter.target} ({n_out})")
    out.print(said, highlight=False)
    out.print(str(adapter.score), highlight=False)
    typer.echo(f"{output}")
