"""The service: `serve`, and the processes that it runs."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from decoder.children import spare_the_old, step, wait_for_word
from decoder.commands_token import DEFAULT
from decoder.config import SourceConfig
from decoder.console import err, stopped_by_signals, when_input_ends
from decoder.options import (
    DeviceDelay,
    Onsets,
    Port,
    Record,
    Run,
    Subject,
    Task,
    TimingFile,
    Tokens,
    Visit,
    takes_source,
)
from streaming.errors import ConfigError

if TYPE_CHECKING:
    from decoder.config import Config
    from decoder.folder import SessionFolder

__all__ = ["decode", "embed", "ingest", "outlet", "preview", "refit", "serve"]

Folder = Annotated[Path | None, typer.Option(hidden=True)]


@takes_source
def serve(
    model: Annotated[
        list[Path],
        typer.Option(
            "--model",
            "-m",
            help="Model folder, made by `braincast fit`. The first decodes; it can be swapped "
            "for the others while live.",
        ),
    ],
    source: SourceConfig,
    remote: Annotated[
        str | None,
        typer.Option("--ingest", help="Decode what `braincast ingest` takes in elsewhere."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Port = 8000,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="Name by which clients call this machine; more than one is fine."),
    ] = None,
    tls_cert: Annotated[
        Path | None, typer.Option(help="Certificate (PEM); read again when it is renewed.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key (PEM).")] = None,
    insecure: Annotated[
        bool,
        typer.Option("--insecure", help="Let --host be a network's, and encrypt nothing."),
    ] = False,
    tokens: Tokens = DEFAULT,
    record: Record = Path("sessions"),
    no_record: Annotated[bool, typer.Option("--no-record", help="Keep nothing.")] = False,
    subject: Subject = None,
    session: Visit = None,
    task: Task = None,
    run: Run = None,
    timing: TimingFile = None,
    onsets: Onsets = "markers",
    device_delay: DeviceDelay = None,
    freshness: Annotated[
        float, typer.Option(min=0.001, help="A decode older than this is stale [s].")
    ] = 1.0,
    adapt: Annotated[
        str, typer.Option(help="Follow slow drift of the signal: `recentre`, `refit`, or both.")
    ] = "",
    learn_from: Annotated[
        str,
        typer.Option(
            help="What `refit` learns from: `labels` of markers, or also its own `decodes`."
        ),
    ] = "labels",
    stop_file: Annotated[
        Path | None,
        typer.Option(help="The session stops when this file is there (participant's stop)."),
    ] = None,
    risk: Annotated[
        float,
        typer.Option(help="Promised share of sets of candidates without the truth."),
    ] = 0.2,
    max_set: Annotated[
        int | None,
        typer.Option(help="Withhold decodes with more candidates than this at --risk: unsure."),
    ] = None,
    stop_at_risk: Annotated[
        float | None,
        typer.Option(help="Wait no longer when so few of such decodes are wrong: `0.1`."),
    ] = None,
    design: Annotated[
        str | None,
        typer.Option(
            help="How stimuli are drawn, which evidence needs: `independent`, `shuffled` or "
            "`blocked`."
        ),
    ] = None,
    block: Annotated[
        int | None,
        typer.Option(
            help="Stimuli in a shuffled block; each row of the table once if not given."
        ),
    ] = None,
    preview: Annotated[
        str,
        typer.Option(
            help="Picture decodes, too: `braincast-preview`, `diffusers:ID` or "
            "`retrieve:FOLDER`."
        ),
    ] = "",
    preview_adapter: Annotated[
        Path | None,
        typer.Option(help="Folder that `fit-adapter` wrote, from the model's space to theirs."),
    ] = None,
    preview_device: Annotated[
        str, typer.Option(help="What previews compute on: `cpu`, `cuda`, `mps`.")
    ] = "cpu",
    preview_dtype: Annotated[
        str, typer.Option(help="And with: `float32`, `float16`, `bfloat16`.")
    ] = "float32",
    preview_deadline: Annotated[
        float,
        typer.Option(min=0.001, help="No preview comes later than this after its text [s]."),
    ] = 2.0,
    lsl_outlet: Annotated[
        str | None,
        typer.Option(
            help="Send decodes to LSL too, by this name; anybody there can read them."
        ),
    ] = None,
) -> None:
    """Decode a live LSL stream and serve it to the browser and to apps.

    One process takes in and records the signal, another decodes and serves; if that one dies or
    hangs it is started again, and no sample is lost. If the first one does, it is started again
    too, and what was lost is said.
    """
    from decoder.config import (
        AdaptationConfig,
        BidsConfig,
        Config,
        PreviewConfig,
        ServerConfig,
        SessionConfig,
    )
    from decoder.halt import file_stops
    from decoder.ingesting import TOKEN_VARIABLE, IngestAddress, ingest_process
    from decoder.listening import is_loopback, listen, url_of
    from decoder.lsl_out import outlet_process
    from decoder.randomisation import design_of
    from decoder.server.certificate import certificate_of
    from decoder.supervise import Orders, decoder_ahead, supervise
    from decoder.tokens import owners_token
    from streaming.link import parse_address
    from streaming.timing import choose_timing

    config = Config(
        source=source,
        session=SessionConfig(
            freshness=freshness,
            record=None if no_record else record,
            stop_file=stop_file,
            risk=risk,
            max_set=max_set,
            stop_at_risk=stop_at_risk,
            design=design_of(design, block),
        ),
        adaptation=AdaptationConfig.of(adapt, learn_from),
        preview=PreviewConfig(
            generator=preview,
            adapter="" if preview_adapter is None else str(preview_adapter.absolute()),
            device=preview_device,
            dtype=preview_dtype,
            deadline=preview_deadline,
        ),
        bids=BidsConfig.of(subject=subject, session=session, task=task, run=run),
        timing=choose_timing(timing, onsets, device_delay),
        server=ServerConfig(
            host=host,
            port=port,
            names=tuple(allow_host or ()),
            tls_cert=tls_cert,
            tls_key=tls_key,
            insecure=insecure,
            tokens=tokens,
        ),
    )
    encrypted = certificate_of(config.server) is not None
    name = "" if is_loopback(host) or not allow_host else allow_host[0]
    token, is_new = owners_token(tokens)
    stopped = file_stops(stop_file)
    if stopped:
        msg = f"{stop_file} must not be there before a session: {stopped}; remove it"
        raise ConfigError(msg)
    stop = stopped_by_signals()
    with ExitStack() as stack:
        sock = stack.enter_context(closing(listen(host, port)))
        first = stack.enter_context(decoder_ahead(sock))  # imports while we look at the models
        _check(model, config)
        folder = stack.enter_context(_session(config, model))

        def announce() -> None:
            # Nothing but the address goes to standard output, for programs that read it. What
            # was given is not repeated there: it may be a journal that others read.
            url = url_of(sock, encrypted=encrypted, name=name)
            if is_new:
                err.print("open this address; who has it can watch and control:")
                typer.echo(f"{url}/#token={token}")
            else:
                err.print("open this address, with /#token= and your token after it:")
                typer.echo(url)
            if not no_record:
                err.print(f"recording to {escape(str(folder.path))}; Ctrl-C stops")

        if remote is not None:
            there = os.environ.get(TOKEN_VARIABLE, "")
            address = IngestAddress(*parse_address(remote), there)
        else:
            address = stack.enter_context(ingest_process(folder, stop))
        if lsl_outlet is not None:
            ours = f"{url_of(sock, encrypted=encrypted, own=True)}/#token={token}"
            stack.enter_context(outlet_process(ours, lsl_outlet, tls_cert))
        code = supervise(first, Orders(folder.path, address, token), sock, announce, stop)
    if code:
        raise typer.Exit(code)


def _check(models: Sequence[Path], config: Config) -> None:
    """Say what is wrong with models and their settings before there is a session."""
    from decoder.drift import check_adapts
    from decoder.folder import check_models
    from decoder.uncertainty import uncertainty_of
    from models.checkpoint import load_model

    uncertainty_of(config.session)
    check_models(models, config.session.design)
    if config.adaptation.recentre or config.adaptation.refit:
        check_adapts(load_model(models[0]), config.adaptation)


@contextmanager
def _session(config: Config, models: Sequence[Path] = ()) -> Iterator[SessionFolder]:
    """Make the session's folder; if nothing is to be kept, it goes at the end."""
    from decoder.folder import create_folder, new_session_id

    root = config.session.record
    if root is not None:
        folder = create_folder(root, new_session_id(), config, models)
        try:
            yield folder
        finally:
            # Where a decoder was to run and none could, there is nothing to keep.
            if not (folder.events if models else folder.raw).exists():
                shutil.rmtree(folder.path)
        return
    with tempfile.TemporaryDirectory(prefix="braincast-") as temporary:
        yield create_folder(Path(temporary), new_session_id(), config, models)


