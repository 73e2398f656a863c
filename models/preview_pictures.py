"""The pictures that braincast-preview was trained on and is tested with.

Fluent emoji by Microsoft (npm ``@lobehub/fluent-emoji-3d``) with the names of
``emojibase-data``, both under the MIT licence. They are fetched when they are needed, and never
stored with braincast.

Of all emoji those of things remain: animals and nature, food and drink, travel and places,
activities, objects, parts of the body. Faces, people, symbols and flags are left out, because
their names tell little of the picture, and clock faces, because they differ in a hand's angle.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from models.media import read_image
from streaming.errors import ConfigError

__all__ = [
    "SIDE",
    "Concept",
    "concepts_of",
    "fetch",
    "held_out",
    "looks_of",
    "phrases_of",
    "pictures_of",
    "read_split",
    "write_split",
]

SIDE = 64
"""Side of a picture, in pixels."""

_PICTURES = "lobehub-fluent-emoji-3d-1.1.0.tgz"
_NAMES = "emojibase-data-17.0.0.tgz"
_PACKAGES = {
    _PICTURES: (
        "@lobehub/fluent-emoji-3d@1.1.0",
        "c1bb7eee7de090205a232518a9ab4adb3df458bfbe8a1f78232991194c8b2e58",
    ),
    _NAMES: (
        "emojibase-data@17.0.0",
        "d01d0e2ca4e22cb402679532155342c71e2e871f25c32223c013b8b166ebdf5a",
    ),
}
_GROUPS = {"animals-nature", "food-drink", "travel-places", "activities", "objects"}
_SUBGROUPS = {"body-parts"}
_CLOCKS = re.compile(r"o.clock|-thirty")
_ASIDE = re.compile(r" face|^front-facing |^oncoming | with.*| showing.*")

_SAME_TEXT, _SAME_PICTURE = 0.6, 0.7


@dataclass(frozen=True, slots=True)
class Concept:
    """A thing that there is a picture of.

    Parameters
    ----------
    label : str
        Its name.
    file : str
        The picture's path within its package.
    glyph : str
        The emoji.
    tags : tuple of str
        Words that people find it by.
    """

    label: str
    file: str
    glyph: str
    tags: tuple[str, ...]


def fetch(folder: Path) -> None:
    """Get both packages by npm, unless the folder has them, and compare their checksums.

    Raises
    ------
    ConfigError
        If npm is not there or gets nothing, or a package is not what was published.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for file, (package, expected) in _PACKAGES.items():
        if not (folder / file).is_file():
            npm = shutil.which("npm")
            if npm is None:
                msg = (
                    f"the pictures come from npm, which is not installed: {package}; install it"
                )
                raise ConfigError(msg)
            # Elsewhere first: what is cut off is not taken for the package later.
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                done = subprocess.run(  # noqa: S603 - a fixed command
                    [npm, "pack", "--loglevel=error", package],
                    cwd=scratch,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                got = Path(scratch) / file
                if done.returncode or not got.is_file():
                    why = (done.stderr.strip().splitlines() or ["no file came"])[0]
                    msg = f"npm cannot get {package} ({why}); the pictures need its registry"
                    raise ConfigError(msg)
                got.replace(folder / file)
        with (folder / file).open("rb") as opened:
            found = hashlib.file_digest(opened, "sha256").hexdigest()
        if found != expected:
            msg = (
                f"{folder / file} has sha256 {found[:12]}..., expected {expected[:12]}...; "
                "delete it and fetch it again"
            )
            raise ConfigError(msg)


def concepts_of(folder: Path) -> list[Concept]:
    """Return what there are pictures of, in the order of Unicode.

    Parameters
    ----------
    folder : Path
        Where `fetch` put the packages.
    """
    with tarfile.open(folder / _PICTURES) as archive:
        files = {Path(name).stem: name for name in archive.getnames() if name.endswith(".webp")}
    with tarfile.open(folder / _NAMES) as archive:
        emojis = json.loads(_read(archive, "package/en/data.json"))
        meta = json.loads(_read(archive, "package/meta/groups.json"))
    found = []
    for emoji in emojis:
        group = meta["groups"].get(str(emoji.get("group")))
        subgroup = meta["subgroups"].get(str(emoji.get("subgroup")))
        if not (group in _GROUPS or subgroup in _SUBGROUPS) or _CLOCKS.search(emoji["label"]):
            continue
        code = emoji["hexcode"].lower()
        names = [code, code.replace("-fe0f", ""), f"{code}-fe0f"]
        file = next((files[name] for name in names if name in files), None)
        if file is not None:
            tags = tuple(emoji.get("tags", ()))
            found.append(Concept(emoji["label"], file, emoji["emoji"], tags))
    return found


def pictures_of(folder: Path, concepts: Sequence[Concept]) -> NDArray[np.uint8]:
    """Return their pictures on white, of shape (n, 64, 64, 3)."""
    from PIL import Image

    rows = []
    with tarfile.open(folder / _PICTURES) as archive:
        for concept in concepts:
            image = read_image(_read(archive, concept.file))
            rows.append(np.asarray(image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)))
    return np.stack(rows)


