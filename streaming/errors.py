"""What can go wrong that a user can mend.

Each message says what was found, what was expected and what to do, in one line. The command
line prints it without a traceback and exits with 2; anything else is a bug and shows one.

::

    BraincastError
    ├── ConfigError         a setting or an argument
    ├── SourceError         where samples come from
    │   ├── StreamNotFound  nothing answers to the description
    │   ├── StreamMismatch  the stream is not the one the model was made for
    │   └── UnitError       an amplitude whose unit is unknown
    ├── RecordingError      a file that cannot be read, or lacks what is needed
    ├── StimuliError        the table of stimuli
    ├── ModelError          a model folder
    ├── EvaluationError     a score that would not be honest
    └── SessionError        a session folder
"""

from __future__ import annotations

__all__ = [
    "BraincastError",
    "ConfigError",
    "EvaluationError",
    "ModelError",
    "RecordingError",
    "SessionError",
    "SourceError",
    "StimuliError",
    "StreamMismatch",
    "StreamNotFound",
    "UnitError",
]


class BraincastError(Exception):
    """A mistake that a user can mend; the message says how."""


class ConfigError(BraincastError):
    """A setting or an argument that cannot be used."""


class SourceError(BraincastError):
    """A source of samples that cannot be used."""


class StreamNotFound(SourceError):  # noqa: N818 - reads better where it is raised
    """No stream answers to the description."""


class StreamMismatch(SourceError):  # noqa: N818
    """A stream that is not the one a model was made for."""


class UnitError(SourceError):
    """An amplitude whose unit is unknown."""


class RecordingError(BraincastError):
    """A recording that cannot be read, or lacks what is needed."""


class StimuliError(BraincastError):
    """A table of stimuli that cannot be used."""


class ModelError(BraincastError):
    """A model folder that cannot be used."""


class EvaluationError(BraincastError):
    """A score that would not be honest."""


class SessionError(BraincastError):
    """A session folder that cannot be used."""
