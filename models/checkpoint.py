"""A model is a folder: ``model.json`` and ``weights.safetensors``, and nothing that executes.

The weights' checksum is in ``model.json``; the model's id is a hash of all that is there, and
is written there too, so that what was edited is told from what was fitted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from models.candidates import Candidates
from models.conformal import Odds
from models.encoder import LOADERS, Encoder
from models.latent import Latent
from models.reference import Reference
from models.refit import Sums
from models.repeats import Repeats
from models.stage import Stage
from models.stimuli import StimulusTable
from models.usual import Usual
from streaming.chain import Chain
from streaming.errors import BraincastError, ModelError
from streaming.signal import SignalSpec, Window
from streaming.window import LockedWindows, Windowing, windowing_from_json

__all__ = [
    "FORMAT_VERSION",
    "NON_CAUSAL",
    "REPORTS",
    "Model",
    "check_vacant",
    "load_model",
    "save_model",
]

FORMAT_VERSION = 1

NON_CAUSAL = "non-causal input"
"""Stamp of what was not filtered by our chain, in `Model.training` as ``input``."""

_FORMAT = "braincast-model"
_JSON, _WEIGHTS = "model.json", "weights.safetensors"

REPORTS = ("evaluation.json", "report.html")
"""What may stand beside a model: how well it decodes, of whatever model is there."""


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """All that turns a stream into latents and latents into a ranking.

    Parameters
    ----------
    spec : SignalSpec
        Rate and channels that the model takes from a stream.
    transforms : list of dict
        The chain, as plain data; `chain` makes it.
    windowing : LockedWindows or SlidingWindows
        How windows are cut.
    encoder : Encoder
        From a window to a vector.
    candidates : Candidates
        What it chooses from.
    centre : array of shape (n_dims,)
        Mean of the training targets: what `models.retrieval` looks from.
    temperature : float
        Makes similarities to probabilities; fitted for these candidates on held-out trials.
    stimuli : StimulusTable
        What the markers mean.
    protocol : str
        How it was scored: ``"closed_set"`` or ``"zero_shot"``.
    training : dict
        Where it comes from: hashes of the data, numbers of trials and runs.
    scores : dict
        How well it did on held-out trials.
    reference : Reference or None
        What its latents were like in calibration; None if it was too short, or the model is of
        an older version.
    sums : Sums or None
        What a ridge needs to go on learning; None for other encoders, and older versions.
    conformal : dict of str to Odds
        What held-out trials gave with these candidates, by protocol: ``"closed_set"`` tells of
        candidates seen in calibration, ``"zero_shot"`` of others. Empty: nothing is promised.
    stages : tuple of Stage
        What decodes the windows before the last, where the windowing has several latencies.
    repeats : tuple of Repeats
        What sums over windows of one stimulus are worth.
    usual : tuple of Usual
        How long latents and how large windows were in calibration, of each latency. Empty: not
        known, as of windows that slide, and of older versions.
    seen : array of shape (n,)
        `models.lineage.window_hashes` of the windows that it, or one that it descends from,
        learnt from; empty of older versions.
    """

    spec: SignalSpec
    transforms: list[dict[str, Any]]
    windowing: Windowing
    encoder: Encoder
    candidates: Candidates
    centre: NDArray[np.float32]
    temperature: float
    stimuli: StimulusTable
    protocol: str
    training: dict[str, Any]
    scores: dict[str, Any]
    reference: Reference | None = None
    sums: Sums | None = None
    conformal: Mapping[str, Odds] = field(default_factory=dict)
    stages: tuple[Stage, ...] = ()
    repeats: tuple[Repeats, ...] = ()
    usual: tuple[Usual, ...] = ()
    seen: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    model_id: str = field(init=False)
    """SHA-256, in hex, of all that ``model.json`` says, the weights' checksum included."""

    def __post_init__(self) -> None:
        """Check the temperature and name the model after what it is made of."""
        if not (self.temperature > 0 and np.isfinite(self.temperature)):
            msg = f"temperature must be finite and above 0, got {self.temperature}"
            raise ValueError(msg)
        if self.centre.shape != self.candidates.vectors.shape[1:]:
            msg = (
                f"centre has shape {self.centre.shape} but the candidates have "
                f"{self.candidates.vectors.shape[1]} dimensions; they must match"
            )
            raise ValueError(msg)
        windowing = self.windowing
        ends = windowing.ends if isinstance(windowing, LockedWindows) else (0.0,)
        n_revisions = len(self.stages) + 1
        widths = [len(ends), len(self.usual) or n_revisions]
        widths += [part.truth.shape[1] for part in self.conformal.values()]
        if any(width != n_revisions for width in widths):
            msg = (
                f"the model has {n_revisions} latencies, but windows, what is usual and odds "
                f"have {widths}"
            )
            raise ValueError(msg)
        values, _ = _files(self)
        object.__setattr__(self, "model_id", _id_of(values))

    @property
    def space(self) -> str:
        """Name of the embedding space."""
        return self.candidates.space

    def check_live(self) -> None:
        """Refuse a model of windows that our chain did not make.

        Raises
        ------
        ModelError
            If it was fitted to epochs that others had filtered.
        """
        if self.training.get("input") == NON_CAUSAL:
            msg = (
                f"the model has {NON_CAUSAL}: it was fitted to epochs that others had "
                "filtered, and nothing live is like them; fit one to raw recordings"
            )
            raise ModelError(msg)

    def chain(self) -> Chain:
        """Return a fresh chain, the one that the training data went through."""
        return Chain.from_json(self.transforms)

    def is_usual(self, latent: Latent, window: Window) -> bool:
        """Return whether a latent and its window are no more than calibration has seen."""
        if not self.usual:
            return True
        usual = self.usual[window.revision]
        return usual.holds(latent.vector, self.centre, window.chunk.data)

    def encode(self, window: Window) -> Latent:
        """Return the latent of a window, by the encoder of its length."""
        early = window.revision < len(self.stages)
        encoder = self.stages[window.revision].encoder if early else self.encoder
        vector = encoder.encode(window)
        return Latent(vector, self.space, window.chunk.t_end, self.model_id)


