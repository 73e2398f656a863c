from __future__ import annotations

import io
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile

from models.media import flat_picture, read_image, read_wav, resampled, shrunk
from streaming.errors import ConfigError


def test_transparency_becomes_white(tmp_path: Path) -> None:
    Image.new("RGBA", (2, 2), (255, 0, 0, 0)).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert image.mode == "RGB"
    assert image.getpixel((0, 0)) == (255, 255, 255)
    assert read_image((tmp_path / "a.png").read_bytes()).size == (2, 2)


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("picture")
    for file in (tmp_path / "a.png", tmp_path / "none.png", b"picture"):
        with pytest.raises(ConfigError, match="is no picture that can be read") as error:
            read_image(file)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("dtype", ["int16", "int32", "uint8", "float32"])
def test_sound_has_full_scale_at_one(tmp_path: Path, dtype: str) -> None:
    wave = 0.5 * np.sin(np.arange(800) / 5)
    scale = {"int16": 2**15, "int32": 2**31, "uint8": 2**7, "float32": 1}[dtype]
    stored = (wave * scale + (128 if dtype == "uint8" else 0)).astype(dtype)
    wavfile.write(tmp_path / "a.wav", 8000, np.stack([stored, stored], axis=1))
    samples, sfreq = read_wav(tmp_path / "a.wav")
    assert sfreq == 8000
    np.testing.assert_allclose(samples, wave, atol=1 / 100)


def test_what_is_no_sound_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no WAV file that can be read"):
        read_wav(tmp_path / "none.wav")
    with pytest.raises(ConfigError, match="the sound is no WAV file"):
        read_wav(b"RIFF")
    wavfile.write(tmp_path / "a.wav", 8000, np.zeros(0, np.int16))
    with pytest.raises(ConfigError, match="no sample"):
        read_wav(tmp_path / "a.wav")


def test_a_slow_wave_survives_resampling() -> None:
    t = np.arange(4410) / 44100
    wave = np.sin(2 * np.pi * 100 * t).astype(np.float32)
    out = resampled(wave, 44100, 16000)
    assert len(out) == 1600
    expected = np.sin(2 * np.pi * 100 * np.arange(1600) / 16000)
    np.testing.assert_allclose(out[100:-100], expected[100:-100], atol=0.01)
    assert resampled(wave, 44100, 44100) is wave


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp"])
def test_what_somebody_sent_becomes_small_and_ours(name: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "at home"
    Image.new("RGB", (900, 1200), "red").save(tmp_path / name, exif=exif)
    found = shrunk((tmp_path / name).read_bytes())
    with Image.open(io.BytesIO(found)) as image:
        assert (image.format, image.size) == ("JPEG", (288, 384))
        assert not dict(image.getexif())
        red, green, blue = image.getpixel((9, 9))  # type: ignore[misc]
        assert red > 250
        assert green + blue < 5


@pytest.mark.parametrize(
    ("name", "size", "says"),
    [
        ("a.png", (2001, 2000), "2001 x 2000 pixels"),
        ("a.gif", (9, 9), "is no picture that can"),
    ],
)
def test_what_is_too_large_or_of_another_kind_is_refused(
    name: str, size: tuple[int, int], says: str, tmp_path: Path
) -> None:
    Image.new("RGB", size).save(tmp_path / name)
    with pytest.raises(ConfigError, match=says):
        shrunk((tmp_path / name).read_bytes())


def test_a_small_file_of_a_huge_picture_is_refused() -> None:
    content = bytearray(flat_picture())
    content[16:24] = (20_000).to_bytes(4, "big") * 2  # what it says of its width and height
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    with pytest.raises(ConfigError, match="pixels; make it smaller"):
        shrunk(bytes(content))
    with pytest.raises(ConfigError, match="pixels; make it smaller"):
        read_image(bytes(content))


def test_a_flat_picture_is_one() -> None:
    assert read_image(flat_picture()).getpixel((0, 0)) == (123, 117, 104)
