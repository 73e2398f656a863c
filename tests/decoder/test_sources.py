from __future__ import annotations

import pytest

from decoder.config import SourceConfig
from decoder.sources import open_source
from streaming.errors import ConfigError


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (SourceConfig(address="fieldtrip://x:1", streams=("a",)), "--stream is for LSL"),
        (SourceConfig(streams=("a",), name="b"), "--stream names the signals: leave out"),
        (SourceConfig(streams=("a",), predicate="b"), "--stream names the signals: leave out"),
        (SourceConfig(address="fieldtrip://x:1", predicate="b"), "--predicate is for LSL"),
        (SourceConfig(trigger_mask=1), "name it with --trigger-channel"),
    ],
)
def test_sources_that_contradict_themselves_are_refused(
    source: SourceConfig, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        open_source(source, None)
