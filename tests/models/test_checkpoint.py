from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.candidates import embed_candidates
from models.checkpoint import Model, load_model, save_model
from models.reference import Reference
from models.ridge import RidgeEncoder
from models.spaces import LabelSpace
from models.stimuli import StimulusTable
from models.trials import Trials
from models.usual import Usual
from streaming.chain import standard_chain
from streaming.errors import ModelError
from streaming.signal import Chunk, SignalSpec, Window
from streaming.window import LockedWindows

SPEC = SignalSpec(250.0, ("Fz", "Cz", "Pz"))
RNG = np.random.default_rng(0)
WINDOWS = RNG.standard_normal((30, 3, 50)).astype(np.float32)


def make_model() -> Model:
    candidates = embed_candidates(["a", "b"], ["chat 🐈", "b"], LabelSpace(), ["🐈", ""])
    targets = candidates.vectors[np.arange(30) % 2]
    return Model(
        spec=SPEC,
        transforms=standard_chain(SPEC.ch_names, SPEC.sfreq).to_json(),
        windowing=LockedWindows(-0.1, 0.3, baseline=(-0.1, 0.0)),
        encoder=RidgeEncoder.fit(Trials(WINDOWS, targets, np.arange(30) // 10, 125.0)),
        candidates=candidates,
        centre=targets.mean(0),
        temperature=0.1,
        stimuli=StimulusTable.from_labels(["a", "b"]),
        protocol="closed_set",
        training={"sha256": ["x"]},
        scores={"top1": 0.1 + 0.2},
    )


@pytest.fixture(scope="module")
def model() -> Model:
    return make_model()


@pytest.fixture
def folder(model: Model, tmp_path: Path) -> Path:
    save_model(model, tmp_path / "model")
    return tmp_path / "model"


def test_the_round_trip_is_bit_for_bit(model: Model, folder: Path, tmp_path: Path) -> None:
    again = load_model(folder)
    assert again.model_id == model.model_id
    assert again.candidates.hash == model.candidates.hash
    for name in ("spec", "windowing", "temperature", "stimuli", "protocol", "scores", "space"):
        assert getattr(again, name) == getattr(model, name)
    assert again.candidates.glyphs == ("🐈", "")
    assert again.chain().to_json() == model.chain().to_json()
    window = Window(Chunk(WINDOWS[0], SignalSpec(125.0, SPEC.ch_names), 0, 10, 5.0), "locked/0")
    one, other = model.encode(window), again.encode(window)
    np.testing.assert_array_equal(one.vector, other.vector)
    assert one.vector.dtype == np.float32
    assert (one.space, one.t_end, one.model_id) == ("labels", 5.48, model.model_id)
    save_model(again, tmp_path / "copy")
    for name in ("model.json", "weights.safetensors"):
        assert (tmp_path / "copy" / name).read_bytes() == (folder / name).read_bytes()


def test_the_id_is_of_all_that_matters(model: Model) -> None:
    assert make_model().model_id == model.model_id
    changed = replace(model, temperature=0.2), replace(model, scores={})
    assert len({m.model_id for m in changed} | {model.model_id}) == 3


def test_a_model_is_replaced_on_demand_and_other_files_never(
    model: Model, folder: Path
) -> None:
    with pytest.raises(ModelError, match="holds a model already; name a new folder, or repl"):
        save_model(replace(model, temperature=2.0), folder)
    assert load_model(folder).temperature == 0.1
    save_model(replace(model, temperature=2.0), folder, overwrite=True)
    assert load_model(folder).temperature == 2.0
    (folder / "thesis.docx").write_text("")
    with pytest.raises(ModelError, match=r"holds other files, such as thesis\.docx"):
        save_model(model, folder, overwrite=True)
    with pytest.raises(ModelError, match="is a file; name a folder"):
        save_model(model, folder / "model.json")


def alter(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    """Make a folder of another writer, who does not say the model's id."""

    def altered(folder: Path) -> None:
        path = folder / "model.json"
        values = json.loads(path.read_text())
        change(values)
        values.pop("model_id")
        path.write_text(json.dumps(values))

    return altered


def edit(folder: Path) -> None:
    path = folder / "model.json"
    path.write_text(path.read_text().replace('"temperature": 0.1', '"temperature": 0.2'))


def alter_weights(folder: Path) -> None:
    path = folder / "weights.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def link_outside(folder: Path) -> None:
    path = folder / "weights.safetensors"
    path.rename(folder.parent / "elsewhere")
    path.symlink_to(folder.parent / "elsewhere")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "model.json").unlink(), "it has no model.json"),
        (lambda f: (f / "weights.safetensors").unlink(), "it has no weights.safetensors"),
        (lambda f: (f / "model.json").write_text("{"), "is not JSON"),
        (lambda f: (f / "model.json").write_bytes(b"\xff"), "is not JSON"),
        (lambda f: (f / "model.json").write_text("[]"), "does not describe a braincast model"),
        (lambda f: (f / "model.json").write_text('{"a": NaN}'), "is not JSON (NaN is no num"),
        (edit, "model.json was edited: it says it is model"),
        (alter_weights, "was altered: its sha256 is"),
        (link_outside, "leads outside of the model folder"),
        (alter(lambda v: v.update(version=99)), "has model format 99, this braincast reads 1"),
        (alter(lambda v: v.pop("spec")), "lacks 'spec'"),
        (alter(lambda v: v["candidates"].pop("ids")), "lacks 'ids'"),
        (alter(lambda v: v.update(encoder="magic")), "encoder 'magic' is unknown"),
        (alter(lambda v: v.update(temperature=0)), "temperature must be finite"),
        (alter(lambda v: v.update(spec=3)), "is not a valid model"),
        (alter(lambda v: v.update(stimuli=[{"role": "x"}])), "is not a valid model"),
        (alter(lambda v: v.update(transforms=[{"transform": "magic"}])), "transform='magic'"),
        (alter(lambda v: v.update(windowing={"windows": "odd"})), "windows='odd'"),
    ],
)
def test_a_damaged_folder_is_refused(
    folder: Path, damage: Callable[[Path], None], message: str
) -> None:
    damage(folder)
    with pytest.raises(ModelError) as error:
        load_model(folder)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_model_of_before_ids_were_written_is_the_same_model(
    model: Model, folder: Path
) -> None:
    assert json.loads((folder / "model.json").read_text())["model_id"] == model.model_id
    alter(lambda _: None)(folder)
    assert load_model(folder).model_id == model.model_id


