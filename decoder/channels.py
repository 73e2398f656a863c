"""How the channels are: what the chain's watch says, the amplifier, and the operator."""

from __future__ import annotations

from decoder.control import MarkBad
from decoder.events import Quality
from decoder.stretches import Stretches
from streaming.signal import Impedance
from streaming.spatial import normal_name
from streaming.watch import Watch

__all__ = ["Channels"]


class Channels:
    """Collects what is known of channels, whichever model's chain watches them.

    Parameters
    ----------
    watch : Watch or None
        The chain's; None if it is of an older version.
    """

    def __init__(self, watch: Watch | None) -> None:
        self._watch = watch
        self._marked: frozenset[str] = frozenset()
        self._ohms: dict[str, float | None] = {}

    @property
    def markable(self) -> tuple[str, ...]:
        """Channels that the operator can mark; none without a watch."""
        return self._watch.ch_names if self._watch is not None else ()

    def mark(self, item: MarkBad) -> None:
        """Take what the operator said."""
        names = frozenset(item.ch_names)
        self._marked = self._marked | names if item.bad else self._marked - names
        if self._watch is not None:
            self._watch.mark(item.ch_names, bad=item.bad)

    def watch_with(self, watch: Watch | None) -> None:
        """Go on with another chain's watch; what was marked stays marked."""
        if watch is self._watch:
            return
        self._watch = watch
        if watch is not None:
            watch.mark(self._marked & set(watch.ch_names), bad=True)

    def measured(self, item: Impedance) -> None:
        """Take what the amplifier said of the electrodes."""
        said = zip(item.ch_names, item.ohms, strict=True)
        self._ohms |= {normal_name(name): ohms for name, ohms in said}

    def reports(self, stretches: Stretches) -> list[Quality]:
        """Return what the watch has to say, by samples of the recording."""
        events: list[Quality] = []
        while self._watch is not None and self._watch.reports:
            report = self._watch.reports.popleft()
            stretch = stretches.numbered(report.segment)
            events.append(
                Quality(
                    segment=stretch.segment,
                    sample=stretch.base + report.sample,
                    t=report.t,
                    ch_names=self._watch.ch_names,
                    channels=report.channels,
                    interpolated=report.interpolated,
                    refused=report.refused,
                    impedance=self._impedance(self._watch.ch_names),
                )
            )
        return events

    def _impedance(self, ch_names: tuple[str, ...]) -> tuple[float | None, ...]:
        if not self._ohms:
            return ()
        return tuple(self._ohms.get(normal_name(name)) for name in ch_names)
