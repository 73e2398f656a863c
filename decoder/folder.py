"""A session on disk: a folder that a crash leaves readable.

::

    raw.xdf         samples and markers as they came; raw-2.xdf, ... when taking in began again
    inputs.jsonl    what the session was fed, in order
    events.jsonl    what it said, in order
    previews/       final pictures of decodes; see decoder/previews.py
    models/         the models that could decode, each in a folder named after its id
    candidates/     what it was given to choose from instead
    stopped         while the participant has stopped it
    config.yaml     the settings
    manifest.json   the stream, versions, machine
"""

from __future__ import annotations

import json
import platform
import secrets
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from decoder.config import Config, ServedModel
from decoder.randomisation import UNDECLARED, Design
from streaming.errors import ConfigError, SessionError
from streaming.link import Hello

if TYPE_CHECKING:
    from models.checkpoint import Model  # an ingest alone has no models

__all__ = [
    "VERDICT",
    "SessionFolder",
    "check_models",
    "create_folder",
    "environment",
    "free_recording",
    "new_session_id",
    "open_folder",
    "preview_packages",
    "recording_name",
    "write_manifest",
]

FORMAT = 1

VERDICT = "verified.json"
"""Name of the file in a session's folder that holds what `braincast verify` found."""

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
        """The folder of the model that the session begins with."""
        alone = self.path / "model"  # as it was when a session had but one
        served = () if alone.is_dir() else self.config().session.models
        return self.model_path(served[0].id) if served else alone

    def model_path(self, model_id: str) -> Path:
        """Return the folder of a model."""
        return self.path / "models" / model_id[:16]

    @property
    def candidates(self) -> Path:
        """Where candidates are kept that were set live."""
        return self.path / "candidates"

    @property
    def stopped(self) -> Path:
        """Is there while the participant has stopped the session."""
        return self.path / "stopped"

    def config(self) -> Config:
        """Read the settings.

        Raises
        ------
        SessionError
            If there are none.
        """
        path = self.path / "config.yaml"
        try:
            return Config.from_yaml(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            msg = f"{self.path} has no config.yaml: copy the folder again, whole"
            raise SessionError(msg) from None

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


def free_recording(folder: Path, part: int) -> tuple[Path, int]:
    """Return the next recording of a session that is not there yet.

    Parameters
    ----------
    folder : Path
        The session's.
    part : int
        The how manyth it is at least.

    Returns
    -------
    path : Path
        Where it is to be.
    part : int
        The how manyth it is.
    """
    while (path := folder / recording_name(part)).exists():
        part += 1
    return path, part


def check_models(folders: Sequence[Path], design: Design = UNDECLARED) -> None:
    """Check that models can be served together.

    Parameters
    ----------
    folders : sequence of Path
        Where they are.
    design : Design
        How the first one's stimuli are said to be drawn.

    Raises
    ------
    BraincastError
        If one cannot be served, or comes twice.
    """
    from models.checkpoint import load_model

    seen: dict[str, Path] = {}
    for path in folders:
        model = load_model(path)
        model.check_live()
        if not seen:
            design.check(model.stimuli)
        if model.model_id in seen:
            msg = f"{seen[model.model_id]} and {path} are the same model; name each once"
            raise ConfigError(msg)
        seen[model.model_id] = path


def create_folder(
    root: Path, session_id: str, config: Config, models: Sequence[Path] = ()
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
    models : sequence of Path
        Folders of models, which are copied: a session can be fed again without them. The first
        decodes; none where only an ingest runs.

    Raises
    ------
    SessionError
        If the disk refuses.
    """
    folder = SessionFolder(root / session_id)
    try:
        folder.path.mkdir(parents=True)
        if models:
            from models.checkpoint import REPORTS, load_model

            loaded = [load_model(path) for path in models]
            for path, model in zip(models, loaded, strict=True):
                copy, ignore = (
                    folder.model_path(model.model_id),
                    shutil.ignore_patterns(*REPORTS),
                )
                shutil.copytree(path, copy, ignore=ignore)
            config = _with_models(config, [path.resolve().name for path in models], loaded)
        (folder.path / "config.yaml").write_text(config.to_yaml(), encoding="utf-8")
    except OSError as error:
        msg = f"cannot make a session in {root} ({error}); name another folder with --record"
        raise SessionError(msg) from error
    return folder


def _with_models(config: Config, names: Sequence[str], models: Sequence[Model]) -> Config:
    """Add to the settings what depends on the models."""
    served = zip(names, models, strict=True)
    rows = (row for model in models for row in model.stimuli.rows)
    section = config.session.model_copy(
        update={
            "models": tuple(ServedModel(name=n, id=m.model_id) for n, m in served),
            "stop_markers": tuple(sorted({r.marker.strip() for r in rows if r.role == "stop"})),
        }
    )
    return config.model_copy(update={"session": section})


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
        "design": asdict(config.session.design),
        "bids": config.bids.model_dump(),
        "timing": asdict(config.timing) if config.timing else None,
        "preview": preview_packages() if config.preview.generator else None,
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


def preview_packages() -> dict[str, str]:
    """Return the versions that pictures may depend on in their last digits, beside others."""
    found = {}
    for name in ("diffusers", "pillow", "transformers"):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


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
