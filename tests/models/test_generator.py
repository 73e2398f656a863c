from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.generator import OPENERS, Generator, Picture, open_generator
from streaming.errors import ConfigError
from tests.models.generators import MAKERS


def never() -> bool:
    return False


def same(one: Picture, other: Picture) -> bool:
    said = [(p.kind, p.step, p.n_steps, p.source) for p in (one, other)]
    return said[0] == said[1] and np.array_equal(one.pixels, other.pixels)


@pytest.fixture(scope="module", params=sorted(OPENERS))
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Generator, int]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BRAINCAST_CACHE", str(tmp_path_factory.mktemp("cache")))
        return MAKERS[request.param](tmp_path_factory.mktemp("generator"))


def vector_of(n_dims: int, seed: int = 0) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.random.default_rng(seed).standard_normal(n_dims).astype(np.float32)


def test_every_entry_is_under_these_laws() -> None:
    assert set(MAKERS) == set(OPENERS)


def test_it_is_deterministic_and_writes_nothing(made: tuple[Generator, int]) -> None:
    generator, n_dims = made
    vector = vector_of(n_dims)
    kept = vector.copy()
    first = list(generator.preview(vector, 5, never))
    again = list(generator.preview(vector, 5, never))
    assert len(first) == len(again) >= 1
    assert all(map(same, first, again))
    np.testing.assert_array_equal(vector, kept)


def test_pictures_grow_finer_to_the_last(made: tuple[Generator, int]) -> None:
    generator, n_dims = made
    pictures = list(generator.preview(vector_of(n_dims), 0, never))
    steps = [picture.step for picture in pictures]
    assert steps == sorted(set(steps))
    assert [picture.final for picture in pictures] == [False] * (len(pictures) - 1) + [True]
    for picture in pictures:
        assert picture.pixels.dtype == np.uint8
        assert picture.pixels.shape[2:] == (3,)
        assert picture.kind == generator.kind
        assert picture.source == generator.name or generator.kind == "retrieved"


def test_cancelled_it_shows_no_more(made: tuple[Generator, int]) -> None:
    generator, n_dims = made
    assert list(generator.preview(vector_of(n_dims), 0, lambda: True)) == []
    shown: list[Picture] = []
    shown.extend(generator.preview(vector_of(n_dims), 0, lambda: bool(shown)))
    assert len(shown) == 1  # no further one after the first


def test_the_latent_and_the_seed_decide(made: tuple[Generator, int]) -> None:
    generator, n_dims = made
    finals = [
        list(generator.preview(vector_of(n_dims, seed), 0, never))[-1].pixels
        for seed in range(8)
    ]
    assert any(not np.array_equal(finals[0], other) for other in finals)
    priors = [generator.prior(seed) for seed in range(8)]
    assert any(not np.array_equal(priors[0].pixels, other.pixels) for other in priors)


def test_the_prior_ignores_the_latent(made: tuple[Generator, int]) -> None:
    generator, n_dims = made
    before = generator.prior(3)
    list(generator.preview(vector_of(n_dims), 0, never))
    after = generator.prior(3)
    assert same(before, after)
    assert before.final
    assert before.kind == generator.kind


@pytest.mark.parametrize("fault", ["short", "matrix", "nan"])
def test_what_is_no_latent_is_refused(made: tuple[Generator, int], fault: str) -> None:
    generator, n_dims = made
    vector = vector_of(n_dims)
    bad = {"short": vector[1:], "matrix": vector[None], "nan": vector * np.nan}[fault]
    with pytest.raises(ConfigError, match=rf"takes finite vectors of shape \({n_dims},\), got"):
        list(generator.preview(bad, 0, never))


def test_it_says_what_it_is(made: tuple[Generator, int]) -> None:
    generator, _ = made
    assert generator.name.partition(":")[0] in OPENERS
    assert generator.kind in {"generated", "retrieved"}
    assert len(bytes.fromhex(generator.hash)) == 32
    assert generator.space


@pytest.mark.parametrize("name", ["", "painter", "Retrieve:x"])
def test_an_unknown_generator_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"is unknown; the kinds are .*retrieve") as error:
        open_generator(name, space="minilm")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4), (0, 4, 3)])
def test_a_picture_checks_its_pixels(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="pixels must be uint8"):
        Picture(np.zeros(shape, np.uint8), "generated", 1, 1, "x")
    with pytest.raises(ValueError, match="step must be 1 to n_steps, got 3 of 2"):
        Picture(np.zeros((4, 4, 3), np.uint8), "generated", 3, 2, "x")


def test_nothing_of_diffusers_is_needed_to_know_the_kinds(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no picture"):
        open_generator(f"retrieve:{tmp_path}", space="minilm")
