"""Commands from recordings to a decoder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from decoder.commands_evaluate import tell_verdict, tell_warnings
from decoder.console import err, out, progress_bar
from decoder.options import read_band
from decoder.options_fit import Said, takes_recordings

if TYPE_CHECKING:
    from decoder.assessment import Assessment
    from decoder.fitting import FitSettings, FittedRecordings

__all__ = ["chain", "fit", "fit_and_tell"]


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
    from models.encoder import NETWORKS

    settings = said.settings(hop)
    if report is None:
        report = settings.encoder not in NETWORKS
    fit_and_tell(said.files, output, settings, report=report, overwrite=overwrite)


def fit_and_tell(
    recordings: Sequence[Path],
    output: Path,
    settings: FitSettings,
    *,
    report: bool,
    overwrite: bool,
) -> None:
    """Fit a model, score it, write both, and say what it is worth.

    Parameters
    ----------
    recordings : sequence of Path
        Runs of one person.
    output : Path
        The new model folder.
    settings : FitSettings
        What was shown, and what to make of it.
    report : bool
        Whether to evaluate all there is, and write the page.
    overwrite : bool
        Whether a model that is there already may be replaced.
    """
    from decoder.evaluating import evaluate_problem
    from decoder.fitting import fit_recordings

    with progress_bar() as bar:
        step = bar.add_task("reading and fitting", total=1.0)
        done = fit_recordings(
            recordings,
            output,
            settings,
            lambda share: bar.update(step, completed=share),
            overwrite=overwrite,
        )
        assessment = None
        if report:
            assessment = evaluate_problem(
                done.problem,
                recordings,
                output,
                settings,
                done.held_out,
                done.early,
                lambda now, share: bar.update(step, description=now, completed=share),
            )
    from decoder.tables import as_table

    model = done.model
    out.print(as_table(done.evaluation))
    if assessment is not None:
        tell_verdict(assessment, output)
    else:
        tell_warnings(done.warnings)
    tried = model.training["encoders_tried"].items()
    among = ", ".join(f"{name} {score:.3f}" for name, score in tried)
    reason = f", by AUC on runs left out in training ({among})" if among else ""
    err.print(f"Encoder: {model.encoder.kind}{reason}.", highlight=False)
    if settings.parent is not None:
        tell_beside(done, assessment)
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


def tell_beside(done: FittedRecordings, assessment: Assessment | None = None) -> None:
    """Say what beginning with an older model brought, beside beginning anew.

    Parameters
    ----------
    done : FittedRecordings
        What was fitted.
    assessment : Assessment, optional
        What says it already, if there is one.
    """
    from decoder.curves import learned_parts, point_of
    from decoder.forecast import forecast_shares
    from decoder.tables import beside_table

    share = done.model.training["prior_share"]
    err.print(
        f"Of the older model's weights {share:.0%} are what the new ones shrink to."
        if share
        else "The older model is ignored: beginning anew predicts left-out runs better."
    )
    if assessment is not None:
        out.print(beside_table(done.evaluation, assessment.learning, assessment.anew))
        return
    settled = done.problem.settled(done.held_out)
    n_trained = min(int(fold.train.sum()) for fold in settled.split.folds)
    shares = forecast_shares(n_trained)
    with err.status("fitting parts of the minutes, with the older model and without ..."):
        warm, anew = (
            [point_of(part) for part in learned_parts(problem, shares)]
            for problem in (settled, settled.anew())
        )
    out.print(beside_table(done.evaluation, warm, anew))
