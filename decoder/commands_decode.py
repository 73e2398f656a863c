"""Commands around decoding: fit, the demo, listen."""

from __future__ import annotations

import json
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from decoder.console import err, out, progress_bar
from decoder.options import (
    Onsets,
    Port,
    Subject,
    Task,
    TimingFile,
    TriggerChannelName,
    TriggerMask,
    Visit,
    read_band,
    read_trigger,
)
from decoder.recordings import listed
from streaming.errors import ConfigError

if TYPE_CHECKING:
    from decoder.service import Service

__all__ = ["chain", "demo", "fit", "listen"]


def fit(
    recordings: Annotated[
        list[Path], typer.Argument(help="Recordings: XDF, what MNE reads, or a BIDS dataset.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The new model folder.")],
    events: Annotated[
        list[str] | None,
        typer.Option(help="Annotations to tell apart, such as `--events face house`."),
    ] = None,
    stimuli: Annotated[
        Path | None, typer.Option(help="Table of what the markers mean, instead of --events.")
    ] = None,
    track: Annotated[
        list[str] | None,
        typer.Option(
            help="A continuous track instead: a channel with a sound's envelope, a .wav or a "
            ".npy file; one, or one for each recording."
        ),
    ] = None,
    track_rate: Annotated[float | None, typer.Option(help="Rate of a .npy track [Hz].")] = None,
    track_onset: Annotated[
        str, typer.Option(help="Marker at which a track's file begins to play.")
    ] = "",
    stretch: Annotated[
        float | None,
        typer.Option(help="How much of a track to recognise at once [s]; 5 if long enough."),
    ] = None,
    candidates: Annotated[
        Path | None,
        typer.Option(help="What to choose from, if more than was shown: words or a TSV."),
    ] = None,
    space: Annotated[
        str,
        typer.Option(
            help="Embedding space: `labels`, `minilm`, `efficientnet`, `sentence:`, `clip:`, "
            "`dinov2:`, `wav2vec2:` with a folder or hub id. By default `labels` for --events "
            "and `minilm` for --stimuli."
        ),
    ] = "",
    picks: Annotated[str, typer.Option(help="`eeg` or `meg`.")] = "eeg",
    drop: Annotated[
        list[str] | None,
        typer.Option(help="Channels to leave out, such as `--drop 'Right AUX'`."),
    ] = None,
    unit: Annotated[
        str | None, typer.Option(help="Unit of the samples of XDF that does not say it.")
    ] = None,
    streams: Annotated[
        list[str] | None,
        typer.Option(
            "--stream", help="Name or source_id of each signal of XDF; several are joined."
        ),
    ] = None,
    trigger_channel: TriggerChannelName = None,
    trigger_mask: TriggerMask = None,
    encoder: Annotated[
        str,
        typer.Option(
            help="`ridge`, `riemann` (few channels and classes; flicker), `auto` (which of "
            "the two predicts the training runs from each other best), or a network, which "
            "takes minutes and many trials: `mlp`, `tsconv`, `simpleconv`."
        ),
    ] = "auto",
    subject: Subject = None,
    session: Visit = None,
    task: Task = None,
    tmin: Annotated[
        float | None,
        typer.Option(
            help="Start of the window after a marker [s]; by default 0, or 0.5 for flicker "
            "rates such as `13 Hz`."
        ),
    ] = None,
    tmax: Annotated[
        float | None,
        typer.Option(help="Its end [s]; by default 0.8, or 3.5 for flicker rates."),
    ] = None,
    band: Annotated[
        str | None,
        typer.Option(
            help="Frequencies to keep [Hz]; by default 0.5-30, or 5-45 for flicker rates."
        ),
    ] = None,
    chain_file: Annotated[
        Path | None,
        typer.Option(
            "--chain",
            help="Chain of transforms, instead of the standard one: a YAML file such as "
            "`braincast chain` prints.",
        ),
    ] = None,
    timing: TimingFile = None,
    onsets: Onsets = "markers",
    hop: Annotated[
        float | None,
        typer.Option(
            min=0.001, help="Decode every so often [s], without markers: for lasting states."
        ),
    ] = None,
) -> None:
    """Fit a decoder to recordings, and score it on runs that it never saw.

    The recordings go through the very same causal chain as the live signal.
    """
    from decoder.fitting import FitSettings, fit_recordings
    from decoder.tracks import TrackSettings
    from streaming.timing import choose_timing

    wanted = None
    if track or track_rate is not None or track_onset or stretch is not None:
        wanted = TrackSettings(
            names=tuple(track or ()), rate=track_rate, onset=track_onset, stretch=stretch
        )
    settings = FitSettings(
        events=tuple(events or ()),
        stimuli=stimuli,
        candidates=candidates,
        space=space,
        picks=picks,
        drop=tuple(drop or ()),
        unit=unit,
        streams=tuple(streams or ()),
        trigger=read_trigger(trigger_channel, trigger_mask),
        encoder=encoder,
        tmin=tmin,
        tmax=tmax,
        band=read_band(band) if band else None,
        chain=chain_file,
        hop=hop,
        track=wanted,
        timing=choose_timing(timing, onsets),
    )
    files = listed(recordings, subject=subject, session=session, task=task)
    with progress_bar() as bar:
        step = bar.add_task("reading and fitting", total=1.0)
        fitted, evaluation = fit_recordings(
            files, output, settings, lambda share: bar.update(step, completed=share)
        )
    from decoder.tables import as_table

    out.print(as_table(evaluation))
    tried = fitted.training["encoders_tried"].items()
    among = ", ".join(f"{name} {score:.3f}" for name, score in tried)
    reason = f", by AUC on runs left out in training ({among})" if among else ""
    err.print(f"Encoder: {fitted.encoder.kind}{reason}.", highlight=False)
    error = fitted.scores["calibration_error"]
    settling, delay = fitted.training["settling"], fitted.training["delay"]
    err.print(
        f"The chain delays a wave of 10 Hz by {1000 * delay:.0f} ms (group delay), and needs "
        f"{settling:.1f} s of signal after each gap before it can be trusted."
    )
    err.print(
        f"Expected calibration error of the best candidate's probability: {error:.3f}. "
        f"The model:"
    )
    typer.echo(f"{output}")


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


