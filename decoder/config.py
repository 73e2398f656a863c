"""The settings of a service: read once, then handed down in sections."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from decoder.control import Source
from decoder.listening import is_loopback
from decoder.randomisation import UNDECLARED, Design
from streaming.errors import ConfigError
from streaming.timing import Timing

__all__ = [
    "AdaptationConfig",
    "BidsConfig",
    "Config",
    "PreviewConfig",
    "ServedModel",
    "ServerConfig",
    "SessionConfig",
    "SourceConfig",
]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SourceConfig(_Section):
    """Which streams to decode.

    Parameters
    ----------
    address : str or None
        Where a FieldTrip buffer is, such as ``fieldtrip://127.0.0.1:1972``; None: LSL.
    streams : tuple of str
        Name or source_id of each signal; several are joined, at the instants of the first.
    name, type, source_id : str or None
        Without `streams`, what the signal's LSL stream must have; whatever is not given may be
        anything.
    predicate : str or None
        LSL's own query (XPath 1.0) beside that, such as ``"starts-with(name, 'Bio')"``.
    markers : tuple of str
        Names of the marker streams; none: every stream of type ``Markers`` of the machines that
        send the signal, and of our own.
    aux : tuple of str
        Names of streams that are recorded and not decoded.
    trigger_channel : str or None
        The channel whose triggers are taken as markers.
    trigger_mask : int or None
        The bits of it that count; None: all.
    unit : str or None
        Unit of the samples where the stream does not say.
    timeout : float
        How long to look for the streams, in seconds.
    max_lag : float
        Seconds of signal that may wait for the decoder before the oldest is dropped.
    """

    address: str | None = None
    streams: tuple[str, ...] = ()
    name: str | None = None
    type: str | None = None
    source_id: str | None = None
    predicate: str | None = None
    markers: tuple[str, ...] = ()
    aux: tuple[str, ...] = ()
    trigger_channel: str | None = None
    trigger_mask: int | None = Field(default=None, gt=0)
    unit: str | None = None
    timeout: float = Field(default=10.0, ge=0)
    max_lag: float = Field(default=2.0, gt=0)


Label = Annotated[str, Field(pattern=r"^[A-Za-z0-9]+$")]
"""A label as BIDS has it."""


class BidsConfig(_Section):
    """What the recording will be called in a BIDS dataset; letters and digits only.

    Parameters
    ----------
    subject, session : str or None
        Who, and which visit.
    task : str
        What the participant does.
    run : str or None
        Which recording of the visit; digits.
    """

    subject: Label | None = None
    session: Label | None = None
    task: Label = "decoding"
    run: Annotated[str, Field(pattern=r"^[0-9]+$")] | None = None

    @classmethod
    def of(cls, **labels: str | None) -> BidsConfig:
        """Make it of what was said; what is None was not.

        Raises
        ------
        ConfigError
            If a label is not one.
        """
        try:
            return cls.model_validate({k: v for k, v in labels.items() if v is not None})
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            what, said = problem["loc"][0], problem["input"]
            allowed = "digits" if what == "run" else "letters and digits"
            msg = f"--{what} {said!r} is no BIDS label: use {allowed} only, such as 01"
            raise ConfigError(msg) from None


class ServedModel(_Section):
    """A model that a session may decode with.

    Parameters
    ----------
    name : str
        Of the folder that it was given as.
    id : str
        The model's own.
    """

    name: str
    id: str


class SessionConfig(_Section):
    """How to decode and what to keep.

    Parameters
    ----------
    freshness : float
        Seconds after its newest sample at which a decode is stale.
    record : Path or None
        Folder that gets a folder for each session; None: nothing is kept.
    models : tuple of ServedModel
        What it can decode with; the first does.
    stop_file : Path or None
        Stops the session when it is there.
    stop_markers : tuple of str
        Markers that stop it, by the models' tables of stimuli.
    risk, max_set, stop_at_risk
        How sure a decode has to be; see `decoder.uncertainty.Uncertainty`.
    design : Design
        How stimuli follow one another, for the evidence.
    """

    freshness: float = Field(default=1.0, gt=0)
    record: Path | None = Path("sessions")
    models: tuple[ServedModel, ...] = ()
    stop_file: Path | None = None
    stop_markers: tuple[str, ...] = ()
    risk: float | None = None
    max_set: int | None = None
    stop_at_risk: float | None = None
    design: Design = UNDECLARED


class AdaptationConfig(_Section):
    """How decoding follows slow changes of the signal.

    Parameters
    ----------
    recentre : bool
        Follow the mean of what is decoded; see `decoder.recentre`.
    refit : bool
        Learn from labelled trials beside decoding; see `decoder.refitter`.
    learn_from : str
        ``"labels"``: what markers say was shown. ``"decodes"``: where none does, also what was
        decoded itself.
    """

    recentre: bool = False
    refit: bool = False
    learn_from: Source = "labels"

    @classmethod
    def of(cls, wanted: str, learn_from: str = "labels") -> AdaptationConfig:
        """Make it of names with commas between them, and of what is learnt from.

        Raises
        ------
        ConfigError
            If one is unknown.
        """
        if learn_from not in get_args(Source):
            there = " and ".join(get_args(Source))
            msg = f"--learn-from {learn_from} is unknown; there is {there}"
            raise ConfigError(msg)
        names = [name.strip() for name in wanted.split(",") if name.strip()]
        known = [name for name, f in cls.model_fields.items() if f.annotation is bool]
        for name in names:
            if name not in known:
                msg = f"--adapt {name} is unknown; there is {' and '.join(known)}"
                raise ConfigError(msg)
        return cls.model_validate({**dict.fromkeys(names, True), "learn_from": learn_from})


class PreviewConfig(_Section):
    """Pictures of decodes.

    Parameters
    ----------
    generator : str
        What makes them; see `models.generator`. Empty: nothing does.
    adapter : str
        Folder of what leads from the decoder's space to the generator's; see `models.adapter`.
        Empty: nothing does.
    device, dtype : str
        What a network computes on (``cpu``, ``cuda``, ``mps``) and with (``float32``,
        ``float16``, ``bfloat16``).
    deadline : float
        Seconds after its text at which a picture is not worth making any more.
    """

    generator: str = ""
    adapter: str = ""
    device: str = "cpu"
    dtype: str = "float32"
    deadline: float = Field(default=2.0, gt=0)


class ServerConfig(_Section):
    """Where clients connect.

    Parameters
    ----------
    host : str
        Address to listen on. Any other than loopback sends decodes unencrypted.
    port : int
        0 takes a free one.
    names : tuple of str
        Names by which clients call this machine, beside `host`.
    tls_cert, tls_key : Path or None
        Certificate and key, as PEM files: all is encrypted.
    insecure : bool
        Listen on another address than loopback and encrypt nothing.
    tokens : Path or None
        File of tokens, of ``braincast token``.
    open_viewer : bool
        Let a viewer in without a token; for a simulated participant only.

    Raises
    ------
    ConfigError
        If decodes would go over a network unencrypted without that being asked for, or if no
        client could reach it.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    names: tuple[str, ...] = ()
    tls_cert: Path | None = None
    tls_key: Path | None = None
    insecure: bool = False
    tokens: Path | None = None
    open_viewer: bool = False

    @model_validator(mode="after")
    def _is_safe(self) -> ServerConfig:
        if (self.tls_cert is None) != (self.tls_key is None):
            msg = "--tls-cert and --tls-key belong together: give both, or neither"
            raise ConfigError(msg)
        if is_loopback(self.host):
            return self
        if self.tls_cert is None and not self.insecure:
            msg = (
                f"--host {self.host} is not this machine alone, and nothing is encrypted: give "
                "--tls-cert and --tls-key, or leave --host and put a proxy in front (see "
                "docs/how-to/deploy.md); --insecure sends tokens and decodes in the clear"
            )
            raise ConfigError(msg)
        if self.host in {"0.0.0.0", "::"} and not self.names:  # noqa: S104 - it is refused
            msg = (
                f"--host {self.host} is no name that clients could call: say by which they do, "
                "as in --allow-host lab-pc.example"
            )
            raise ConfigError(msg)
        return self


class Config(_Section):
    """All settings of a service.

    Parameters
    ----------
    source, session, adaptation, preview, bids, server
        Sections.
    timing : Timing or None
        What is applied to markers and latency.
    simulated : dict or None
        Who is simulated; None for a real participant.
    """

    source: SourceConfig = SourceConfig()
    session: SessionConfig = SessionConfig()
    adaptation: AdaptationConfig = AdaptationConfig()
    preview: PreviewConfig = PreviewConfig()
    bids: BidsConfig = BidsConfig()
    timing: Timing | None = None
    server: ServerConfig = ServerConfig()
    simulated: dict[str, str | int] | None = None

    @classmethod
    def from_yaml(cls, text: str) -> Config:
        """Read what `to_yaml` wrote."""
        return cls.model_validate(yaml.safe_load(text))

    def to_yaml(self) -> str:
        """Return the settings as they are kept with a session."""
        text: str = yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)
        return text
