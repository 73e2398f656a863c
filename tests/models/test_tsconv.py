from __future__ import annotations

import torch
from torch.nn.functional import avg_pool1d, conv1d

from models.tsconv import TsConv
from tests.models.problems import evoked_trials


def test_to_average_first_is_to_average_last() -> None:
    trials = evoked_trials(40)
    network, config = TsConv.for_trials(trials)
    network.eval()
    windows = torch.from_numpy(trials.windows)
    with torch.no_grad():
        x = network.space(avg_pool1d(windows, config.step))
        x = conv1d(x, network.time.weight, network.time.bias)
        x = network.after(avg_pool1d(x, config.pool, config.stride))
        x = network.enter(x.flatten(1))
        expected = network.leave(network.norm(x + network.block(x)))
        found = network(windows, torch.zeros(40, dtype=torch.int64))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