def check_vacant(folder: Path, *, overwrite: bool) -> None:
    """Refuse to write a model where something else is.

    Parameters
    ----------
    folder : Path
        Where it is to go.
    overwrite : bool
        Whether a model that is there already may be replaced.

    Raises
    ------
    ModelError
        If something is in its place.
    """
    if folder.exists() and not folder.is_dir():
        msg = f"{folder} is a file; name a folder to write the model to"
        raise ModelError(msg)
    others = sorted(
        path.name for path in folder.glob("*") if path.name not in (_JSON, _WEIGHTS, *REPORTS)
    )
    if others:
        msg = f"{folder} holds other files, such as {others[0]}; name a new or an empty folder"
        raise ModelError(msg)
    if not overwrite and any((folder / name).exists() for name in (_JSON, _WEIGHTS)):
        msg = f"{folder} holds a model already; name a new folder, or replace it by --overwrite"
        raise ModelError(msg)


def save_model(model: Model, folder: str | Path, *, overwrite: bool = False) -> None:
    """Write a model folder.

    Parameters
    ----------
    model : Model
        What to write.
    folder : path
        Made if need be.
    overwrite : bool
        Whether a model that is there already may be replaced, and its report removed.

    Raises
    ------
    ModelError
        If something else is there, or it cannot be written.
    """
    folder = Path(folder)
    check_vacant(folder, overwrite=overwrite)
    values, weights = _files(model)
    text = _text({**values, "model_id": model.model_id})
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in REPORTS:
            (folder / name).unlink(missing_ok=True)
        (folder / _WEIGHTS).write_bytes(weights)
        (folder / _JSON).write_bytes(text)
    except OSError as error:
        msg = f"cannot write {folder}: {error.strerror}; name a folder that can be written"
        raise ModelError(msg) from error


