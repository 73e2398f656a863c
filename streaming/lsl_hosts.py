"""Whose streams are taken that nobody named: not those of the lab next door."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import pylsl

from streaming.lsl_streams import summarise

__all__ = ["Hosts"]

logger = logging.getLogger(__name__)


class Hosts:
    """Machines whose streams are taken; of every other stream it is said once that it is not.

    LSL shows all streams of a network. Markers of another experiment in it would become events
    of this session, and its impedances those of channels with the same names.

    Parameters
    ----------
    names : iterable of str
        The machines, as they call themselves.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.names = frozenset(names)
        self._said: set[str] = set()

    def takes(self, info: pylsl.StreamInfo) -> bool:
        """Whether a stream is of one of the machines."""
        if info.hostname() in self.names:
            return True
        if info.uid() not in self._said:
            self._said.add(info.uid())
            logger.warning(
                "%s of %s is not taken: it is of another machine than %s; if it belongs to the "
                "experiment, name it with --markers",
                summarise(info),
                info.hostname(),
                " and ".join(sorted(self.names)),
            )
        return False
