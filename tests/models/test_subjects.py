from __future__ import annotations

from pathlib import Path

import pytest

from models.subjects import subjects_of
from streaming.errors import ConfigError


def test_people_are_named_or_read_from_bids_paths() -> None:
    assert subjects_of(["a.fif", "b.fif"]) == ("", "")
    assert subjects_of(["a.fif", "b.fif"], ["x", "y"]) == ("x", "y")
    bids = [Path("data/sub-03/meg/sub-03_task-rest_meg.fif"), Path("data/sub-4a/run.fif")]
    assert subjects_of(bids) == ("03", "4a")
    assert subjects_of(["my_sub-jects.fif"]) == ("",)


def test_each_recording_needs_a_name() -> None:
    with pytest.raises(ConfigError, match="2 recordings but 1 people"):
        subjects_of(["a.fif", "b.fif"], ["x"])
