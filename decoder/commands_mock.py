"""The command for those who write apps: a session said again, without a brain."""

from __future__ import annotations

import os
import secrets
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from decoder.console import err, stopped_by_signals
from decoder.options import Port
from streaming.errors import ConfigError

__all__ = ["mock"]


def mock(
    session: Annotated[
        Path | None,
        typer.Argument(help="A session's folder, its log, or a golden file; ours if left out."),
    ] = None,
    speed: Annotated[
        float, typer.Option(min=0.001, help="How much faster than the session was.")
    ] = 1.0,
    fault: Annotated[
        str,
        typer.Option(
            help="Each third decode: `stale`, `gap`, `abstain`; or connections end after it: "
            "`drop`, `1013`."
        ),
    ] = "",
    previews: Annotated[
        bool,
        typer.Option("--previews", help="Picture decodes; MOCK is on each picture."),
    ] = False,
    port: Port = 8000,
) -> None:
    """Serve what a session said, for tests of apps: no brain, LSL, torch or model.

    It is the same server; what it says begins when the first client subscribes. BRAINCAST_TOKEN
    keeps the token the same.
    """
    import threading

    from decoder.listening import listen
    from decoder.script import GOLDEN, read_script

    try:
        from decoder.mock import Mock
        from decoder.server.auth import Access
    except ModuleNotFoundError as error:
        if error.name not in {"fastapi", "uvicorn"}:
            raise
        msg = f"a mock needs {error.name}: pip install -e '.[mock]'"
        raise ConfigError(msg) from error

    script = read_script(session or GOLDEN, fault, previews=previews)
    token = os.environ.get("BRAINCAST_TOKEN") or secrets.token_urlsafe(24)
    stop = stopped_by_signals()
    with closing(listen("127.0.0.1", port)) as sock:
        # A simulated participant has no privacy: whoever connects without a token may watch.
        access = Access(token, open_viewer=bool(script.about["simulated"]))
        served = Mock(script, sock, access, speed)

        def wait() -> None:
            stop.wait()
            served.stop()

        def announce() -> None:
            typer.echo(f"{served.url}/#token={token}")
            err.print(f"{len(script.lines)} events of {script.session_id}; Ctrl-C stops")

        threading.Thread(target=wait, daemon=True).start()
        served.run(announce)
