"""The command that compares a network's layers with the brain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from decoder.console import err, out, progress_bar
from decoder.options import Subject, Task, Visit
from decoder.recordings import listed

__all__ = ["map_layers_of"]


def map_layers_of(
    recordings: Annotated[
        list[Path], typer.Argument(help="Recordings: XDF, what MNE reads, or a BIDS dataset.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the map.")],
    stimuli: Annotated[Path, typer.Option(help="Table of what the markers mean.")],
    space: Annotated[
        str,
        typer.Option(help="The network: `minilm`, `efficientnet`, `dinov2:...`, `clip:...`."),
    ],
    layers: Annotated[
        list[str] | None, typer.Option(help="Which layers, such as `--layers 0 4 8 12`.")
    ] = None,
    picks: Annotated[str, typer.Option(help="`eeg` or `meg`.")] = "eeg",
    drop: Annotated[list[str] | None, typer.Option(help="Channels to leave out.")] = None,
    unit: Annotated[
        str | None, typer.Option(help="Unit of the samples of XDF that does not say it.")
    ] = None,
    subject: Subject = None,
    session: Visit = None,
    task: Task = None,
    tmin: Annotated[float, typer.Option(help="Start of the window [s].")] = 0.0,
    tmax: Annotated[float, typer.Option(help="End of the window [s].")] = 0.6,
) -> None:
    """Map a network's layers: which is like the brain, when and where.

    Writes map.json and map.html, for stimuli whose concept was not trained on.
    """
    from decoder.mapping import MapSettings, map_recordings

    settings = MapSettings(
        stimuli=stimuli,
        space=space,
        layers=tuple(layers or ()),
        picks=picks,
        drop=tuple(drop or ()),
        unit=unit,
        tmin=tmin,
        tmax=tmax,
    )
    files = listed(recordings, subject=subject, session=session, task=task)
    with progress_bar() as bar:
        step = bar.add_task("reading", total=1.0)
        found = map_recordings(
            files,
            output,
            settings,
            lambda what, share: bar.update(step, description=what, completed=share),
        )
    table = Table(title=f"{space}: {found.n_stimuli} stimuli, {found.n_trials} trials")
    for column in ("layer", "encoding: best r", "at", "decoding: two-way", "at"):
        table.add_column(column, justify="right")
    for n, layer in enumerate(found.layers):
        peak, best = found.peaks[n], int(found.decoding[n].argmax())
        table.add_row(
            layer,
            f"{found.encoding[n].max():.2f}",
            "no q < .05" if peak is None else f"{1000 * peak:.0f} ms",
            f"{found.decoding[n, best]:.2f}",
            f"{1000 * found.times[best]:.0f} ms",
        )
    out.print(table)
    if found.order is not None:
        correlation, p = found.order
        err.print(f"Rank correlation of layer and latency: {correlation:.2f} (p = {p:.2g}).")
    typer.echo(f"{output / 'map.html'}")
