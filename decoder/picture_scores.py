"""How good pictures of decodes are, beside pictures that no decode had part in.

A generator knows what pictures look like, so that what it makes of nothing already resembles
what was shown: on a white ground, say. Only what decodes score above that tells of the brain.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from decoder.evaluation import Protocol, cells_of
from decoder.metrics import mean_draws
from decoder.pictures import correlations, grey, square, ssim, two_way
from decoder.picturing import Made, PictureSettings, Seen
from decoder.resampling import Resamples, Score, bootstrap
from models.generator import Kind
from models.heldout import HeldOut

__all__ = ["PictureScores", "Pictures", "score_pictures"]

Tell = Callable[[float], None]
"""What is told the share that is done."""

_N_OTHERS = 10  # other trials of a run that tell chance, for each trial
_SEED = 1


@dataclass(frozen=True, slots=True)
class PictureScores:
    """How like what was shown some pictures are.

    Parameters
    ----------
    name : str
        Which pictures.
    what : str
        What they were made of, in a sentence.
    pix_corr, ssim : Score
        PixCorr and structural similarity (`decoder.pictures`), means over trials. Chance: the
        same pictures beside what was shown in other trials of the run.
    two_way : Score
        Share of the other pictures of the pool that the truth beats, by an embedding.
    """

    name: str
    what: str
    pix_corr: Score
    ssim: Score
    two_way: Score


@dataclass(frozen=True, slots=True)
class Pictures:
    """How good pictures of decodes are, beside pictures that no decode had part in.

    Parameters
    ----------
    protocol : str
        ``"closed_set"`` or ``"zero_shot"``, as of the decodes; never compared.
    generator : str
        What made them.
    kind : str
        ``"generated"`` or ``"retrieved"``.
    hashes : tuple of str
        Of its weights or its gallery, for each fold.
    space : str
        Embedding of pictures that two-way identification is by.
    side : int
        Side at which pixels were compared.
    n, n_of : int
        Trials that were pictured, and how many there were: drawn by lot before anything was
        made, each thing as often as the others, and from all runs.
    n_groups : int
        Runs they come from.
    pool : int
        Pictures to tell apart (the median, where folds differ).
    clusters : str
        What the bootstrap resamples.
    scores : tuple of PictureScores
        ``"decoded"``, and beside it ``"true latent"`` (what a perfect decoder would get),
        ``"prior only"`` and ``"other trials"``.
    beyond_prior : PictureScores
        By how much ``"decoded"`` is above ``"prior only"`` in the same trials. Chance is 0.
    sheet : str
        File with the contact sheet, beside the document.
    """

    protocol: Protocol
    generator: str
    kind: Kind
    hashes: tuple[str, ...]
    space: str
    side: int
    n: int
    n_of: int
    n_groups: int
    pool: int
    clusters: str
    scores: tuple[PictureScores, ...]
    beyond_prior: PictureScores
    sheet: str


def score_pictures(
    held_out: HeldOut,
    made: Made,
    seen: Seen,
    settings: PictureSettings,
    sheet: str,
    tell: Tell = lambda _: None,
) -> Pictures:
    """Compare what was made with what was shown.

    Parameters
    ----------
    held_out : HeldOut
        All trials.
    made : Made
        Pictures of some of them.
    seen : Seen
        What was shown.
    settings : PictureSettings
        What made them.
    sheet : str
        Name of the contact sheet.
    tell : callable
        Told the share that is done.
    """
    rows = made.rows
    where = {name: n for n, name in enumerate(seen.files)}
    shown = np.array([where.get(name, -1) for name in held_out.stim_files])
    pools = _pools(held_out, shown, len(seen.files))[held_out.fold[rows]]
    others = _others(held_out, shown, rows)
    resamples = bootstrap(
        held_out.truth[rows],
        held_out.groups[rows],
        held_out.t[rows],
        [held_out.stim_files[row] for row in rows],
        cross_validated=len(held_out.pools) > 1,
    )
    parts = {
        "decoded": ("the latent of each trial, by models that never saw it", made.decoded),
        "true latent": (
            "where what was shown lies: what a perfect decoder would get",
            made.true,
        ),
        "prior only": ("no latent: the same generator and seeds", made.prior),
    }
    values: dict[str, _Values] = {}
    for number, (name, (_, pictures)) in enumerate(parts.items()):
        values[name] = _compare(pictures, seen, shown[rows], others, pools)
        tell((number + 1) / len(parts))
    decoded, prior = values["decoded"], values["prior only"]
    swapped = replace(decoded, own=decoded.others[:, :, 0])
    beyond = _Values(decoded.own - prior.own, decoded.others - prior.others)
    scores = [values[name].scores(name, what, resamples) for name, (what, _) in parts.items()]
    other = "as decoded, beside what was shown in another trial of the same run"
    scores.append(swapped.scores("other trials", other, resamples))
    above = "by how much decoded is above prior only"
    return Pictures(
        protocol=held_out.protocol,
        generator=settings.generator,
        kind=made.kind,
        hashes=made.hashes,
        space=settings.space,
        side=seen.pictures.shape[1],
        n=len(rows),
        n_of=len(held_out.truth),
        n_groups=len(np.unique(held_out.groups[rows])),
        pool=int(np.median(pools.sum(axis=1))),
        clusters=resamples.clusters,
        scores=tuple(scores),
        beyond_prior=beyond.scores("beyond the prior", above, resamples, rise=True),
        sheet=sheet,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Values:
    """PixCorr, SSIM and two-way share of trials: own (3, n), others (3, n, n_others)."""

    own: NDArray[np.float64]
    others: NDArray[np.float64]

    def scores(
        self, name: str, what: str, resamples: Resamples, *, rise: bool = False
    ) -> PictureScores:
        """Return means with intervals; of differences, chance is 0."""
        found = []
        for n, low in enumerate((-1.0, -1.0, -1.0 if rise else 0.0)):
            own = self.own[n]
            chance = 0.0 if rise else float(self.others[n].mean())
            interval = resamples.interval(mean_draws(own, resamples), (low, 1.0))
            found.append(Score(float(own.mean()), chance, *interval))
        return PictureScores(name, what, *found)


def _compare(
    pictures: Sequence[NDArray[np.uint8]],
    seen: Seen,
    truth: NDArray[np.intp],
    others: NDArray[np.intp],
    pools: NDArray[np.bool_],
) -> _Values:
    """Compare pictures with what was shown, and with what was shown in other trials."""
    side = seen.pictures.shape[1]
    squares = np.stack([square(pixels, side) for pixels in pictures])
    embedded = np.concatenate([seen.space.embed([_png(pixels)]) for pixels in pictures])
    n, m = len(squares), len(seen.files)
    pixels = correlations(squares.reshape(n, -1), seen.pictures.reshape(m, -1))
    identified = two_way(embedded, seen.embedded, pools)
    beside = np.column_stack([truth, others])  # (n, 1 + n_others)
    structure = np.zeros(beside.shape)
    greys = {number: grey(seen.pictures[number]) for number in np.unique(beside).tolist()}
    for row, picture in enumerate(squares):
        made = grey(picture)
        distinct, again = np.unique(beside[row], return_inverse=True)
        likeness = [ssim(made, greys[number]) for number in distinct.tolist()]
        structure[row] = np.array(likeness)[again]
    trial = np.arange(n)[:, None]
    found = np.stack([pixels[trial, beside], structure, identified[trial, beside]])
    return _Values(found[:, :, 0], found[:, :, 1:])


def _pools(held_out: HeldOut, shown: NDArray[np.intp], n_files: int) -> NDArray[np.bool_]:
    """Return which pictures each fold tells apart, (n_folds, n_files): those of its pool."""
    pools = np.zeros((len(held_out.pools), n_files), bool)
    for file, candidate in zip(shown.tolist(), held_out.truth.tolist(), strict=True):
        if file >= 0:
            pools[:, file] |= held_out.pools[:, candidate]
    return pools


def _others(
    held_out: HeldOut, shown: NDArray[np.intp], rows: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Draw what was shown in other trials of the same run and fold, (n, n_others).

    Other trials may have shown the same. Where a trial is alone in its run and fold, what the
    fold's other trials showed stands in, and that of all trials where there are none.
    """
    rng = np.random.default_rng(_SEED)
    cells = cells_of(held_out)
    known = shown >= 0
    drawn = []
    for row in rows.tolist():
        beside = known & (np.arange(len(shown)) != row)
        near = (beside & (cells == cells[row]), beside & (held_out.fold == held_out.fold[row]))
        drawn.append(rng.choice(shown[next((m for m in near if m.any()), beside)], _N_OTHERS))
    return np.stack(drawn)


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """Return a picture as a file."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()
