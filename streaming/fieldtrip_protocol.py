"""What client and server of a FieldTrip buffer agree on (protocol version 1).

Source: "Low-level FieldTrip buffer TCP network protocol", fieldtriptoolbox.org.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from streaming.errors import ConfigError

__all__ = [
    "CHANNEL_NAMES",
    "NEUROMAG_HEADER",
    "RESOLUTIONS",
    "Address",
]

CHANNEL_NAMES = 1
"""Chunk of the header: names, each ended by a zero."""

RESOLUTIONS = 3
"""Chunk of the header: what to multiply each channel with, as doubles."""

NEUROMAG_HEADER = 8
"""Chunk of the header: a FIF file without samples."""

_SCHEME = "fieldtrip"
_DEFAULT_PORT = 1972


@dataclass(frozen=True, slots=True)
class Address:
    """Where a FieldTrip buffer is.

    Parameters
    ----------
    host : str
        Name or IP address.
    port : int
        TCP port; FieldTrip's own is 1972.
    """

    host: str
    port: int = _DEFAULT_PORT

    def __str__(self) -> str:
        """Return it as it is typed."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{_SCHEME}://{host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read an address.

        Raises
        ------
        ConfigError
            If it is not one.

        Examples
        --------
        >>> Address.parse("fieldtrip://meg-acq")
        Address(host='meg-acq', port=1972)
        """
        try:
            parts = urlsplit(text)
            port = _DEFAULT_PORT if parts.port is None else parts.port
        except ValueError:
            parts, port = urlsplit(""), 0
        if parts.scheme != _SCHEME or not parts.hostname or parts.path.strip("/"):
            msg = f"{text!r} is no address of a buffer: give one such as {cls('127.0.0.1')}"
            raise ConfigError(msg)
        return cls(parts.hostname, port)