def load_model(folder: str | Path) -> Model:
    """Read a model folder.

    Raises
    ------
    ModelError
        If it is no model folder, of another version, altered or edited.
    """
    folder = Path(folder)
    values = _read_json(folder)
    said = values.pop("model_id", None)  # older ones do not say it
    if said is not None and said != (made := _id_of(values)):
        msg = (
            f"{folder / _JSON} was edited: it says it is model {str(said)[:12]}..., and what "
            f"it says makes {made[:12]}...; copy the folder again, or fit anew"
        )
        raise ModelError(msg)
    weights = _read_inside(folder, _WEIGHTS)
    expected = values.get("weights_sha256")
    found = hashlib.sha256(weights).hexdigest()
    if found != expected:
        msg = (
            f"{folder / _WEIGHTS} was altered: its sha256 is {found[:12]}..., {_JSON} says "
            f"{str(expected)[:12]}...; copy the folder again, or fit anew"
        )
        raise ModelError(msg)
    try:
        return _build(values, load_arrays(weights))
    except KeyError as error:
        msg = f"{folder} lacks {error}; copy the folder again, or fit anew"
        raise ModelError(msg) from error
    except (BraincastError, SafetensorError, AttributeError, TypeError, ValueError) as error:
        msg = f"{folder} is not a valid model ({error}); copy the folder again, or fit anew"
        raise ModelError(msg) from error


def _files(model: Model) -> tuple[dict[str, Any], bytes]:
    """Return what ``model.json`` says, but for the id, and the contents of the weights."""
    arrays = _named("encoder", model.encoder.arrays())
    arrays["candidates"] = model.candidates.vectors
    arrays["centre"] = model.centre
    if model.reference is not None:
        arrays |= _named("reference", model.reference.arrays())
    if model.sums is not None:
        arrays |= _named("refit", model.sums.arrays())
    for n, stage in enumerate(model.stages):
        arrays |= _named(f"stage.{n}", stage.encoder.arrays())
    if model.seen.size:  # as below: empty, it would change the ids of old ones
        arrays["seen"] = model.seen
    for each in model.repeats:
        odds = each.odds
        arrays |= _named(f"repeats.{each.n}", {"truth": odds.truth, "best": odds.best})
    for protocol, odds in model.conformal.items():
        arrays[f"conformal.{protocol}.truth"] = odds.truth
        arrays[f"conformal.{protocol}.best"] = odds.best
    weights = save_arrays(
        {name: np.asarray(arrays[name], order="C") for name in sorted(arrays)}
    )
    candidates = model.candidates
    values = {
        "format": _FORMAT,
        "version": FORMAT_VERSION,
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
        "spec": {
            "sfreq": model.spec.sfreq,
            "ch_names": model.spec.ch_names,
            "ch_types": model.spec.ch_types,
        },
        "transforms": model.transforms,
        "windowing": model.windowing.to_json(),
        "encoder": model.encoder.kind,
        "space": candidates.space,
        "temperature": model.temperature,
        "protocol": model.protocol,
        "scores": model.scores,
        "training": model.training,
        "stimuli": model.stimuli.to_json(),
        "candidates": {
            "version": candidates.version,
            "ids": candidates.ids,
            "texts": candidates.texts,
            "glyphs": candidates.glyphs,
            "trained": candidates.trained,
        },
    }
    if model.stages:  # said of a model that has none, it would change the ids of old ones
        values["stages"] = [stage.to_json() for stage in model.stages]
    if model.repeats:
        values["repeats"] = [each.to_json() for each in model.repeats]
    if model.usual:
        values["usual"] = [each.to_json() for each in model.usual]
    return values, weights


def _named(part: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return the arrays of a part as the weights name them."""
    return {f"{part}.{name}": array for name, array in arrays.items()}


def _part(part: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Undo `_named`."""
    prefix = f"{part}."
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}


def _text(values: Mapping[str, Any]) -> bytes:
    """Return the contents of ``model.json``."""
    text = json.dumps(values, ensure_ascii=False, indent=1, allow_nan=False)
    return text.encode() + b"\n"


def _id_of(values: Mapping[str, Any]) -> str:
    """Return the id of a model."""
    return hashlib.sha256(_text(values)).hexdigest()


