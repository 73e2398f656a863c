from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.gallery import TABLE, Gallery, open_gallery
from models.spaces import PACKAGED_SPACE, open_space
from streaming.errors import ConfigError
from tests.models.generators import save_gallery
from tests.models.pretrained import save_picture
from tests.recordings import recordings


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRAINCAST_CACHE", str(tmp_path / "cache"))


def nearest(gallery: Gallery, vector: np.ndarray[tuple[int], np.dtype[np.float32]]) -> str:
    (picture,) = gallery.preview(vector, 0, lambda: False)
    return picture.source


def test_names_are_found_by_what_they_mean(tmp_path: Path) -> None:
    folder = save_gallery(tmp_path / "g")
    table = "dog", "car", "apple", "violin"
    rows = "".join(
        f"{name}\t{n}.{('png', 'jpg', 'webp')[n % 3]}\n" for n, name in enumerate(table)
    )
    (folder / TABLE).write_text("text\tstim_file\n" + rows)
    gallery = open_gallery(folder, PACKAGED_SPACE)
    words = open_space(PACKAGED_SPACE).embed(["puppy", "truck", "pear", "cello"])
    assert [nearest(gallery, word) for word in words] == list(table)
    assert len(gallery) == 4


def test_pictures_are_found_by_what_is_in_them(tmp_path: Path) -> None:
    """Cats that are not in the gallery are near to one that is, and dogs to a dog."""
    cats = recordings("muse/stimuli/cats_dogs/target*.jpg")
    dogs = recordings("muse/stimuli/cats_dogs/nontarget*.jpg")
    named = {
        f"{what} {n}": files[n]
        for n in range(3)
        for what, files in (("cat", cats), ("dog", dogs))
    }
    for name, file in named.items():
        (tmp_path / f"{name}.jpg").write_bytes(file.read_bytes())
    rows = "".join(f"{name}\t{name}.jpg\n" for name in named)
    (tmp_path / TABLE).write_text("text\tstim_file\n" + rows)
    gallery = open_gallery(tmp_path, "efficientnet")
    cat, dog = open_space("efficientnet").embed([cats[3], dogs[3]])
    assert nearest(gallery, cat).startswith("cat")
    assert nearest(gallery, dog).startswith("dog")


def test_it_looks_from_where_the_decoder_does(tmp_path: Path) -> None:
    folder = save_gallery(tmp_path, ("red", "green", "blue"))
    names = open_space(PACKAGED_SPACE).embed(["red", "green", "blue"])
    centre = names[0] + 0.1 * (names[0] - names[1])  # green lies opposite
    beside = open_gallery(folder, PACKAGED_SPACE, centre)
    towards = centre + 0.01 * (names[0] - centre)
    assert nearest(beside, towards) == "red"
    assert beside.hash != open_gallery(folder, PACKAGED_SPACE).hash
    with pytest.raises(ConfigError, match=r"384 dimensions in .* and the decoder 8"):
        open_gallery(folder, PACKAGED_SPACE, np.zeros(8, np.float32))


def test_what_a_camera_made_is_shown_small(tmp_path: Path) -> None:
    folder = save_gallery(tmp_path)
    for file in folder.glob("0.png"):
        save_picture(file, "red", (2000, 1000))
    gallery = open_gallery(folder, PACKAGED_SPACE)
    shown = {gallery.prior(seed).pixels.shape for seed in range(20)}
    assert shown == {(256, 512, 3), (30, 40, 3)}


def test_the_hash_is_of_names_and_pictures(tmp_path: Path) -> None:
    hashes = {open_gallery(save_gallery(tmp_path / "a"), PACKAGED_SPACE).hash}
    hashes.add(open_gallery(save_gallery(tmp_path / "b"), PACKAGED_SPACE).hash)
    assert len(hashes) == 1  # wherever it is
    save_picture(tmp_path / "b" / "0.png", "black")
    hashes.add(open_gallery(tmp_path / "b", PACKAGED_SPACE).hash)
    assert len(hashes) == 2


def test_an_altered_picture_is_not_shown(tmp_path: Path) -> None:
    gallery = open_gallery(save_gallery(tmp_path), PACKAGED_SPACE)
    for file in tmp_path.glob("*.*g"):
        Image.new("RGB", (4, 4)).save(file)
    (tmp_path / "2.webp").unlink()
    for seed in range(4):
        with pytest.raises(ConfigError, match="was altered after"):
            gallery.prior(seed)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("text\tstim_file\nred\t0.png\ngreen\t\n", "'green' has no picture; name its file"),
        ("text\tstim_file\nred\t0.png\ngreen\t7.png\n", "'green' has no PNG, JPEG or WebP"),
        ("text\tstim_file\nred\t0.png\ngreen\t../x.png\n", "outside of the folder"),
        ("text\tstim_file\nred\t0.png\ngreen\t0.png\n", "the same picture as another"),
        ("text\tstim_file\nred\t0.png\nred\t1.jpg\n", "'red' is on line 2 already"),
        ("text\tstim_file\nred\t0.png\n\t1.jpg\n", "no text"),
        ("text\tstim_file\nred\t0.png\ngreen\t1.jpg\n", "2.webp has no name; give it a line"),
        ("", "is empty"),
        (None, "has no gallery.tsv"),
    ],
)
def test_a_bad_table_is_refused(tmp_path: Path, table: str | None, message: str) -> None:
    folder = save_gallery(tmp_path / "g", ("red", "green", "blue"))
    save_picture(tmp_path / "x.png")
    (folder / TABLE).unlink()
    if table is not None:
        (folder / TABLE).write_text(table)
    with pytest.raises(ConfigError, match=message) as error:
        open_gallery(folder, PACKAGED_SPACE)
    assert "\n" not in str(error.value)


def test_no_picture_or_a_broken_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no picture; a gallery is a folder of"):
        open_gallery(tmp_path / "none", PACKAGED_SPACE)
    folder = save_gallery(tmp_path / "g")
    whole = (folder / "0.png").read_bytes()
    (folder / "0.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ConfigError, match=r"0.png is no picture that can be read"):
        open_gallery(folder, PACKAGED_SPACE)
    with pytest.raises(ConfigError, match="labels mean nothing"):
        open_gallery(folder, "labels")


def test_a_space_of_sound_takes_no_pictures(tmp_path: Path) -> None:
    from tests.models.pretrained import save_wav2vec2

    (tmp_path / "w").mkdir()
    space = f"wav2vec2:{save_wav2vec2(tmp_path / 'w')}"
    with pytest.raises(ConfigError, match="embeds sound; previews need a space of"):
        open_gallery(save_gallery(tmp_path / "g"), space)
