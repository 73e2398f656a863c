from __future__ import annotations

import uuid

import numpy as np

from streaming.decode_outlet import DecodeOutlet
from streaming.outlet import source_id_for
from tests.streaming.loopback import receive

T_END = 12.5
N = 6


def test_decodes_and_latents_arrive_with_the_time_of_their_newest_sample() -> None:
    name = f"decodes-{uuid.uuid4()}"
    outlet = DecodeOutlet(name)
    vector = np.zeros(2, np.float32)

    def play() -> None:
        assert outlet.wait_for_consumer(30)
        for seq in range(1, N + 1):
            outlet.push_decode(f"thing {seq}", "{}", T_END + seq)
            outlet.push_latent(vector + seq, "labels", "m", T_END + seq)

    try:
        outlet.push_latent(vector, "labels", "m", 0.0)  # with which the stream appears
        ids = [source_id_for(name, kind) for kind in ("latents", "decodes")]
        found = receive(play, dict.fromkeys(ids, N))
    finally:
        outlet.close()
    latents, got = (found[source_id] for source_id in ids)
    assert got.rows == [[f"thing {seq}", "{}"] for seq in range(1, N + 1)]
    np.testing.assert_allclose(got.stamps, T_END + np.arange(1, N + 1))
    np.testing.assert_array_equal(latents.data[:, 0], np.arange(1, N + 1))
    np.testing.assert_allclose(latents.stamps, got.stamps)
    assert (got.info.type(), latents.info.type()) == ("Decodes", "Latent")
    assert latents.info.desc().child_value("space") == "labels"
    assert latents.info.desc().child_value("model") == "m"
