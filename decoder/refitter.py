"""Learns from labelled trials beside a session, and says when what it learnt decodes better.

No thread, process or file: trials in, outcomes out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from decoder.readout import RetrievalReadout
from decoder.recentre import Recentring
from decoder.shadow import ENOUGH, Paired
from models.checkpoint import Model
from models.conformal import odds_of
from models.latent import Latent
from models.lineage import Span, joined, sessions_of, window_hashes
from models.refit import HALF_LIFE, add_trial, solved
from models.retrieval import directions, fit_temperature, similarities
from models.ridge import RidgeEncoder
from models.usual import length_of
from streaming.errors import ModelError

__all__ = ["Outcome", "Refitter", "Trial"]

N_FRESH = 40
"""Trials that are learnt before what was learnt is tried."""

N_LEAST = 50
"""Trials of a shadow test at the least: a temperature is fitted to them."""

N_MOST = 200
"""Trials of a shadow test at the most. What has not proved better by then is dropped, since
something newer has been learnt meanwhile."""


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """A window that was decoded, and what was shown in it.

    Parameters
    ----------
    data : array of shape (n_channels, n_times)
        What the encoder got.
    shown : str
        The candidate that was shown; or decoded, if `rank` is 0.
    rank : int
        Place of the truth in the decode, from 1; 0 where none is known.
    span : tuple of float
        From when to when it lay, in seconds on the LSL clock.
    recentred : bool
        Whether the latent that was ranked had been recentred.
    """

    data: NDArray[np.float32]
    shown: str
    rank: int
    span: Span = (0.0, 0.0)
    recentred: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """Something that is to be said.

    Parameters
    ----------
    state : str
        ``"started"``, ``"shadow"``, ``"swapped"`` or ``"refused"``.
    detail : str
        One line for a person.
    model : Model or None
        What shall decode from now on.
    """

    state: str
    detail: str
    model: Model | None = None


@dataclass(slots=True, eq=False)
class _Shadow:
    encoder: RidgeEncoder
    centre: NDArray[np.float32]
    readout: RetrievalReadout
    toward: NDArray[np.float32]
    recentring: Recentring | None
    paired: Paired
    similarity: list[NDArray[np.float32]]
    lengths: list[float]
    truth: list[int]


class Refitter:
    """A ridge that learns, and now and then a copy of it that is tried.

    The copy decodes each labelled trial before its label is looked at, beside the model that
    decodes for all, from whose place of the truth its own is told apart. It takes over if a
    sign test says that it is better (`decoder.shadow`), and is dropped if it is worse or not
    better within `N_MOST` trials.

    Only what calibration had shown is learnt: a concept that counts as never seen stays so.
    Latents of the copy are recentred as long as those of the model are.

    Parameters
    ----------
    model : Model
        That decodes.
    session : str
        That the trials are of: what it learnt there is never scored.

    Raises
    ------
    ModelError
        If it cannot go on learning.
    """

    def __init__(self, model: Model, session: str = "") -> None:
        if not isinstance(model.encoder, RidgeEncoder):
            msg = (
                f"an encoder of the kind {model.encoder.kind} cannot be refitted while it "
                "decodes, a ridge can: fit one with --encoder ridge"
            )
            raise ModelError(msg)
        if model.sums is None:
            msg = (
                "the model is of an older version and keeps no sums to go on from: fit it anew"
            )
            raise ModelError(msg)
        if model.stages:
            msg = (
                f"a model of {len(model.stages) + 1} latencies has an encoder for each, only "
                "the last could go on learning: fit one with one latency"
            )
            raise ModelError(msg)
        self.model = model
        self._encoder, self._sums = model.encoder, model.sums
        self._index = {name: n for n, name in enumerate(model.candidates.ids)}
        self._n_fresh = 0
        self._session = session
        self._n_learnt = 0
        self._used: list[tuple[int, Span]] = []
        self._shadow: _Shadow | None = None

    def take(self, trial: Trial) -> list[Outcome]:
        """Decode a trial in the shadow, then learn from it; return what is to be said."""
        truth = self._index.get(trial.shown)
        if truth is None:
            return []
        trained = self.model.candidates.trained[truth]
        tried = self._shadow is not None and trial.rank > 0
        if tried or trained:
            self._used.append((int(window_hashes(trial.data[None])[0]), trial.span))
        said: list[Outcome] = []
        if self._shadow is not None and tried:
            self._try(self._shadow, trial, truth)
            said += self._judge(self._shadow)
        if not trained:
            return said
        target = self.model.candidates.vectors[truth]
        self._sums = add_trial(self._sums, self._encoder, trial.data, target)
        self._n_fresh += 1
        self._n_learnt += 1
        if self._shadow is None and self._n_fresh >= N_FRESH:
            said.append(self._begin())
        return said

    def _begin(self) -> Outcome:
        encoder = solved(self._sums, self._encoder)
        candidates, centre = self.model.candidates, encoder.intercept
        self._shadow = _Shadow(
            encoder,
            centre,
            RetrievalReadout(candidates, centre, self.model.temperature),
            directions(candidates.vectors, centre),
            None,
            Paired(),
            [],
            [],
            [],
        )
        detail = (
            f"a model refitted to {self._n_fresh} more trials decodes in the shadow for up to "
            f"{N_MOST} labelled ones"
        )
        self._n_fresh = 0
        return Outcome("shadow", detail)

    def _try(self, shadow: _Shadow, trial: Trial, truth: int) -> None:
        vector = shadow.encoder.encode_data(trial.data)
        if not trial.recentred:
            shadow.recentring = None
        elif shadow.recentring is None:
            usual = self.model.usual
            longest = usual[-1].length if usual else np.inf
            shadow.recentring = Recentring(shadow.centre.astype(np.float64), longest)
        if shadow.recentring is not None:
            vector = shadow.recentring(vector)
        latent = Latent(vector, self.model.space, 0.0, "")
        if self.model.candidates.trained[truth]:
            shadow.paired.add(shadow.readout.rank(latent).rank_of(truth), trial.rank)
        shadow.similarity.append(similarities(shadow.toward, shadow.centre, vector))
        shadow.lengths.append(length_of(vector, shadow.centre))
        shadow.truth.append(truth)

    def _judge(self, shadow: _Shadow) -> list[Outcome]:
        paired = shadow.paired
        counts = (
            f"better on {paired.n_better} of {paired.n} trials, worse on {paired.n_worse}, "
            f"evidence {paired.better:.3g}"
        )
        if paired.better >= ENOUGH and paired.n >= N_LEAST:
            self.model = self._made(shadow)
            self._encoder = shadow.encoder
            self._shadow, self._used, self._n_learnt = None, [], 0
            n_sets = {name: len(odds) for name, odds in self.model.conformal.items()}
            detail = (
                f"model {self.model.model_id[:16]}, refitted, decodes: it was {counts}; its "
                f"sets rest on {n_sets['closed_set']} trials of what calibration had shown, "
                f"and {n_sets.get('zero_shot', 0)} of others"
            )
            return [Outcome("swapped", detail, self.model)]
        if paired.worse >= ENOUGH or paired.n >= N_MOST:
            self._shadow = None
            detail = f"the refitted model is dropped: it was {counts}"
            return [Outcome("refused", detail)]
        return []

    def _made(self, shadow: _Shadow) -> Model:
        """Return what takes over, with temperature and sets of the trials it was tried on."""
        model, paired = self.model, shadow.paired
        similarity, truth = np.stack(shadow.similarity), np.array(shadow.truth)
        trained = np.array(model.candidates.trained)[truth]
        temperature = fit_temperature(similarity[trained], truth[trained])
        odds = {
            name: odds_of([similarity[rows]], truth[rows], [temperature])
            for name, rows in (("closed_set", trained), ("zero_shot", ~trained))
            if rows.any()
        }
        reference = model.reference
        if reference is not None:
            moved = reference.mean + (shadow.centre.astype(np.float64) - model.centre)
            reference = replace(reference, mean=moved)
        # Fitted to more it may answer with longer latents, of which these were unusual to none.
        longest = max(shadow.lengths)
        usual = tuple(replace(u, length=max(u.length, longest)) for u in model.usual)
        spans = [(round(a, 3), round(b, 3)) for _, (a, b) in self._used]
        sessions = sessions_of(model)
        sessions[self._session] = joined(sessions.get(self._session, ()), spans)
        refit = {
            "from": model.model_id,
            "half_life": HALF_LIFE,
            "session": self._session,
            "n_learnt": self._n_learnt,
            "n_tried": paired.n,
            "n_better": paired.n_better,
            "n_worse": paired.n_worse,
            "evidence": round(paired.better, 3),
        }
        return replace(
            model,
            encoder=shadow.encoder,
            centre=shadow.centre,
            temperature=temperature,
            training={**model.training, "refit": refit, "sessions": sessions},
            scores={},
            conformal=odds,
            repeats=(),
            reference=reference,
            usual=usual,
            sums=self._sums,
            seen=np.union1d(model.seen, np.array([n for n, _ in self._used], np.uint64)),
        )