def test_what_latents_were_like_comes_back(model: Model, tmp_path: Path) -> None:
    n_dims = len(model.centre)
    reference = Reference(np.ones(n_dims), np.eye(2, n_dims), np.arange(9.0), np.ones(9))
    save_model(with_it := replace(model, reference=reference), tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert again.model_id == with_it.model_id != model.model_id
    assert again.reference is not None
    np.testing.assert_array_equal(again.reference.blocks, reference.blocks)
    assert (model.reference, model.sums) == (None, None)


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="it is not there; make one with braincast fit"):
        load_model(tmp_path / "none")
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match="it is a file; make one"):
        load_model(tmp_path / "file")
    with pytest.raises(ModelError, match=r"it has no model\.json"):
        load_model(tmp_path)


def test_a_model_checks_itself(model: Model) -> None:
    with pytest.raises(ValueError, match="temperature must be finite"):
        replace(model, temperature=float("nan"))
    with pytest.raises(ValueError, match="centre has shape"):
        replace(model, centre=np.zeros(3, np.float32))


def test_serving_a_model_does_not_import_torch(folder: Path) -> None:
    code = (
        "import sys; from models.checkpoint import load_model; load_model(sys.argv[1]);"
        "print([m for m in ('torch', 'transformers', 'sklearn', 'mne') if m in sys.modules])"
    )
    run = [sys.executable, "-c", code, str(folder)]
    root = Path(__file__).parents[2]
    done = subprocess.run(run, capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == "[]"


def test_what_is_usual_is_kept_and_told_of_each_latency(model: Model, tmp_path: Path) -> None:
    with_it = replace(model, usual=(Usual(0.1 + 0.2, 3.0, 60),))
    save_model(with_it, tmp_path / "usual")
    again = load_model(tmp_path / "usual")
    assert (again.usual, again.model_id) == (with_it.usual, with_it.model_id)
    assert again.model_id != model.model_id
    with pytest.raises(ValueError, match="what is usual"):
        replace(model, usual=(*with_it.usual, *with_it.usual))
