"""Feed a session again from its own recording, and compare what it says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoder.equivalence import difference, environment_changes
from decoder.events import Latency, LatentMade, Signal
from decoder.folder import SessionFolder, environment, open_folder, preview_packages
from decoder.journal import End
from decoder.preview_check import Checked, check_previews
from decoder.randomisation import Design
from decoder.reading import read_inputs, read_log, signal_of
from decoder.server.wire import encode
from decoder.session import Session
from decoder.shelf import Shelf
from decoder.start import Start
from decoder.uncertainty import uncertainty_of
from streaming.errors import SessionError

__all__ = ["Verdict", "verify_session"]

_NOT_DECIDED = ("seq", "t_emit", "latency_ms")
"""Fields that depend on when a message went out, and not on what was decoded."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of feeding a session again.

    Parameters
    ----------
    n_equal : int
        Events that came out again, bit for bit.
    difference : str
        The first that did not, and how; empty if all did.
    cut_short : bool
        The recording ends before the log, or the log within the last input, as after a crash;
        what they hold was compared.
    n_close : int
        Events that came out again within `decoder.equivalence.TOLERANCES`; 0 on the machine
        that recorded the session.
    environment : str
        What is another than when it was recorded; empty if nothing is.
    n_previews, n_previews_close : int
        Pictures that came out again, bit for bit, and within `decoder.preview_check.TOLERANCE`.
    unchecked : str
        Why pictures could not all be made again; empty if they could, or there are none.
    """

    n_equal: int
    difference: str
    cut_short: bool
    n_close: int = 0
    environment: str = ""
    n_previews: int = 0
    n_previews_close: int = 0
    unchecked: str = ""

    @property
    def about_previews(self) -> str:
        """What came of pictures, to go on with a sentence; empty if there are none."""
        n = self.n_previews + self.n_previews_close
        how = "bit for bit"
        if self.n_previews_close:
            how = f"{self.n_previews_close} of them within the tolerance"
        made = f"; {n} previews were made again, {how}" if n else ""
        if not self.unchecked:
            return made
        return f"{made}; {'other ' if n else ''}previews not checked: {self.unchecked}"


def verify_session(path: Path) -> Verdict:
    """Feed a session again and compare every event: bit for bit, if nothing is another.

    Parameters
    ----------
    path : Path
        A session's folder.

    Raises
    ------
    SessionError
        If the folder is none, or lacks a part.
    """
    folder = open_folder(path)
    changes = environment_changes(folder.manifest(), environment())
    logged = (_comparable(message) for message in read_log(folder) if not _is_beside(message))
    said = next(logged, None)
    n_equal, n_close, n_unsaid = 0, 0, 0
    latents: dict[str, NDArray[np.float32]] = {}
    for message, before_crash in _repeated(folder, latents):
        if _is_beside(message):
            continue
        found = _missing(message) if said is None else difference(said, message, exact=True)
        if found and changes and said is not None:
            found = difference(said, message, exact=False)
            n_close += not found
        else:
            n_equal += not found
        if not found:
            said = next(logged, None)
        elif before_crash:
            n_unsaid += 1
        else:
            found = f"event {n_equal + n_close + 1} {found}"
            return Verdict(n_equal, found, False, n_close, changes)
    cut_short = said is not None or n_unsaid > 0
    checked = _previews(folder, latents, exact=not changes)
    n_previews = checked.n_equal, checked.n_close
    return Verdict(
        n_equal, checked.difference, cut_short, n_close, changes, *n_previews, checked.unchecked
    )


def _previews(
    folder: SessionFolder, latents: dict[str, NDArray[np.float32]], *, exact: bool
) -> Checked:
    """Make pictures again, where there are any."""
    if not folder.config().preview.generator:
        return Checked()
    same = exact and folder.manifest().get("preview") == preview_packages()
    return check_previews(folder, Shelf(folder).first(), latents, exact=same)


def _missing(message: dict[str, Any]) -> str:
    return f"is not in the log: {json.dumps(message)[:200]}"


def _repeated(
    folder: SessionFolder, latents: dict[str, NDArray[np.float32]]
) -> Iterator[tuple[dict[str, Any], bool]]:
    """Yield what the session says when it is fed again.

    With each event comes whether its input was the last before a crash: an input is journalled
    before its events are logged, so these may not have been said. `latents` gets the last of
    each decode.
    """
    manifest = folder.manifest()
    model, freshness = Shelf(folder).first(), manifest["freshness"]
    asked = uncertainty_of(folder.config().session)
    design = Design(**manifest.get("design", {}))
    session: Session | None = None
    said: list[dict[str, Any]] = []
    for item, t in read_inputs(folder):
        yield from ((message, isinstance(item, Start)) for message in said)
        said = []
        if isinstance(item, Start):
            spec = signal_of(manifest)
            name = manifest["session"]
            session = Session(model, spec, name, freshness, item, asked, design)
        elif session is None:
            msg = f"{folder.inputs} does not begin with a start: it was altered"
            raise SessionError(msg)
        elif not isinstance(item, End):
            events = session.feed(item, t)
            latents |= {e.decode_id: e.vector for e in events if isinstance(e, LatentMade)}
            said = [
                _comparable(json.loads(encode(event, None, 0.0)))
                for event in events
                if not isinstance(event, Signal | LatentMade | Latency)
            ]
    yield from ((message, True) for message in said)


def _is_beside(message: dict[str, Any]) -> bool:
    """Whether a message is not, or not only, of the session: pictures, and what failed."""
    params = message["params"]
    pictured = message["method"] == "image" or params.get("what") == "preview"
    return pictured or bool(params.get("state") == "failed")


def _comparable(message: dict[str, Any]) -> dict[str, Any]:
    for name in _NOT_DECIDED:
        message["params"].pop(name, None)
    return message
