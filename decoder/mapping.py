"""From recordings and a pretrained network to a map of its layers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decoder.evaluating import check_output
from decoder.guards import check_different, check_recording
from models.candidates import Candidates
from models.dataset import read_dataset
from models.fit import evoked_chain, truth_of
from models.layer_map import LayerMap, map_layers
from models.networks import Item
from models.spaces import PretrainedSpace, open_space
from models.stimuli import StimulusTable
from streaming.errors import ConfigError
from streaming.layout import positions_of
from streaming.sources.opening import open_recording
from streaming.window import LockedWindows

__all__ = ["MapSettings", "map_recordings", "to_json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MapSettings:
    """What was shown in the recordings, and to what it is compared.

    Parameters
    ----------
    stimuli : Path
        Table of stimuli.
    space : str
        The network, such as ``dinov2:facebook/dinov2-base``; its layers are compared, whichever
        is named.
    layers : tuple of str
        Which layers; all if empty.
    picks, drop, unit
        As for `decoder.fitting.FitSettings`.
    tmin, tmax : float
        The window around a marker, in seconds.
    """

    stimuli: Path
    space: str
    layers: tuple[str, ...] = ()
    picks: str = "eeg"
    drop: tuple[str, ...] = ()
    unit: str | None = None
    tmin: float = 0.0
    tmax: float = 0.6


def map_recordings(
    recordings: Sequence[Path],
    output: Path,
    settings: MapSettings,
    tell: Callable[[str, float], None] = lambda _step, _share: None,
) -> LayerMap:
    """Compare the layers of a network with the brain, and write what was found.

    Parameters
    ----------
    recordings : sequence of Path
        Runs of one person.
    output : Path
        Folder that gets ``map.json`` and ``map.html``.
    settings : MapSettings
        What was shown, and to what it is compared.
    tell : callable
        Told the step and the share that is done.

    Returns
    -------
    LayerMap
        The scores.

    Raises
    ------
    RecordingError
        If a recording was named twice.
    EvaluationError
        If the split leaks.
    """
    from decoder.map_report import write_map_report

    check_output(output)
    space = open_space(settings.space)
    if not isinstance(space, PretrainedSpace):
        msg = f"space {settings.space!r} has no layers; name a pretrained network"
        raise ConfigError(msg)
    table = StimulusTable.read(settings.stimuli)
    ids = tuple(table.texts)
    tell("reading", 0.0)
    dataset = read_dataset(
        recordings,
        LockedWindows(settings.tmin, settings.tmax),
        table,
        evoked_chain,
        picks=settings.picks,
        drop=settings.drop,
        unit=settings.unit,
        progress=lambda share: tell("reading", 0.2 * share),
    )
    check_different(recordings, dataset)
    with closing(open_recording(recordings[0], unit=settings.unit)) as source:
        info = source.info
        check_recording(source, dataset)
    tell("embedding", 0.2)
    layers = _layers(table, space, settings)
    candidates = Candidates(
        ids=ids,
        texts=ids,
        glyphs=("",) * len(ids),
        trained=(True,) * len(ids),
        vectors=next(iter(layers.values())),
        space=space.name,
    )
    found = map_layers(
        dataset,
        candidates,
        truth_of(dataset, candidates),
        layers,
        lambda share: tell("mapping", 0.3 + 0.6 * share),
    )
    positions = np.reshape(positions_of(found.ch_names, info), (-1, 3))
    tell("writing", 0.9)
    output.mkdir(parents=True, exist_ok=True)
    document = to_json(found, space.name, settings, dataset.delay)
    text = json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False)
    (output / "map.json").write_text(text + "\n", encoding="utf-8")
    write_map_report(found, space.name, positions, settings.picks, output / "map.html")
    tell("done", 1.0)
    return found


def _layers(
    table: StimulusTable, space: PretrainedSpace, settings: MapSettings
) -> dict[str, NDArray[np.float32]]:
    """Return the features of each candidate in each layer; means over its files."""
    ids = tuple(table.texts)
    files = {name: table.files(name) for name in ids}
    items: list[Item]
    if space.modalities != ("text",) and all(files.values()):
        items = [file for name in ids for file in files[name]]
        owner = np.repeat(np.arange(len(ids)), [len(files[name]) for name in ids])
    else:
        items, owner = list(table.texts.values()), np.arange(len(ids))
    layers = space.layers(items)
    unknown = [name for name in settings.layers if name not in layers]
    if unknown:
        msg = (
            f"{space.name} has no layer {unknown[0]!r}; it has 0 to {len(layers) - 1}, from "
            "the first to the last"
        )
        raise ConfigError(msg)
    counts = np.bincount(owner)[:, None]
    means = {}
    for name in settings.layers or layers:
        total = np.zeros((len(ids), layers[name].shape[1]))
        np.add.at(total, owner, layers[name])
        means[name] = (total / counts).astype(np.float32)
    return means


def to_json(found: LayerMap, space: str, settings: MapSettings, delay: float) -> dict[str, Any]:
    """Return a map as plain data; see docs/how-to/layer-map.md."""
    order = found.order
    return {
        "format": "braincast-layer-map",
        "version": 1,
        "space": space,
        "layers": list(found.layers),
        "times": [round(float(t), 6) for t in found.times],
        "delay": delay,
        "ch_names": list(found.ch_names),
        "window": [settings.tmin, settings.tmax],
        "protocol": "zero_shot",
        "n_stimuli": found.n_stimuli,
        "n_trials": found.n_trials,
        "n_folds": found.n_folds,
        "encoding": np.round(found.encoding, 5).tolist(),
        "encoding_q": found.encoding_q.tolist(),
        "encoding_normalised": (
            None if found.ceiling is None else np.round(found.normalised, 5).tolist()
        ),
        "noise_ceiling": None if found.ceiling is None else np.round(found.ceiling, 5).tolist(),
        "decoding": np.round(found.decoding, 5).tolist(),
        "decoding_q": found.decoding_q.tolist(),
        "decoding_chance": 0.5,
        "peaks": list(found.peaks),
        "order": None if order is None else {"rank_correlation": order[0], "p_value": order[1]},
    }
