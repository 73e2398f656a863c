"""Which source a configuration means."""

from __future__ import annotations

from decoder.config import SourceConfig
from streaming.errors import ConfigError
from streaming.fieldtrip_protocol import Address
from streaming.sources.lsl import LslSource
from streaming.sources.source import Source, Tap
from streaming.triggers import TriggerChannel, TriggerSource

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
    trigger = config.trigger_channel
    if trigger is None and config.trigger_mask is not None:
        msg = "--trigger-mask is of a trigger channel: name it with --trigger-channel"
        raise ConfigError(msg)
    if config.address is None:
        described = (config.name, config.type, config.source_id, config.predicate)
        if config.streams and any(described):
            msg = (
                "--stream names the signals: leave out --name, --type, --source-id and "
                "--predicate"
            )
            raise ConfigError(msg)
        source: Source = LslSource.open(
            streams=config.streams,
            name=config.name,
            type=config.type,
            source_id=config.source_id,
            predicate=config.predicate,
            markers=config.markers or None,
            aux=config.aux,
            unit=config.unit,
            trigger=trigger,
            timeout=config.timeout,
            tap=tap,
        )
    else:
        source = _open_buffer(config, Address.parse(config.address), tap)
    if trigger is None:
        return source
    return TriggerSource(source, TriggerChannel(trigger, config.trigger_mask))


def _open_buffer(config: SourceConfig, address: Address, tap: Tap | None) -> Source:
    for_lsl = {
        "--stream": config.streams,
        "--name": config.name,
        "--type": config.type,
        "--source-id": config.source_id,
        "--predicate": config.predicate,
        "--markers": config.markers,
        "--aux": config.aux,
    }
    said = [option for option, value in for_lsl.items() if value]
    if said:
        verb = "is" if len(said) == 1 else "are"
        msg = f"{address} is a buffer: {', '.join(said)} {verb} for LSL; leave out"
        raise ConfigError(msg)
    from streaming.sources.fieldtrip import FieldTripSource

    return FieldTripSource.open(
        address,
        unit=config.unit,
        trigger=config.trigger_channel,
        timeout=config.timeout,
        tap=tap,
    )
