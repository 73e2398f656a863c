from __future__ import annotations

import numpy as np
import pytest

from models.dataset import first_part
from models.fit import fit_model
from models.stage import Stage
from streaming.errors import ConfigError
from tests.models.test_fit import dataset, labels
from tests.models.test_unseen import words


def test_the_first_part_of_a_window_is_what_was_there_then() -> None:
    data = dataset()
    part = first_part(data, 0.2)
    np.testing.assert_array_equal(part.windows, data.windows[:, :, :20])
    assert part.windows.flags.c_contiguous
    with pytest.raises(ConfigError, match="no sample"):
        first_part(data, 0.004)


def test_each_latency_has_an_encoder_and_a_later_one_is_better() -> None:
    told: list[float] = []
    data = dataset(signal=0.25)
    fitted = fit_model(data, labels(), latencies=(0.1, 0.2, 0.4), progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0
    model = fitted.model
    assert len(model.stages) == len(fitted.early) == 2
    assert [len(odds.truth[0]) for odds in model.conformal.values()] == [3]
    right = model.conformal["closed_set"].right.mean(axis=0)
    assert right[0] < right[2]
    for n, early in enumerate(fitted.early):
        held = (early.similarity.argmax(1) == early.truth).mean()
        assert right[n] == pytest.approx(held)
    alone = fit_model(data, labels())
    np.testing.assert_array_equal(alone.held_out.similarity, fitted.held_out.similarity)
    assert alone.model.temperature == model.temperature


def test_concepts_are_left_out_at_each_latency() -> None:
    model = fit_model(dataset(240, n_concepts=12), words(15), latencies=(0.2, 0.4)).model
    assert model.conformal["zero_shot"].truth.shape[1] == 2


def test_a_temperature_must_be_one() -> None:
    with pytest.raises(ValueError, match="above 0"):
        Stage(fit_model(dataset(), labels()).model.encoder, 0.0)
