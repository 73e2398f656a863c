from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt

from streaming.causality import check_causal
from streaming.chain import standard_chain
from streaming.errors import EvaluationError
from streaming.signal import Chunk, SignalSpec
from tests.laws import noise

SPEC = SignalSpec(250.0, ("Fz", "Cz", "Pz", "Oz"))
CHUNK = Chunk(noise(4, 5000), SPEC)


class Identity:
    settling = delay = 0.0

    def prepare(self, spec: SignalSpec) -> SignalSpec:
        return spec

    def __call__(self, chunk: Chunk) -> Chunk:
        return chunk


class ZeroPhase(Identity):
    def __call__(self, chunk: Chunk) -> Chunk:
        sos = butter(2, [1, 30], "bandpass", fs=chunk.spec.sfreq, output="sos")
        data = sosfiltfilt(sos, chunk.data, padlen=min(20, chunk.n_times - 1))
        return replace(chunk, data=data.astype(np.float32))


class WholeScale(Identity):
    def __call__(self, chunk: Chunk) -> Chunk:
        return replace(chunk, data=chunk.data / chunk.data.std(axis=1, keepdims=True))


class ByPiece(Identity):
    """Looks at nothing later, but at where a piece begins."""

    def __call__(self, chunk: Chunk) -> Chunk:
        return replace(chunk, data=chunk.data - chunk.data[:, :1])


def test_the_standard_chain_passes() -> None:
    check_causal(lambda: standard_chain(SPEC.ch_names, SPEC.sfreq), CHUNK)


@pytest.mark.parametrize(
    ("make", "when"),
    [
        (ZeroPhase, "when only later samples change"),
        (WholeScale, "when only later samples change"),
        (ByPiece, "when the same samples come in pieces"),
    ],
)
def test_what_sees_the_future_is_refused(make: type[Identity], when: str) -> None:
    with pytest.raises(EvaluationError, match=f"planted is not causal: .* {when}"):
        check_causal(make, CHUNK, "planted")
