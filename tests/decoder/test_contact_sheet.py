from __future__ import annotations

import numpy as np
import pytest

from decoder.contact_sheet import Strip, draw_sheet


def plain(value: int) -> np.ndarray:
    return np.full((20, 30, 3), value, np.uint8)


def test_pictures_are_where_their_names_say() -> None:
    strips = [Strip(f"thing {n}", (plain(10 * n), plain(10 * n + 5))) for n in range(5)]
    sheet = np.asarray(draw_sheet(["seen", "decoded"], strips, side=32, per_band=3))
    values = [
        [sheet[y : y + 32, x : x + 32] for x in (96, 132, 168)] for y in (18, 54, 120, 156)
    ]
    assert [int(tile.max()) for tile in values[0]] == [0, 10, 20]
    assert [int(tile.max()) for tile in values[1]] == [5, 15, 25]
    assert [int(tile.max()) for tile in values[2][:2]] == [30, 40]
    assert (values[2][2] == 255).all()  # there is no sixth
    assert sheet[:18, 96:].min() < 100  # the caption
    assert sheet[18:50, :90].min() < 100  # the name of the row


def test_what_is_missing_is_left_empty() -> None:
    sheet = np.asarray(draw_sheet(["seen", "decoded"], [Strip("a" * 40, (None, plain(0)))]))
    assert (sheet[20:110, 100:190] == (0xEE, 0xF0, 0xF3)).all()
    assert sheet.shape[1] == 96 + 100


def test_a_strip_has_a_picture_for_each_row() -> None:
    with pytest.raises(ValueError, match="needs 2 pictures"):
        draw_sheet(["seen", "decoded"], [Strip("thing", (plain(0),))])
    with pytest.raises(ValueError, match="at least"):
        draw_sheet(["seen"], [])
