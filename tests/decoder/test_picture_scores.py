from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from decoder.picture_scores import Pictures, _others, score_pictures
from decoder.picturing import PictureSettings, Seen, choose_trials, make_pictures, read_seen
from models.generator import OPENERS
from models.heldout import HeldOut
from tests.decoder.painter import Painter
from tests.decoder.shown import N_THINGS, predicted, save_shown, things

SIDE = 24


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shown")


@pytest.fixture(scope="module")
def seen(folder: Path) -> Seen:
    settings = save_shown(folder)
    return read_seen([f"{n}.png" for n in range(N_THINGS)], settings, folder, SIDE)


def scored(held_out: HeldOut, seen: Seen, monkeypatch: pytest.MonkeyPatch) -> Pictures:
    monkeypatch.setitem(OPENERS, "paint", Painter)
    settings = PictureSettings(generator="paint:", space=seen.space.name)
    centres = [things().vectors.mean(axis=0)] * len(held_out.pools)
    rows = choose_trials(held_out, seen.files, 96)
    made = make_pictures(held_out, things(), centres, rows, settings)
    return score_pictures(held_out, made, seen, settings, "pictures.png")


def test_a_good_decoder_is_above_the_prior(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    found = scored(predicted(0.05), seen, monkeypatch)
    decoded, true, prior, other = found.scores
    assert [row.name for row in found.scores] == [
        "decoded",
        "true latent",
        "prior only",
        "other trials",
    ]
    for name in ("pix_corr", "ssim"):
        assert getattr(true, name).value >= getattr(decoded, name).value > 0.5
        assert getattr(decoded, name).low > getattr(decoded, name).chance
        beyond = getattr(found.beyond_prior, name)
        assert beyond.low > 0
        assert beyond.value == pytest.approx(
            getattr(decoded, name).value - getattr(prior, name).value
        )
        low, high = getattr(other, name).low, getattr(other, name).high
        assert low < getattr(decoded, name).chance < high
    assert true.two_way.value > 0.9
    assert decoded.two_way.chance == pytest.approx(0.5, abs=0.05)
    assert prior.two_way.low < 0.5 < prior.two_way.high
    assert (found.n, found.n_of, found.pool, found.side) == (48, 48, N_THINGS, SIDE)
    assert found.protocol == "closed_set"
    assert found.clusters == "fifth of a run and stimulus"


def test_latents_that_know_nothing_are_at_chance(
    seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each picture is perfect, and shows what was seen in another trial."""
    held_out = predicted(0.0)
    other = np.random.default_rng(3).permutation(len(held_out.truth))
    wrong = replace(held_out, latents=held_out.latents[other])
    found = scored(wrong, seen, monkeypatch)
    decoded = found.scores[0]
    for score in (decoded.pix_corr, decoded.ssim, decoded.two_way):
        assert score.low < score.chance < score.high
    # a prior of grey is more like anything than a picture of the wrong thing
    assert found.beyond_prior.ssim.value < 0


def test_zero_shot_pictures_are_told_from_those_that_were_never_seen_only(
    seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    held_out = predicted(0.05)
    parts = held_out.truth % 3
    pools = np.arange(N_THINGS) % 3 == np.arange(3)[:, None]
    unseen = replace(held_out, protocol="zero_shot", fold=parts, pools=pools)
    found = scored(unseen, seen, monkeypatch)
    assert found.protocol == "zero_shot"
    assert found.pool == N_THINGS // 3


def test_chance_is_told_by_other_trials() -> None:
    """In a run where everything was shown once, none of them showed the same."""
    held_out = predicted(0.0)
    once = replace(held_out, groups=np.arange(len(held_out.truth)) // N_THINGS)
    shown = np.tile(np.arange(N_THINGS), len(once.truth) // N_THINGS)
    rows = np.arange(len(once.truth))
    others = _others(replace(once, fold=np.zeros_like(once.fold)), shown, rows)
    assert others.shape == (len(rows), 10)
    assert not (others == shown[:, None]).any()
    alone = replace(once, groups=rows, fold=np.zeros_like(once.fold))
    assert len(np.unique(_others(alone, shown, rows))) == N_THINGS
