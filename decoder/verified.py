"""What `braincast verify` found, kept with the session until its files are others."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from datetime import UTC, datetime

from decoder.folder import VERDICT, SessionFolder
from decoder.verify import Verdict

__all__ = ["keep_verdict", "kept_verdict"]


def keep_verdict(folder: SessionFolder, verdict: Verdict) -> None:
    """Write down what came of feeding a session again.

    Raises
    ------
    OSError
        If the disk refuses.
    """
    when = datetime.now(UTC).isoformat(timespec="seconds")
    found = {"when": when, "of": _hashes(folder), **asdict(verdict)}
    (folder.path / VERDICT).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def kept_verdict(folder: SessionFolder) -> str:
    """Return in one line whether a session was verified, and what came of it."""
    path = folder.path / VERDICT
    if not path.is_file():
        return "not yet: run braincast verify"
    try:
        found = json.loads(path.read_bytes())
        when, of = found.pop("when"), found.pop("of")
        verdict = Verdict(**found)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return f"unknown: {VERDICT} cannot be read ({error}); run braincast verify again"
    if of != _hashes(folder):
        return f"not as it is now: its files changed after {when}; run braincast verify again"
    if verdict.difference:
        return f"no, on {when}: {verdict.difference}"
    short = "; the recording ends before the log, as after a crash" if verdict.cut_short else ""
    n = verdict.n_equal + verdict.n_close
    how = f"{verdict.n_close} within the tolerances" if verdict.n_close else "bit for bit"
    return f"yes, on {when}: {n} events came out again, {how}{short}{verdict.about_previews}"


def _hashes(folder: SessionFolder) -> dict[str, str]:
    """Return what was compared, and what with."""
    found = {}
    for path in (folder.events, folder.inputs):
        if path.is_file():
            with path.open("rb") as file:
                found[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found