@takes_source
def ingest(
    source: SourceConfig,
    listen: Annotated[str, typer.Option(help="Where `serve --ingest` connects.")] = (
        "tcp://127.0.0.1:7799"
    ),
    record: Record = Path("sessions"),
    timing: TimingFile = None,
    onsets: Onsets = "markers",
    folder: Folder = None,
    fd: Annotated[int, typer.Option(hidden=True)] = -1,
    part: Annotated[int, typer.Option(hidden=True)] = 1,
) -> None:
    """Take in and record a stream for a decoder elsewhere: `serve --ingest tcp://HOST:PORT`.

    Runs on the amplifier's computer and needs no torch. BRAINCAST_INGEST_TOKEN lets the decoder
    in; if it is not set, one is made and printed. The link is not encrypted.
    """
    from decoder.config import Config, SessionConfig
    from decoder.folder import SessionFolder, free_recording
    from decoder.ingesting import TOKEN_VARIABLE, run_ingest
    from decoder.listening import listen as listen_on
    from streaming.link import parse_address
    from streaming.timing import choose_timing

    stop = stopped_by_signals()
    token = os.environ.get(TOKEN_VARIABLE, "")
    spare_the_old()
    if folder is not None:  # started by serve, ahead
        if not wait_for_word():
            return
        when_input_ends(stop.set)
        session = SessionFolder(folder)
        path, part = free_recording(session.path, part) if part > 1 else (session.raw, 1)
        settings, name = session.config(), path.name
        step()
        with closing(socket.socket(fileno=fd)) as sock:
            run_ingest(settings, path, name, sock, token, stop, _beat, part=part)
        return
    config = Config(
        source=source,
        session=SessionConfig(record=record),
        timing=choose_timing(timing, onsets),
    )
    if not token:
        token = secrets.token_urlsafe(16)
        err.print(f"{TOKEN_VARIABLE}={token}", highlight=False)
    with closing(listen_on(*parse_address(listen))) as sock, _session(config) as session:
        name = f"{session.session_id}/{session.raw.name}"  # where a decoder's session has it
        run_ingest(config, session.raw, name, sock, token, stop)


