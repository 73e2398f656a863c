"""Decodes, sent over LSL."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streaming.outlet import Desc, Outlet, StreamDescription, source_id_for

__all__ = ["DecodeOutlet"]


class DecodeOutlet:
    """What was decoded, on LSL: two streams, of irregular rate.

    `name` has two channels of strings: the best text, empty where nothing was decoded, and the
    whole decode in JSON. Its type is ``Decodes``, and not ``Markers``, so that nobody takes
    them for markers of an experiment. `name` + `` latents`` has a float32 channel for each
    dimension of the embedding space; it appears with the first latent, and anew when another
    model decodes.

    Parameters
    ----------
    name : str
        Name of the streams.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        kinds = tuple(("channel", (("label", label),)) for label in ("text", "json"))
        desc: Desc = (("manufacturer", "braincast"), ("channels", kinds))
        self._decodes = Outlet(
            StreamDescription(
                name, "Decodes", 2, 0.0, "string", source_id_for(name, "decodes"), desc
            )
        )
        self._latents: Outlet | None = None
        self._model = ""

    def push_decode(self, text: str, line: str, t: float) -> None:
        """Send a decode: its best text, and all of it in JSON.

        Parameters
        ----------
        text, line : str
            Both channels.
        t : float
            When its newest sample was taken, in seconds on the LSL clock.
        """
        self._decodes.push([[text, line]], np.array([t]))

    def push_latent(
        self, vector: NDArray[np.float32], space: str, model_id: str, t: float
    ) -> None:
        """Send a latent.

        Parameters
        ----------
        vector : array of shape (n_dims,)
            Coordinates in `space`.
        space, model_id : str
            Where it is, and which model made it.
        t : float
            When its newest sample was taken, in seconds on the LSL clock.
        """
        if self._latents is None or self._model != model_id:
            if self._latents is not None:
                self._latents.close()
            self._model, name = model_id, f"{self._name} latents"
            desc: Desc = (("manufacturer", "braincast"), ("space", space), ("model", model_id))
            source_id = source_id_for(self._name, "latents")
            self._latents = Outlet(
                StreamDescription(name, "Latent", len(vector), 0.0, "float32", source_id, desc)
            )
        self._latents.push(vector[None], np.array([t]))

    def wait_for_consumer(self, timeout: float) -> bool:
        """Wait until somebody receives the decodes and return whether anybody does."""
        return self._decodes.wait_for_consumer(timeout)

    def close(self) -> None:
        """Take both streams off the network."""
        self._decodes.close()
        if self._latents is not None:
            self._latents.close()
