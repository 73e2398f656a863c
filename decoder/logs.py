"""What commands log: for people by default, as lines of JSON for machines on request."""

from __future__ import annotations

import json
import logging
import os
import traceback
from datetime import UTC, datetime

from rich.logging import RichHandler

from decoder.console import err
from streaming.errors import ConfigError

__all__ = ["FORMAT_VARIABLE", "LEVEL_VARIABLE", "JsonLines", "configure"]

FORMAT_VARIABLE = "BRAINCAST_LOG"
"""``human`` or ``json``. An environment variable, since a service is several processes."""

LEVEL_VARIABLE = "BRAINCAST_LOG_LEVEL"

_LEVELS = ("debug", "info", "warning", "error")


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, process, message, traceback if any."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        time = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, str | int] = {
            "time": time.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process or 0,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = "".join(traceback.format_exception(*record.exc_info))
        return json.dumps(line, ensure_ascii=False)


def configure() -> None:
    """Log to standard error, as the environment asks for.

    Raises
    ------
    ConfigError
        If it asks for what there is not.
    """
    style = _chosen(FORMAT_VARIABLE, ("human", "json"), "human")
    level = _chosen(LEVEL_VARIABLE, _LEVELS, "warning")
    handler: logging.Handler
    if style == "json":
        handler = logging.StreamHandler()
        handler.setFormatter(JsonLines())
    else:
        handler = RichHandler(console=err)
        handler.setFormatter(logging.Formatter("%(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler])


def _chosen(variable: str, known: tuple[str, ...], default: str) -> str:
    said = os.environ.get(variable) or default
    if said not in known:
        msg = f"{variable}={said} is not known: set it to one of {', '.join(known)}"
        raise ConfigError(msg)
    return said
