"""A session on disk: a folder that a crash leaves readable.

::

    raw.xdf         samples and markers as they came; raw-2.xdf, ... when taking in began again
    inputs.jsonl    what the session was fed, in order
    events.jsonl    what it said, in order
    model/          the model that decoded
    config.yaml     the settings
    manifest.json   the stream, versions, machine
"""

from __future__ import annotations

import json
import platform
import secrets
import shutil
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from decoder.config import Config
from streaming.errors import SessionError
from streaming.link import Hello

__all__ = [
    "SessionFolder",
    "create_folder",
    "environment",
    "new_session_id",
    "open_folder",
    "recording_name",
    "write_manifest",
]

FORMAT = 1

_PACKAGES = ("braincast", "mne", "numpy", "pylsl", "scipy", "torch")


def new_session_id() -> str:
    """Make a name for a session: when it began, and something that no other has."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"


@dataclass(frozen=True, slots=True)
class SessionFolder:
    """Where the parts of a session are.

    Parameters
    ----------
    path : Path
        The folder.
    """

    path: Path

    @property
    def raw(self) -> Path:
        """The recording."""
        return self.path / "raw.xdf"

    @property
    def inputs(self) -> Path:
        """The journal."""
        return self.path / "inputs.jsonl"

    @property
    def events(self) -> Path:
        """The log."""
        return self.path / "events.jsonl"

    @property
    def model(self) -> Path:
        """The model folder."""
        return self.path / "model"

    def config(self) -> Config:
        """Read the settings."""
        return Config.from_yaml((self.path / "config.yaml").read_text(encoding="utf-8"))

    @property
    def session_id(self) -> str:
        """The session's name."""
        return self.path.name

    def manifest(self) -> dict[str, Any]:
        """Read the manifest.

        Raises
        ------
        SessionError
            If there is none, or it is from another version.
        """
        path = self.path / "manifest.json"
        try:
            content: dict[str, Any] = json.loads(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            msg = f"{self.path} is not a session folder: it has no manifest.json"
            raise SessionError(msg) from None
        except ValueError as error:
            msg = f"{path} cannot be read ({error})"
            raise SessionError(msg) from None
        if content.get("format") != FORMAT:
            msg = (
                f"{path} has format {content.get('format')}, this braincast reads {FORMAT}; "
                "use the version named in it"
            )
            raise SessionError(msg)
        return content


def recording_name(part: int) -> str:
    """Return what a recording is called; each time that taking in begins there is another.

    Examples
    --------
    >>> recording_name(1), recording_name(2)
    ('raw.xdf', 'raw-2.xdf')
    """
    return "raw.xdf" if part == 1 else f"raw-{part}.xdf"


def create_folder(
    root: Path, session_id: str, config: Config, model: Path | None
) -> SessionFolder:
    """Make the folder of a new session, all but its manifest.

    Parameters
    ----------
    root : Path
        Folder that holds sessions; made if it is not there.
    session_id : str
        Name of the new folder.
    config : Config
        The settings.
    model : Path or None
        Folder of the model, which is copied: a session can be fed again without it. None where
        only an ingest runs.

    Raises
    ------
    SessionError
        If the disk refuses.
    """
    folder = SessionFolder(root / session_id)
    try:
        folder.path.mkdir(parents=True)
        if model is not None:
            from models.checkpoint import REPORTS  # here: an ingest alone has no models

            shutil.copytree(model, folder.model, ignore=shutil.ignore_patterns(*REPORTS))
        (folder.path / "config.yaml").write_text(config.to_yaml(), encoding="utf-8")
    except OSError as error:
        msg = f"cannot make a session in {root} ({error}); name another folder with --record"
        raise SessionError(msg) from error
    return folder


def write_manifest(folder: SessionFolder, hello: Hello, config: Config) -> None:
    """Write down what else is needed to feed the session again, and on what it ran.

    Parameters
    ----------
    folder : SessionFolder
        Of the session; a manifest that is there already is kept.
    hello : Hello
        What the source delivers.
    config : Config
        The settings.
    """
    path = folder.path / "manifest.json"
    if path.exists():
        return
    manifest = {
        "format": FORMAT,
        "session": folder.session_id,
        "started": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "source": hello.name,
        "signal": asdict(hello.spec),
        "to_si": list(hello.to_si),
        "freshness": config.session.freshness,
        "bids": config.bids.model_dump(),
        "timing": asdict(config.timing) if config.timing else None,
        **environment(),
    }
    text = json.dumps(manifest, indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def environment() -> dict[str, Any]:
    """Return what decodes may depend on in their last digits: versions and processor."""
    return {
        "python": sys.version.split()[0],
        "packages": {name: version(name) for name in _PACKAGES},
        "machine": {
            "system": platform.platform(),
            "processor": platform.machine(),
            "cpu": _cpu(),
        },
    }


def _cpu() -> str:
    """Return the name of the processor's model, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return platform.processor()
    found = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(found, "")


def open_folder(path: Path) -> SessionFolder:
    """Return an existing session, checked by its manifest."""
    folder = SessionFolder(path)
    folder.manifest()
    return folder
