"""The committed weights of braincast-preview, and the way they were trained, in small."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from models import preview_training
from models.generator import open_generator
from models.preview import WEIGHTS, BraincastPreview, hash_folder, load_preview, save_preview
from models.preview_networks import PatchCodec, Sketch, conditioned
from models.preview_pictures import Concept, held_out, phrases_of, read_split, write_split
from models.preview_training import Plan, Texts, flow_loss, pixel_loss, train, unet_of
from models.spaces import PACKAGED_SPACE, open_space
from streaming.errors import ConfigError, ModelError

COLOURS = {
    "red": ["strawberry", "red apple", "rose", "lady beetle", "cherries"],
    "green": ["green apple", "cucumber", "frog", "four leaf clover", "crocodile"],
    "blue": ["whale", "jeans", "dolphin", "blue book", "butterfly"],
}


@pytest.fixture(scope="module")
def preview() -> BraincastPreview:
    return load_preview()


def never() -> bool:
    return False


def test_the_card_names_these_weights_and_they_are_small() -> None:
    card = (WEIGHTS / "README.md").read_text(encoding="utf-8")
    assert hash_folder(WEIGHTS) in card
    files = list(WEIGHTS.rglob("*.safetensors"))
    assert len(files) == 3
    assert sum(file.stat().st_size for file in files) < 25_000_000


def test_a_picture_in_two_steps(preview: BraincastPreview) -> None:
    vector = open_space(PACKAGED_SPACE).embed(["frog"])[0]
    coarse, final = preview.preview(vector, 3, never)
    assert (coarse.step, final.step, final.n_steps) == (1, 4, 4)
    assert coarse.pixels.shape == final.pixels.shape == (64, 64, 3)
    again = list(preview.preview(vector, 3, never))[-1]
    np.testing.assert_array_equal(final.pixels, again.pixels)
    other = list(preview.preview(vector, 4, never))[-1]
    assert not np.array_equal(final.pixels, other.pixels)


def test_the_length_of_a_latent_does_not_count() -> None:
    centre = (np.random.default_rng(0).standard_normal(384) / 20).astype(np.float32)
    generator = load_preview(centre=centre)
    offset = np.random.default_rng(1).standard_normal(384).astype(np.float32)
    near, far = (
        list(generator.preview((centre + scale * offset).astype(np.float32), 0, never))[-1]
        for scale in (0.1, 10.0)
    )
    # Sums of other lengths round otherwise
    assert np.abs(near.pixels.astype(int) - far.pixels).max() <= 2
    at_centre = list(generator.preview(centre, 7, never))[-1]
    np.testing.assert_array_equal(at_centre.pixels, generator.prior(7).pixels)


def test_cancelled_between_steps(preview: BraincastPreview) -> None:
    asked = 0

    def after_two() -> bool:
        nonlocal asked
        asked += 1
        return asked > 4

    vector = open_space(PACKAGED_SPACE).embed(["frog"])[0]
    assert [picture.step for picture in preview.preview(vector, 0, after_two)] == [1]
    assert asked < 8


def test_many_at_once_are_as_one_by_one(preview: BraincastPreview) -> None:
    vectors = open_space(PACKAGED_SPACE).embed(["frog", "guitar"]) - preview.centre
    many = preview.pixels(preview.codes(torch.from_numpy(vectors), [5, 6]))
    one = list(preview.preview(vectors[1] + preview.centre, 6, never))[-1]
    assert np.abs(many[1].astype(int) - one.pixels).max() <= 2


def test_pictures_have_the_colour_of_what_they_are_of(preview: BraincastPreview) -> None:
    shares = {}
    for colour, names in COLOURS.items():
        offsets = open_space(PACKAGED_SPACE).embed(names) - preview.centre
        codes = preview.codes(torch.from_numpy(offsets), list(range(len(names))))
        ink = 255.0 - preview.pixels(codes)  # on white
        shares[colour] = 1 - ink.mean((1, 2)) / ink.mean((1, 2)).sum(1, keepdims=True)
    for n, colour in enumerate(COLOURS):
        others = [shares[other][:, n].mean() for other in COLOURS if other != colour]
        assert shares[colour][:, n].mean() > max(others) + 0.02, colour


@pytest.mark.parametrize(
    ("name", "space", "said"),
    [("braincast-preview", "labels", "space labels"), ("braincast-preview:x", "minilm", "'x'")],
)
def test_what_it_does_not_take_is_refused(name: str, space: str, said: str) -> None:
    with pytest.raises(ConfigError, match=f"takes latents in .*got .*{said}"):
        open_generator(name, space=space)


def test_weights_must_be_there_and_the_type_known(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="has no weights in"):
        load_preview(tmp_path)
    with pytest.raises(ConfigError, match="dtype 'int8' is unknown"):
        load_preview(dtype="int8")


def test_components_give_back_what_they_were_fitted_to() -> None:
    codec = PatchCodec(n_components=192, channels=(16,), groups=16)
    shown = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    codec.fit_components(shown.repeat(8, 1, 1, 1) + 0.01 * torch.randn(32, 3, 16, 16))
    back = codec.linear(codec.encode(shown))
    torch.testing.assert_close(back, shown, atol=1e-3, rtol=0)


def _tiny() -> tuple[nn.ModuleDict, torch.Tensor, Texts]:
    torch.manual_seed(0)
    both = nn.ModuleDict(
        {
            "sketch": Sketch(n_dims=8, n_components=4, side=4, width=16, n_names=6),
            "unet": unet_of(n_dims=8, n_components=4, side=4, channels=(16, 16)),
        }
    )
    draw = torch.Generator().manual_seed(1)
    codes = torch.randn(6, 4, 4, 4, generator=draw)
    names, sayings = (
        [torch.randn(n, 8, generator=draw) for n in (1, 2, 1, 3, 1, 1)] for _ in range(2)
    )
    return both, codes, Texts(names, sayings)


def test_training_that_went_on_is_the_same(tmp_path: Path) -> None:
    def run(file: Path, *stops: int) -> nn.ModuleDict:
        for stop in stops:
            both, codes, texts = _tiny()
            loss = flow_loss(both["sketch"], both["unet"], codes, texts, batch=14)

            def stopped(
                draw: torch.Generator, stop: int = stop, loss: object = loss
            ) -> torch.Tensor:
                if draw.initial_seed() >= stop:
                    raise KeyboardInterrupt
                return loss(draw)  # type: ignore[operator, no-any-return]

            try:
                kept = train(both, stopped, Plan(6, 1e-2, 0.9, save_every=1), file)
            except KeyboardInterrupt:
                continue
        return kept

    whole = run(tmp_path / "whole.pt", 6)
    parts = run(tmp_path / "parts.pt", 2, 4, 6)
    for one, other in zip(whole.parameters(), parts.parameters(), strict=True):
        assert torch.equal(one, other)


def test_training_lowers_the_loss(tmp_path: Path) -> None:
    both, codes, texts = _tiny()
    loss = flow_loss(both["sketch"], both["unet"], codes, texts, batch=56)
    before = loss(torch.Generator().manual_seed(99)).item()
    train(both, loss, Plan(60, 1e-2), tmp_path / "x.pt")
    assert loss(torch.Generator().manual_seed(99)).item() < 0.8 * before


def test_the_codec_learns_what_components_leave_out(tmp_path: Path) -> None:
    torch.manual_seed(0)
    codec = PatchCodec(n_components=4, channels=(16, 16, 16), groups=16)
    draw = torch.Generator().manual_seed(1)
    coarse = torch.rand(8, 3, 8, 8, generator=draw) * 2 - 1
    pictures = nn.functional.interpolate(coarse, (64, 64), mode="bicubic").clamp(-1, 1)
    codec.fit_components(pictures)
    loss = pixel_loss(codec, pictures, batch=4)
    before = loss(torch.Generator().manual_seed(99)).item()
    linear = codec.linear(codec.encode(pictures))
    made = train(codec, loss, Plan(30, 5e-3), tmp_path / "x.pt")
    assert loss(torch.Generator().manual_seed(99)).item() < 0.95 * before
    assert torch.equal(made.linear(made.encode(pictures)), linear)  # components stay


def test_the_script_ends_in_weights_that_draw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    concepts = [Concept(name, name, "", ()) for names in COLOURS.values() for name in names]
    shape = (len(concepts), 64, 64, 3)
    pictures = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    monkeypatch.setattr(preview_training, "fetch", lambda _folder: None)
    monkeypatch.setattr(preview_training, "concepts_of", lambda _folder: concepts)
    monkeypatch.setattr(preview_training, "pictures_of", lambda *_: pictures)
    steps = ["--codec-steps", "1", "--flow-steps", "1"]
    monkeypatch.setattr("sys.argv", ["preview_training", str(tmp_path), *steps])
    preview_training.main()
    said = capsys.readouterr()
    assert said.out.strip() == str(tmp_path / "weights")
    assert "sketch and UNet" in said.err
    first = hash_folder(tmp_path / "weights")
    split = read_split(tmp_path / "weights" / "concepts.tsv")
    assert list(split) == [concept.label for concept in concepts]
    generator = load_preview(tmp_path / "weights")
    *_, picture = generator.preview(open_space(PACKAGED_SPACE).embed(["frog"])[0], 0, never)
    assert picture.pixels.shape == (64, 64, 3)
    preview_training.main()  # all is done: it only saves again
    assert hash_folder(tmp_path / "weights") == first


def test_pictures_that_do_not_come_end_the_script_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("sys.argv", ["preview_training", str(tmp_path)])
    with pytest.raises(SystemExit, match="1"):
        preview_training.main()
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("not trained: the pictures come from npm, which is not installed")


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    both, _, _ = _tiny()
    codec = PatchCodec(n_components=4, channels=(16, 16), groups=16)
    save_preview(tmp_path, codec, both["sketch"], both["unet"])
    generator = load_preview(tmp_path)
    assert generator.hash != load_preview(tmp_path, dtype="bfloat16").hash
    first = hash_folder(tmp_path)
    (tmp_path / "sketch" / "config.json").write_text("{}", encoding="utf-8")
    assert hash_folder(tmp_path) != first


def test_a_latent_is_drawn_to_the_names_near_it() -> None:
    names = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    made = conditioned(torch.tensor([[5.0, 5.0], [0.0, 0.0], [-1.0, 0.0]]), names) / 2**0.5
    between = torch.tensor([torch.pi / 8]).cos().item()  # half of the way from 45 degrees
    wanted = torch.tensor([[between, (1 - between**2) ** 0.5], [0.0, 0.0], [-1.0, 0.0]])
    torch.testing.assert_close(made, wanted)


def test_noise_leaves_the_cosine_that_it_should() -> None:
    _, _, texts = _tiny()
    drawn = texts.draw(torch.zeros(4000, dtype=torch.long), torch.Generator().manual_seed(0))
    lengths = drawn.norm(dim=1)
    nothing = (lengths == 0).float().mean().item()
    assert 0.04 < nothing < 0.08
    torch.testing.assert_close(
        lengths[lengths > 0], torch.full_like(lengths[lengths > 0], 8**0.5)
    )


def test_near_duplicates_are_on_one_side(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    texts, looks = (rng.standard_normal((200, 50)).astype(np.float32) for _ in range(2))
    texts[1] = texts[0] + 0.1
    looks[2] = looks[1]
    labels = [f"thing {n}" for n in range(200)]
    groups, held = held_out(labels, texts, looks)
    assert groups[0] == groups[1] == groups[2]
    assert held[0] == held[1] == held[2]
    assert 5 < held.sum() < 40
    order = rng.permutation(200)
    _, again = held_out([labels[n] for n in order], texts[order], looks[order])
    np.testing.assert_array_equal(again, held[order])
    write_split(tmp_path / "x.tsv", labels, groups, held)
    assert list(read_split(tmp_path / "x.tsv").values()) == held.tolist()


def test_phrases_name_one_thing() -> None:
    concepts = [
        Concept("dog face", "a", "🐶", ("dog", "pet", "puppy")),
        Concept("dog", "b", "🐕", ("pet", "animal")),
        Concept("hot beverage", "c", "☕", ("coffee", "tea")),
    ]
    face, dog, hot = phrases_of(concepts, {"☕️": "coffee"})
    assert face == (["dog face"], ["puppy", "dog face, pet, puppy"])
    assert dog[0] == ["dog"]
    assert "pet" not in dog[1]
    assert hot == (["hot beverage", "coffee"], ["tea", "hot beverage, coffee, tea"])


def test_the_split_is_that_of_the_card() -> None:
    split = read_split(WEIGHTS / "concepts.tsv")
    card = (WEIGHTS / "README.md").read_text(encoding="utf-8")
    found = re.search(r"(\d+) pictures.*?(\d+) of them held out", card, re.DOTALL)
    assert found is not None
    assert [int(n) for n in found.groups()] == [len(split), sum(split.values())]