def _build(values: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Model:
    """Make a model of what `_files` wrote."""
    spec, listed = values["spec"], values["candidates"]
    reference, sums = _part("reference", arrays), _part("refit", arrays)
    Chain.from_json(values["transforms"])  # an unknown transform is told now, not when live
    return Model(
        spec=SignalSpec(spec["sfreq"], tuple(spec["ch_names"]), tuple(spec["ch_types"])),
        transforms=values["transforms"],
        windowing=windowing_from_json(values["windowing"]),
        encoder=_load_encoder(values["encoder"], _part("encoder", arrays)),
        candidates=Candidates(
            ids=tuple(listed["ids"]),
            texts=tuple(listed["texts"]),
            glyphs=tuple(listed["glyphs"]),
            trained=tuple(listed["trained"]),
            vectors=arrays["candidates"],
            space=values["space"],
            version=listed["version"],
        ),
        centre=arrays["centre"],
        temperature=values["temperature"],
        stimuli=StimulusTable.from_json(values["stimuli"]),
        protocol=values["protocol"],
        training=values["training"],
        scores=values["scores"],
        reference=Reference.from_arrays(reference) if reference else None,
        sums=Sums.from_arrays(sums) if sums else None,
        conformal={
            protocol: Odds(arrays[f"conformal.{protocol}.truth"], arrays[key])
            for protocol in ("closed_set", "zero_shot")
            if (key := f"conformal.{protocol}.best") in arrays
        },
        stages=tuple(
            Stage(_load_encoder(s["encoder"], _part(f"stage.{n}", arrays)), s["temperature"])
            for n, s in enumerate(values.get("stages", ()))
        ),
        repeats=tuple(
            Repeats(r["n"], r["temperature"], Odds(**_part(f"repeats.{r['n']}", arrays)))
            for r in values.get("repeats", ())
        ),
        usual=tuple(Usual(**each) for each in values.get("usual", ())),
        seen=arrays.get("seen", np.zeros(0, np.uint64)),
    )


def _load_encoder(kind: str, learnt: Mapping[str, NDArray[Any]]) -> Encoder:
    """Make an encoder of its own weights."""
    if kind not in LOADERS:
        msg = f"encoder {kind!r} is unknown, known are {', '.join(LOADERS)}"
        raise ModelError(msg)
    return LOADERS[kind].from_arrays(learnt)


def _read_json(folder: Path) -> dict[str, Any]:
    """Read ``model.json`` and check that it is one of ours."""
    text = _read_inside(folder, _JSON)
    try:
        values = json.loads(text, parse_constant=_refuse_constant)
    except ValueError as error:
        msg = f"{folder / _JSON} is not JSON ({error}); copy the folder again, or fit anew"
        raise ModelError(msg) from error
    if not isinstance(values, dict) or values.get("format") != _FORMAT:
        msg = f"{folder / _JSON} does not describe a braincast model; name a model folder"
        raise ModelError(msg)
    if values.get("version") != FORMAT_VERSION:
        msg = (
            f"{folder} has model format {values.get('version')}, this braincast reads "
            f"{FORMAT_VERSION}; fit anew, or use the braincast that made it"
        )
        raise ModelError(msg)
    return values


def _refuse_constant(name: str) -> None:
    """Refuse what Python writes for numbers that JSON has not."""
    msg = f"{name} is no number of JSON"
    raise ValueError(msg)


def _read_inside(folder: Path, name: str) -> bytes:
    """Read a file of the folder, and none that a link leads to elsewhere."""
    path = folder / name
    if not path.is_file():
        what = "is a file" if folder.is_file() else "is not there"
        what = f"has no {name}" if folder.is_dir() else what
        msg = f"{folder} is not a model folder: it {what}; make one with braincast fit"
        raise ModelError(msg)
    if path.resolve().parent != folder.resolve():
        msg = f"{path} leads outside of the model folder; put the file itself there"
        raise ModelError(msg)
    try:
        return path.read_bytes()
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror}; check its permissions"
        raise ModelError(msg) from error
