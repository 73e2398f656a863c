"""Pictures and sound from files."""

from __future__ import annotations

import io
import math
import struct
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from streaming.errors import ConfigError

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["flat_picture", "read_image", "read_wav", "resampled", "shrunk"]

_MAX_PIXELS = 50_000_000
_MAX_SENT_PIXELS = 4_000_000
_SENT_FORMATS = ("PNG", "JPEG", "WEBP")
_SENT_SIDE = 384


def read_image(
    file: Path | bytes,
    *,
    max_pixels: int = _MAX_PIXELS,
    formats: tuple[str, ...] | None = None,
) -> Image:
    """Return a picture as RGB; transparent parts become white.

    Parameters
    ----------
    file : Path or bytes
        Where it is, or what is in it.
    max_pixels : int
        Larger ones are refused before they are unpacked.
    formats : tuple of str or None
        Which may be read; all that Pillow knows if None.

    Raises
    ------
    ConfigError
        If it is no picture, or too large.
    """
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        msg = "pictures need Pillow; run: pip install 'braincast[decode]'"
        raise ConfigError(msg) from error
    name = "the picture" if isinstance(file, bytes) else str(file)
    try:
        content = io.BytesIO(file) if isinstance(file, bytes) else file
        with Image.open(content, formats=formats) as opened:
            if opened.width * opened.height > max_pixels:
                msg = f"{name} has {opened.width} x {opened.height} pixels; make it smaller"
                raise ConfigError(msg)
            image = ImageOps.exif_transpose(opened)
            if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
                image = image.convert("RGBA")
                white = Image.new("RGBA", image.size, "white")
                image = Image.alpha_composite(white, image)
            return image.convert("RGB")
    except Image.DecompressionBombError as error:  # Pillow counts before we do
        msg = (
            f"{name} has more than {2 * (Image.MAX_IMAGE_PIXELS or 0)} pixels; make it smaller"
        )
        raise ConfigError(msg) from error
    except (OSError, SyntaxError, ValueError) as error:
        said = "of another format" if "cannot identify" in str(error) else error
        msg = f"{name} is no picture that can be read ({said}); give a PNG or JPEG file"
        raise ConfigError(msg) from error


def flat_picture() -> bytes:
    """Return a PNG that is nothing: all of it has the mean colour of CLIP's pictures."""
    from PIL import Image

    content = io.BytesIO()
    Image.new("RGB", (64, 64), (123, 117, 104)).save(content, "PNG")
    return content.getvalue()


def shrunk(content: bytes) -> bytes:
    """Return a picture that somebody sent, small, as a JPEG of our own making.

    Raises
    ------
    ConfigError
        If it is no PNG, JPEG or WebP, or larger than 4 megapixels.
    """
    image = read_image(content, max_pixels=_MAX_SENT_PIXELS, formats=_SENT_FORMATS)
    image.thumbnail((_SENT_SIDE, _SENT_SIDE))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=90)
    return file.getvalue()


def read_wav(file: Path | bytes) -> tuple[NDArray[np.float32], float]:
    """Return sound as one channel, full scale at 1, and its rate in Hz.

    Raises
    ------
    ConfigError
        If it is no WAV file, or empty.
    """
    from scipy.io import wavfile

    name = "the sound" if isinstance(file, bytes) else str(file)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)  # of chunks that say more
            sfreq, data = wavfile.read(io.BytesIO(file) if isinstance(file, bytes) else file)
    except (OSError, ValueError, EOFError, struct.error) as error:
        msg = f"{name} is no WAV file that can be read ({error}); save it as 16-bit PCM WAV"
        raise ConfigError(msg) from error
    if data.dtype.kind == "u":
        samples = (data.astype(np.float32) - 128) / 128
    else:
        full = np.iinfo(data.dtype).max + 1 if data.dtype.kind == "i" else 1
        samples = data.astype(np.float32) / full
    if samples.ndim == 2:
        samples = samples.mean(axis=1)
    if len(samples) == 0:
        msg = f"{name} has no sample; export it again"
        raise ConfigError(msg)
    return samples, float(sfreq)


def resampled(samples: NDArray[np.float32], sfreq: float, to: float) -> NDArray[np.float32]:
    """Return a signal at another rate, of shape (n_times,) as before or (n_times, n_features).

    Parameters
    ----------
    samples : array of shape (n_times, ...)
        The signal.
    sfreq, to : float
        The rate it has and the rate it gets, in Hz.

    Examples
    --------
    >>> resampled(np.ones(100, np.float32), 100.0, 50.0).shape
    (50,)
    """
    if sfreq == to:
        return samples
    from scipy.signal import resample_poly

    up, down = round(1000 * to), round(1000 * sfreq)
    factor = math.gcd(up, down)
    up, down = up // factor, down // factor
    return np.asarray(resample_poly(samples, up, down, axis=0), dtype=np.float32)