def decode(
    fd: Annotated[int, typer.Option()],
) -> None:
    """Decode and serve: the process that `serve` starts, ahead, and lets begin with a line."""
    step()
    from decoder.folder import SessionFolder
    from decoder.resume import resume
    from decoder.supervise import Orders

    step()
    from decoder.server.auth import Access

    step()
    from decoder.service import Service
    from decoder.tokens import TokenFile
    from streaming.link_feed import LinkFeed

    step()
    line = wait_for_word()
    if not line:
        return
    orders = Orders.from_line(line)
    session = SessionFolder(orders.folder)
    config = session.config()
    server = config.server
    access = Access(
        orders.token,
        host=server.host,
        names=server.names,
        tokens=None if server.tokens is None else TokenFile(server.tokens),
    )
    before = resume(session)
    step()
    address = orders.address
    with (
        closing(socket.socket(fileno=fd)) as sock,
        closing(LinkFeed((address.host, address.port), address.token, before.position)) as feed,
    ):
        step()
        service = Service(config, session, feed, access, sock, before)
        step()
        when_input_ends(service.stop)
        spare_the_old()
        service.run(on_start=_beat, on_beat=_beat)


def embed(space: str) -> None:
    """Embed texts: the process that `decode` starts when candidates are set."""
    from decoder.embedding import serve_space

    serve_space(space, sys.stdin.buffer, sys.stdout.buffer)


def preview() -> None:
    """Make pictures of decodes: the process that `decode` starts with ``serve --preview``."""
    from decoder.preview_worker import NICE, serve_previews

    if hasattr(os, "nice"):  # not on Windows
        os.nice(NICE)
    # Whatever is in the making: nobody is there who would get it.
    serve_previews(sys.stdin.buffer, sys.stdout.buffer, lambda: os._exit(0))


def refit(
    folder: Annotated[Path, typer.Option()],
    session: Annotated[str, typer.Option()],
) -> None:
    """Learn from labelled trials: the process that `decode` starts with ``--adapt refit``."""
    from decoder.refitting import serve_refit

    serve_refit(folder, session, sys.stdin.buffer, sys.stdout.buffer)


def outlet(
    name: Annotated[str, typer.Option()],
    certificate: Annotated[Path | None, typer.Option()] = None,
) -> None:
    """Send decodes to LSL: a process that `serve` starts, ahead, and lets begin with a line."""
    import asyncio
    import threading

    from decoder.client import RequestError
    from decoder.lsl_out import URL_VARIABLE, run_outlet

    if not wait_for_word():
        return
    stop = threading.Event()
    when_input_ends(stop.set)
    url = os.environ[URL_VARIABLE]
    try:
        asyncio.run(run_outlet(url, name, stop, _beat, certificate))
    except RequestError as error:
        msg = f"decodes cannot be sent to LSL: {error}"
        raise ConfigError(msg) from error


def _beat() -> None:
    print(flush=True)  # noqa: T201 - to the supervisor: all is well
