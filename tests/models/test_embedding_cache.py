from __future__ import annotations

from pathlib import Path

import numpy as np

from models.embedding_cache import EmbeddingCache

VECTOR = np.arange(3, dtype=np.float32)


def test_what_was_put_is_found_by_the_same_parts(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path)
    assert cache.get(b"network", b"picture") is None
    cache.put(VECTOR, b"network", b"picture")
    found = EmbeddingCache(tmp_path).get(b"network", b"picture")
    assert found is not None
    np.testing.assert_array_equal(found, VECTOR)
    for other in ((b"networkp", b"icture"), (b"network", b"picturE"), (b"network",)):
        assert cache.get(*other) is None


def test_a_file_that_was_cut_off_is_made_anew(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path)
    cache.put(VECTOR, b"a")
    (file,) = tmp_path.rglob("*.npy")
    file.write_bytes(file.read_bytes()[:40])
    assert cache.get(b"a") is None
    cache.put(VECTOR, b"a")
    assert cache.get(b"a") is not None


def test_without_a_place_to_write_nothing_is_kept(tmp_path: Path) -> None:
    (tmp_path / "embeddings").write_text("a file where the folder should be")
    cache = EmbeddingCache(tmp_path)
    cache.put(VECTOR, b"a")
    assert cache.get(b"a") is None