def demo(
    snr: Annotated[
        str, typer.Option(help="`easy`, `realistic`, or `none` (no information).")
    ] = ("easy"),
    port: Port = 8000,
    seconds: Annotated[
        float, typer.Option(min=0, help="Stop after so many of decoding; 0: never.")
    ] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="No page; print the scores as JSON at the end.")
    ] = False,
    trials: Annotated[int, typer.Option(min=1, help="Stimuli in calibration.")] = 1000,
    subject_seed: Annotated[int, typer.Option(min=0, help="Which person.")] = 1,
    session_seed: Annotated[int, typer.Option(min=0, help="Which session of that person.")] = 1,
) -> None:
    """Watch a live decode in the browser: no hardware, hub or account.

    A simulated participant is calibrated and then decoded live over real LSL.
    """
    import tempfile

    from streaming.sources.simulated import SimulatedSettings

    with err.status("starting ..."):
        from decoder.demo import Demo, stop_after, summary
        from decoder.evaluation import one_line
        from decoder.listening import listen as listen_on
    settings = SimulatedSettings(
        snr=snr,  # type: ignore[arg-type]  # checked there
        subject_seed=subject_seed,
        session_seed=session_seed,
    )
    with (
        closing(listen_on("127.0.0.1", 0 if as_json else port)) as sock,
        tempfile.TemporaryDirectory(prefix="braincast-demo-") as folder,
    ):
        show = Demo(settings, trials, Path(folder))
        with show.participant() as name:
            with progress_bar() as bar:
                task = bar.add_task("starting", total=1.0)
                evaluation = show.calibrate(
                    lambda step, share: bar.update(task, description=step, completed=share)
                )
            err.print(f"calibration: {one_line(evaluation)}", highlight=False)
            with show.ingest(name) as (session, address):
                service = show.service(session, address, sock)
                ended = threading.Event()
                if seconds:
                    threading.Thread(target=stop_after, args=(service, seconds, ended)).start()
                try:
                    service.run(lambda: None if as_json else announce_demo(service, snr))
                finally:
                    ended.set()
            if as_json:
                typer.echo(json.dumps(summary(service), indent=2))


def announce_demo(service: Service, snr: str) -> None:
    """Say where to look, and at what."""
    err.print(
        f"[bold]Open {service.url} in a browser.[/] The participant is simulated "
        f"(signal-to-noise: {snr}). The first decode comes after about ten seconds. "
        "Ctrl-C ends everything."
    )


def listen(
    url: Annotated[str, typer.Argument(help="The address that was printed at start.")],
    stream: Annotated[
        list[str] | None, typer.Option("--stream", help="text (default), markers, state ...")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a line.")
    ] = False,
    count: Annotated[
        int, typer.Option("-n", min=0, help="Stop after so many events; 0: never.")
    ] = 0,
) -> None:
    """Print decodes as they come, from any running service."""
    from websockets.exceptions import WebSocketException

    from decoder.client import RequestError, connect

    try:
        with connect(url, stream or ["text"]) as events:
            for n, event in enumerate(events, 1):
                if as_json:
                    line = {"stream": event.stream, **event.params}
                    typer.echo(json.dumps(line, ensure_ascii=False))
                else:
                    out.print(describe(event.stream, event.params), highlight=False)
                if n == count:
                    break
    except (OSError, WebSocketException) as error:
        msg = f"cannot reach {url.split('#')[0]} ({error}); is `braincast serve` running there?"
        raise ConfigError(msg) from error
    except RequestError as error:
        msg = f"{error}; copy the whole address, with what follows #, from where it was started"
        raise ConfigError(msg) from error


def describe(stream: str, params: dict[str, Any]) -> str:
    """Put an event in one line for a person."""
    if stream == "markers":
        return f"[dim]shown[/]    {escape(params['text'] or params['label'])}"
    if stream != "text":
        return f"[yellow]{stream}[/]  {escape(json.dumps(params, ensure_ascii=False))}"
    if params["abstained"]:
        return f"[yellow]no decode[/] ({params['abstained']})"
    top = "  ".join(f"{escape(c['text'])} {c['p']:.0%}" for c in params["top"])
    stale = "[red]STALE[/]  " if params["stale"] else ""
    truth = params["truth"]
    verdict = ""
    if truth:
        good = truth["rank"] == 1
        verdict = f"  [{'green' if good else 'red'}]{'right' if good else 'wrong'}[/]"
        verdict += f" [dim](was {escape(truth['text'])}, rank {truth['rank']})[/]"
    return f"{stale}[bold]decoded[/]  {top}{verdict}"
