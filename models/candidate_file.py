"""Candidates on disk: one file, named after its content, in which nothing executes."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from models.candidates import Candidates
from streaming.errors import SessionError

__all__ = ["load_candidates", "save_candidates"]

_NAME = re.compile(r"[0-9a-f]{64}\.safetensors")


def save_candidates(candidates: Candidates, folder: Path) -> str:
    """Keep candidates, all but their version.

    Parameters
    ----------
    candidates : Candidates
        What to keep.
    folder : Path
        Made if it is not there.

    Returns
    -------
    str
        Name of the file within `folder`: the SHA-256 of its content.

    Raises
    ------
    SessionError
        If the disk refuses.
    """
    listed = {
        "space": candidates.space,
        "ids": candidates.ids,
        "texts": candidates.texts,
        "glyphs": candidates.glyphs,
        "trained": candidates.trained,
    }
    arrays: dict[str, NDArray[np.generic]] = {"vectors": candidates.vectors}
    if any(candidates.pictures):
        listed["pictures"] = [len(picture) for picture in candidates.pictures]
        arrays["pictures"] = np.frombuffer(b"".join(candidates.pictures), np.uint8)
    content = save(arrays, {"candidates": json.dumps(listed)})
    name = f"{hashlib.sha256(content).hexdigest()}.safetensors"
    path = folder / name
    try:
        folder.mkdir(exist_ok=True)
        if not path.exists():
            part = path.with_suffix(".part")
            part.write_bytes(content)
            part.replace(path)  # whole or not at all, whenever we are killed
    except OSError as error:
        msg = f"cannot keep the candidates in {folder} ({error.strerror}); free the disk"
        raise SessionError(msg) from error
    return name


def load_candidates(folder: Path, name: str, version: int) -> Candidates:
    """Read what `save_candidates` wrote.

    Parameters
    ----------
    folder : Path
        Where it is.
    name : str
        What it returned.
    version : int
        The version of the candidates.

    Raises
    ------
    SessionError
        If it is missing or was altered.
    """
    path = folder / name
    altered = f"{path} is not what the session kept there: copy the folder again"
    if not _NAME.fullmatch(name) or not path.is_file():
        raise SessionError(altered)
    if hashlib.sha256(path.read_bytes()).hexdigest() != path.stem:
        raise SessionError(altered)
    try:
        with safe_open(path, "numpy") as file:
            listed = json.loads(file.metadata()["candidates"])
            vectors = file.get_tensor("vectors")
            lengths = listed.get("pictures", [])
            joined = file.get_tensor("pictures").tobytes() if lengths else b""
        ends = np.cumsum(lengths, dtype=np.int64).tolist()
        return Candidates(
            ids=tuple(listed["ids"]),
            texts=tuple(listed["texts"]),
            glyphs=tuple(listed["glyphs"]),
            trained=tuple(listed["trained"]),
            vectors=vectors,
            space=listed["space"],
            version=version,
            pictures=tuple(
                joined[end - length : end] for end, length in zip(ends, lengths, strict=True)
            ),
        )
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise SessionError(altered) from error