def looks_of(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return what EfficientNet-Lite0 sees in pictures, of shape (n, 1280).

    Parameters
    ----------
    pictures : array of shape (n, height, width, 3)
        They are enlarged to what it takes.
    """
    import torch

    from models.efficientnet import SIZE as SEEN
    from models.efficientnet import load_efficientnet

    network, rows = load_efficientnet(), []
    with torch.no_grad():
        for first in range(0, len(pictures), 64):
            values = torch.from_numpy(pictures[first : first + 64]).permute(0, 3, 1, 2)
            large = torch.nn.functional.interpolate(
                values.float() / 127.5 - 1, (SEEN, SEEN), mode="bicubic", align_corners=False
            )
            rows.append(network.layers(large.clamp(-1, 1))[-1].numpy())
    return np.concatenate(rows)


def phrases_of(
    concepts: Sequence[Concept], others: Mapping[str, str]
) -> list[tuple[list[str], list[str]]]:
    """Return what each is called, and what else may be said of it.

    Parameters
    ----------
    concepts : sequence of Concept
        All that there are: a tag counts if it is the tag, or the name, of no other.
    others : mapping
        Glyph -> another name.

    Returns
    -------
    list of (names, sayings)
        Names are the label, the label without what stands around the thing (``dog face``), and
        the other name.
    """
    counts = Counter(tag for concept in concepts for tag in set(concept.tags))
    labels = {concept.label.lower() for concept in concepts}
    plain = {glyph.replace("\ufe0f", ""): name for glyph, name in others.items()}
    found = []
    for concept in concepts:
        names = [concept.label]
        short = _ASIDE.sub("", concept.label)
        if short.lower() not in labels:
            names.append(short)
        other = plain.get(concept.glyph.replace("\ufe0f", ""))
        if other is not None and other not in names:
            names.append(other)
        sayings = [
            tag
            for tag in concept.tags
            if counts[tag] == 1 and tag.lower() not in labels and tag not in names
        ]
        near = [tag for tag in concept.tags if tag not in concept.label][:3]
        found.append((names, [*sayings, ", ".join([concept.label, *near])]))
    return found


def held_out(
    labels: Sequence[str], texts: NDArray[np.float32], looks: NDArray[np.float32]
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return the group of each concept, and whether it is kept from training.

    Two concepts are in one group where the centred embeddings of their names have a cosine
    above .6, or those of their pictures one above .7, and where others lead from one to the
    other that way (single linkage). So near duplicates are never on both sides. One group in
    ten is held out, by the hash of its first name in the alphabet.

    Parameters
    ----------
    labels : sequence of str
        Their names.
    texts, looks : array of shape (n, n_dims)
        Embeddings of the names and of the pictures.
    """
    near = [_cosines(vectors) for vectors in (texts, looks)]
    linked = (near[0] > _SAME_TEXT) | (near[1] > _SAME_PICTURE)
    n_groups, groups = connected_components(csr_matrix(linked), directed=False)
    held = np.zeros(len(labels), dtype=np.bool_)
    for group in range(n_groups):
        members = np.flatnonzero(groups == group)
        first = min(labels[member] for member in members.tolist())
        held[members] = int(hashlib.sha256(first.encode()).hexdigest(), 16) % 10 == 0
    return groups.astype(np.intp), held


def write_split(
    file: Path,
    labels: Sequence[str],
    groups: NDArray[np.intp],
    held: NDArray[np.bool_],
) -> None:
    """Write which concepts were held out, as a table."""
    with file.open("w", encoding="utf-8", newline="") as opened:
        table = csv.writer(opened, delimiter="\t", lineterminator="\n")
        table.writerow(("label", "group", "held_out"))
        table.writerows(zip(labels, groups.tolist(), held.astype(int).tolist(), strict=True))


def read_split(file: Path) -> dict[str, bool]:
    """Return label -> whether it was held out."""
    with file.open(encoding="utf-8", newline="") as opened:
        return {
            row["label"]: row["held_out"] == "1"
            for row in csv.DictReader(opened, delimiter="\t")
        }


def _cosines(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    rows = vectors / np.linalg.norm(vectors, axis=1, keepdims=True).astype(np.float64)
    rows = rows - rows.mean(axis=0)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows @ rows.T)


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    opened = archive.extractfile(name)
    return b"" if opened is None else opened.read()  # None for a folder
