"""A model at work on a stream: its chain, its windows, its encoder."""

from __future__ import annotations

import json
from dataclasses import replace

from models.checkpoint import Model
from models.latent import Latent
from streaming.chain import Chain, with_watch
from streaming.errors import StreamMismatch
from streaming.resample import RATE_TOLERANCE
from streaming.signal import Chunk, Marker, SignalSpec, Window
from streaming.watch import Watch
from streaming.window import LockedWindows, Windower, Windowing, Withheld

__all__ = ["Pipeline", "split_before_scaling"]


class Pipeline:
    """From samples to windows and latents, by one model.

    Parameters
    ----------
    model : Model
        Whose.
    spec : SignalSpec
        What the source delivers.
    first_trigger : int
        Where the indices in decode ids begin.

    Attributes
    ----------
    model : Model
        Whose it is now; see `swapped`.
    stream_spec : SignalSpec
        Of the source.
    spec : SignalSpec
        The same at the rate of the model.
    signal_spec : SignalSpec
        Of the samples before scaling: what pages draw.
    settling, delay : float
        Of the chain, in seconds.
    factor : float
        Raw samples for one after the chain: a whole number but for a rational resampling.
    locked : bool
        Whether windows are cut around markers.
    latencies : tuple of float or None
        How long after its marker the window of each revision ends, in seconds; None if it
        slides.
    watch : Watch or None
        What judges the channels.

    Raises
    ------
    StreamMismatch
        If the stream is not the one the model was made for: another rate, or channels missing.
    """

    def __init__(self, model: Model, spec: SignalSpec, first_trigger: int = 0) -> None:
        model.check_live()
        if abs(spec.sfreq / model.spec.sfreq - 1) > RATE_TOLERANCE:
            msg = (
                f"the stream has {spec.sfreq:g} Hz but the model was made for "
                f"{model.spec.sfreq:g} Hz; set the amplifier to {model.spec.sfreq:g} Hz or fit "
                f"a model on recordings at {spec.sfreq:g} Hz"
            )
            raise StreamMismatch(msg)
        self.model = model
        self.stream_spec = spec
        self.spec = replace(spec, sfreq=model.spec.sfreq)
        chain = with_watch(model.chain())
        chain.prepare(self.spec)
        self.settling = chain.settling
        self.delay = round(chain.delay, 6)
        self._filters, self._rest = split_before_scaling(chain)
        self.signal_spec = self._filters.prepare(self.spec)
        spec_out = self._rest.prepare(self.signal_spec)
        self._windower = Windower(
            model.windowing, self.spec, spec_out, self.settling, first_trigger
        )
        self.factor = round(self.spec.sfreq / spec_out.sfreq, 6)
        windowing = model.windowing
        self.locked = isinstance(windowing, LockedWindows)
        self.latencies: tuple[float | None, ...] = (
            windowing.ends if isinstance(windowing, LockedWindows) else (None,)
        )
        self.watch = next((s for s in self._filters.steps if isinstance(s, Watch)), None)

    def swapped(self, model: Model) -> Pipeline:
        """Return what decodes with another model from the next window on.

        Where its chain and its windows are the same, the filters go on, and nothing has to
        settle; else it begins with the next sample.

        Parameters
        ----------
        model : Model
            The other.

        Raises
        ------
        StreamMismatch
            If the stream does not fit it.
        """
        if _signal_of(model) == _signal_of(self.model):
            self.model = model
            return self
        return Pipeline(model, self.stream_spec, self._windower.n_triggers)

    def filter(self, chunk: Chunk) -> Chunk:
        """Return what comes out before scaling."""
        return self._filters(chunk)

    def windows(self, filtered: Chunk) -> list[Window | Withheld]:
        """Return the windows that are decided on by what `filter` returned."""
        return self._windower.feed(self._rest(filtered))

    def mark(self, marker: Marker) -> list[Window | Withheld]:
        """Ask for the window around a marker."""
        return self._windower.mark(marker)

    def abandon(self) -> list[Withheld]:
        """Return the windows that markers asked for and that will not be cut any more."""
        return self._windower.abandon()

    def encode(self, window: Window) -> Latent:
        """Return the latent of a window."""
        return self.model.encode(window)


def _signal_of(model: Model) -> tuple[str, Windowing, SignalSpec]:
    """Return all that windows depend on, as a model folder has it."""
    return json.dumps(model.transforms), model.windowing, model.spec


def split_before_scaling(chain: Chain) -> tuple[Chain, Chain]:
    """Cut a chain before its running scale: what the first part gives is still in SI units."""
    steps = chain.to_json()
    names = [step["transform"] for step in steps]
    cut = names.index("scale") if "scale" in names else len(steps)
    return Chain.from_json(steps[:cut]), Chain.from_json(steps[cut:])
