"""The client of a FieldTrip buffer that others wrote, and our source; skipped without it."""

from __future__ import annotations

import warnings

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it says that it is discontinued
    realtime = pytest.importorskip("mne_realtime.externals.FieldTrip")

from streaming.sources import fieldtrip, fieldtrip_client

Client, Event, Header = realtime.Client, realtime.Event, realtime.Header
open_source = fieldtrip.FieldTripSource.open
announced = fieldtrip_client.announced

__all__ = ["Client", "Event", "Header", "announced", "open_source"]
