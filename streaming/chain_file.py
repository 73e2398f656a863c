"""A chain that the user chooses, as a file."""

from __future__ import annotations

from pathlib import Path

import yaml

from streaming.chain import Chain
from streaming.errors import ConfigError

__all__ = ["chain_to_yaml", "read_chain"]

_BEGINNING = ("pick", "watch", "repair")


def read_chain(path: Path) -> Chain:
    """Read a chain from a YAML file: a list of transforms with settings, as in ``model.json``.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    ConfigError
        If it cannot be read, names a transform or setting that there is not, or does not
        begin with `pick`, `watch` and `repair`: without them the model would read whatever
        channels come, a dead amplifier would be decoded, and one sample that is no number
        would stay in the filters for good.
    """
    try:
        steps = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        msg = f"cannot read the chain {path}: {error}"
        raise ConfigError(msg) from error
    except yaml.YAMLError as error:
        msg = f"{path} is no YAML: {' '.join(str(error).split())}"
        raise ConfigError(msg) from error
    if not isinstance(steps, list):
        msg = f"{path} must be a list of transforms, such as `- {{transform: repair}}`"
        raise ConfigError(msg)
    try:
        chain = Chain.from_json(steps)
    except ConfigError as error:
        msg = f"{path}: {error}"
        raise ConfigError(msg) from error
    begins = tuple(step["transform"] for step in chain.to_json()[: len(_BEGINNING)])
    if begins != _BEGINNING:
        msg = (
            f"{path} begins with {', '.join(begins) or 'nothing'}; begin with "
            f"{', '.join(_BEGINNING)}, so that channels are those of the model, bad ones are "
            "noticed, and no filter gets what is no number"
        )
        raise ConfigError(msg)
    return chain


def chain_to_yaml(chain: Chain) -> str:
    """Return a chain as the text of a file that `read_chain` reads."""
    steps = [
        {key: list(value) if isinstance(value, tuple) else value for key, value in step.items()}
        for step in chain.to_json()
    ]
    text: str = yaml.safe_dump(
        steps, sort_keys=False, default_flow_style=None, allow_unicode=True, width=96
    )
    return text
