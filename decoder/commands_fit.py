"""Commands from recordings to a decoder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from decoder.commands_evaluate import tell_verdict
from decoder.console import err, out, progress_bar
from decoder.options import read_band
from decoder.options_fit import Said, takes_recordings

__all__ = ["chain", "fit"]


def chain(
    recordings: Annotated[
        list[Path], typer.Argument(help="Recordings of one person, as for `fit`.")
    ],
    picks: Annotated[str, typer.Option(help="`eeg` or `meg`.")] = "eeg",
    drop: Annotated[list[str] | None, typer.Option(help="Channels to leave out.")] = None,
    unit: Annotated[
        str | None, typer.Option(help="Unit of the samples of XDF that does not say it.")
    ] = None,
    band: Annotated[str, typer.Option(help="Frequencies to keep [Hz].")] = "0.5-30",
    line_freq: Annotated[float, typer.Option(help="Mains [Hz]: 50, or 60.")] = 50.0,
) -> None:
    """Print the standard chain for recordings, to edit and give to `fit --chain`."""
    from models.channels import choose_channels
    from models.fit import evoked_chain
    from streaming.chain_file import chain_to_yaml

    channels = choose_channels(recordings, picks, drop or (), unit)
    standard = evoked_chain(
        channels.spec, channels.info, band=read_band(band), line_freq=line_freq
    )
    typer.echo(chain_to_yaml(standard), nl=False)


@takes_recordings
def fit(
    said: Said,
    output: Annotated[Path, typer.Option("--output", "-o", help="The new model folder.")],
    hop: Annotated[
        float | None,
        typer.Option(
            min=0.001, help="Decode every so often [s], without markers: for lasting states."
        ),
    ] = None,
    report: Annotated[
        bool | None,
        typer.Option(
            help="Put evaluation.json and report.html into the model folder, as `evaluate` "
            "does; by default, but for networks, which would be trained many times more."
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the model that is there.")
    ] = False,
) -> None:
    """Fit a decoder to recordings, and say what it is worth.

    The recordings go through the very same causal chain as the live signal; each run is
    predicted by models that never saw it.
    """
    from decoder.evaluating import evaluate_problem
    from decoder.fitting import fit_recordings
    from models.encoder import NETWORKS

    settings = said.settings(hop)
    with progress_bar() as bar:
        step = bar.add_task("reading and fitting", total=1.0)
        done = fit_recordings(
            said.files,
            output,
            settings,
            lambda share: bar.update(step, completed=share),
            overwrite=overwrite,
        )
        if report is None:
            report = settings.encoder not in NETWORKS
        assessment = None
        if report:
            assessment = evaluate_problem(
                done.problem,
                said.files,
                output,
                settings,
                done.held_out,
                lambda now, share: bar.update(step, description=now, completed=share),
            )
    from decoder.tables import as_table

    model = done.model
    out.print(as_table(done.evaluation))
    if assessment is not None:
        tell_verdict(assessment, output)
    tried = model.training["encoders_tried"].items()
    among = ", ".join(f"{name} {score:.3f}" for name, score in tried)
    reason = f", by AUC on runs left out in training ({among})" if among else ""
    err.print(f"Encoder: {model.encoder.kind}{reason}.", highlight=False)
    error = model.scores["calibration_error"]
    settling, delay = model.training["settling"], model.training["delay"]
    err.print(
        f"The chain delays a wave of 10 Hz by {1000 * delay:.0f} ms (group delay), and needs "
        f"{settling:.1f} s of signal after each gap before it can be trusted."
    )
    err.print(
        f"Expected calibration error of the best candidate's probability: {error:.3f}. "
        f"The model:"
    )
    typer.echo(f"{output}")
