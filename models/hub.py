"""Files of models: in a folder, kept by the hub's client on this machine, or on the hub."""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from streaming.errors import ModelError

__all__ = ["find_file", "hub_answers", "is_folder"]


def is_folder(source: str) -> bool:
    """Whether a name is that of a folder, there or not, and not the id of a model.

    Examples
    --------
    >>> is_folder("./model"), is_folder("openai/clip-vit-large-patch14")
    (True, False)
    """
    return Path(source).is_dir() or source.startswith((".", "/", "~")) or "\\" in source


def hub_answers() -> bool:
    """Tell whether a connection to the hub can be made; behind a proxy, let its client try."""
    from huggingface_hub import constants

    if any(getproxies().get(kind) for kind in ("http", "https", "all")):
        return True
    address = urlsplit(constants.ENDPOINT)
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        with socket.create_connection((address.hostname or "", port), timeout=5.0):
            return True
    except OSError:
        return False


def find_file(source: str, name: str) -> Path:
    """Return a file of a model: from this machine if it is there, else from the hub.

    Parameters
    ----------
    source : str
        A folder, or the id of a model on the hub.
    name : str
        Path within it.

    Raises
    ------
    ModelError
        If it is nowhere.
    """
    reason = "no such file"
    if is_folder(source):
        found = Path(source).expanduser() / name
        if found.is_file():
            return found
    else:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError

        for local in (True, False):
            if not local and not hub_answers():
                reason = "it is not on this machine, and the hub does not answer"
                break
            try:
                return Path(hf_hub_download(source, name, local_files_only=local))
            except (OSError, HfHubHTTPError, HFValidationError) as error:
                reason = str(error).strip().splitlines()[0] if str(error) else "no reason"
    msg = (
        f"no {name} in {source!r} ({reason}); give a folder written by save_pretrained, or the "
        "id of one on the hub, and check the network"
    )
    raise ModelError(msg)
