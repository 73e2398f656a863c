"""Which source a configuration means."""

from __future__ import annotations

from decoder.config import SourceConfig
from streaming.errors import ConfigError
from streaming.fieldtrip_protocol import Address
from streaming.sources.lsl import LslSource
from streaming.sources.source import Source, Tap

__all__ = ["open_source"]


def open_source(config: SourceConfig, tap: Tap | None) -> Source:
    """Open LSL streams, or a FieldTrip buffer.

    Raises
    ------
    ConfigError
        If both are meant, the address is none, or a package is missing.
    SourceError
        If what is meant is not there, or cannot be used.
    """
    if config.address is None:
        return LslSource.open(
            name=config.name,
            type=config.type,
            source_id=config.source_id,
            markers=config.markers or None,
            unit=config.unit,
            timeout=config.timeout,
            tap=tap,
        )
    address = Address.parse(config.address)
    if config.name or config.type or config.source_id or config.markers:
        msg = (
            f"{address} is a buffer: --name, --type, --source-id and --markers are for LSL; "
            f"leave them out"
        )
        raise ConfigError(msg)
    from streaming.sources.fieldtrip import FieldTripSource

    return FieldTripSource.open(address, unit=config.unit, timeout=config.timeout, tap=tap)
