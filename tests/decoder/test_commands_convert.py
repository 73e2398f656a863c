from __future__ import annotations

from pathlib import Path

import pytest

from tests.decoder.complaining import complaint


def test_a_dataset_that_is_not_known_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    options = ("-o", tmp_path / "out", "--images", tmp_path)
    said = complaint(capfd, "convert", "things-eeg1", tmp_path, *options)
    assert "use things-eeg2 or things-meg" in said
    assert not (tmp_path / "out").exists()
