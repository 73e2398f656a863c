"""Pretrained networks, each as a function from items to one vector per layer.

An item is a text, a file, or the bytes of a file. All come from transformers but
EfficientNet-Lite0, whose weights are installed as a package. torch is imported when a network
is opened, not before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from models.hub import hub_answers, is_folder
from models.media import read_image, read_wav, resampled
from streaming.errors import ModelError

__all__ = ["KINDS", "Item", "Modality", "Network", "SpeechNetwork"]

Item = str | Path | bytes
"""A text, a file of a picture or sound, or the content of such a file."""

Modality = Literal["text", "image", "audio"]

Arrays = list[NDArray[np.float32]]

_MAX_TOKENS = 256  # what all-MiniLM-L6-v2 was tuned for; candidates are words and phrases
_SPEECH_SFREQ = 16_000.0
_SPEECH_BLOCK = 20.0  # s of speech at once: attention costs the square of the length
_SPEECH_CONTEXT = 2.0  # s on both sides of a block that are heard and not used


class Network(Protocol):
    """A pretrained network.

    Attributes
    ----------
    modality : str
        What it takes: ``"text"``, ``"image"`` or ``"audio"``.
    fingerprint : bytes
        A hash of its weights and of how its items are prepared.
    """

    modality: Modality
    fingerprint: bytes

    def __call__(self, items: Sequence[Item]) -> tuple[NDArray[np.float32], Arrays]:
        """Return the embedding of items (n, n_dims), and each layer (n, width)."""


class TextNetwork:
    """A transformer for text; the embedding is the mean over tokens, of length 1."""

    modality: Modality = "text"

    def __init__(self, source: str) -> None:
        self._tokenizer, self._model = _load(
            "sentence encoder", source, "AutoTokenizer", "AutoModel"
        )
        if self._tokenizer.pad_token is None:  # as GPT-2's
            self._tokenizer.pad_token = self._tokenizer.eos_token
        self.n_dims = int(self._model.config.hidden_size)
        self.fingerprint = _fingerprint(self._model, "text")

    def __call__(self, items: Sequence[Item]) -> tuple[NDArray[np.float32], Arrays]:
        import torch

        with torch.inference_mode():
            tokens = _tokens(self._tokenizer, items, _MAX_TOKENS)
            out = self._model(**tokens, output_hidden_states=True)
            mask = tokens["attention_mask"][..., None].to(out.last_hidden_state.dtype)
            layers = [(h * mask).sum(1) / mask.sum(1) for h in out.hidden_states]
            mean = (out.last_hidden_state * mask).sum(1) / mask.sum(1)
            embedding = torch.nn.functional.normalize(mean, dim=1)
        return _numpy(embedding), [_numpy(layer) for layer in layers]


class ImageNetwork:
    """A vision transformer; the embedding is its pooled output, as DINOv2's class token."""

    modality: Modality = "image"

    def __init__(self, source: str) -> None:
        self._processor, self._model = _load(
            "image encoder", source, "AutoImageProcessor", "AutoModel"
        )
        self.fingerprint = _fingerprint(self._model, self._processor.to_json_string())

    def __call__(self, items: Sequence[Item]) -> tuple[NDArray[np.float32], Arrays]:
        import torch

        with torch.inference_mode():
            pixels = _pixels(self._processor, items)
            out = self._model(pixel_values=pixels, output_hidden_states=True)
        layers = [_numpy(hidden.mean(1)) for hidden in out.hidden_states]
        return _numpy(out.pooler_output), layers


class ClipText:
    """CLIP's text side: its embedding lies in the space of its pictures, with length 1."""

    modality: Modality = "text"

    def __init__(self, tokenizer: Any, model: Any) -> None:
        self._tokenizer, self._model = tokenizer, model
        self.fingerprint = _fingerprint(model, "clip text")

    def __call__(self, items: Sequence[Item]) -> tuple[NDArray[np.float32], Arrays]:
        import torch

        length = int(self._model.config.text_config.max_position_embeddings)
        with torch.inference_mode():
            tokens = _tokens(self._tokenizer, items, length)
            out = self._model.text_model(**tokens, output_hidden_states=True)
            projected = self._model.text_projection(out.pooler_output)
            mask = tokens["attention_mask"][..., None].to(projected.dtype)
            layers = [(h * mask).sum(1) / mask.sum(1) for h in out.hidden_states]
            embedding = torch.nn.functional.normalize(projected, dim=1)
        return _numpy(embedding), [_numpy(layer) for layer in layers]


class ClipImage:
    """CLIP's image side."""

    modality: Modality = "image"

    def __init__(self, processor: Any, model: Any) -> None:
        self._processor, self._model = processor, model
        self.fingerprint = _fingerprint(model, processor.to_json_string())

    def __call__(self, items: Sequence[Item]) -> tuple[NDArray[np.float32], Arrays]:
        import torch

        with torch.inference_mode():
            pixels = _pixels(self._processor, items)
            out = self._model.vision_model(pixel_values=pixels, output_hidden_states=True)
            projected = self._model.visual_projection(out.pooler_output)
            embedding = torch.nn.functional.normalize(projected, dim=1)
        return _numpy(embedding), [_numpy(hidden.mean(1)) for hidden in out.hidden_states]


def _open_clip(source: str) -> tuple[Network, ...]:
    """Return both sides of one model."""
    what = "CLIP model"
    tokenizer, model = _load(what, source, "AutoTokenizer", "CLIPModel")
    processor = _prepared(what, source, "AutoImageProcessor")
    return ClipText(tokenizer, model), ClipImage(processor, model)


class ImageEmbeds:
    """CLIP's image side as pipelines of diffusers take it: projected, its length kept.

    Parameters
    ----------
    source : str
        Folder or id of an encoder, or of a pipeline that has one as ``image_encoder``; of an
        id, what follows its second part is a folder within, such as
        ``h94/IP-Adapter/models/image_encoder``.
    """

    modality: Modality = "image"

    def __init__(self, source: str) -> None:
        what, place = "image encoder with a projection", source
        options: dict[str, str] = {}
        if is_folder(source):
            inner = Path(source).expanduser() / "image_encoder"
            place = str(inner) if inner.is_dir() else source
        else:
            parts = source.split("/")
            place = "/".join(parts[:2])
            options["subfolder"] = "/".join(parts[2:]) or "image_encoder"
        self._model = _prepared(
            what, place, "CLIPVisionModelWithProjection", use_safetensors=True, **options
        ).eval()
        self._side = int(self._model.config.image_size)
        self.fingerprint = _fingerprint(self._model, f"shorter side {self._side}, its middle")

    def __call__(self, items: Sequence[Item]) -> tuple[NDArray[np.float32], Arrays]:
        import torch
        from transformers import CLIPImageProcessorPil

        side = self._side
        prepare = CLIPImageProcessorPil(
            size={"shortest_edge": side}, crop_size={"height": side, "width": side}
        )
        with torch.inference_mode():
            out = self._model(pixel_values=_pixels(prepare, items), output_hidden_states=True)
        layers = [_numpy(hidden.mean(1)) for hidden in out.hidden_states]
        return _numpy(out.image_embeds), layers


class SpeechNetwork:
    """wav2vec 2.0; the embedding of a sound is the mean of its last layer over time."""

    modality: Modality = "audio"

    def __init__(self, source: str) -> None:
        self._processor, self._model = _load(
            "speech encoder", source, "AutoFeatureExtractor", "AutoModel"
        )
        self.fingerprint = _fingerprint(self._model, self._processor.to_json_string())

    def __call__(self, items: Sequence[Item]) -> tuple[NDArray[np.float32], Arrays]:
        """Return means over time."""
        rows = [[s.mean(axis=0) for s in self.series(*read_wav(_file(i)))[0]] for i in items]
        layers = [np.stack(column) for column in zip(*rows, strict=True)]
        return layers[-1], layers

    def series(self, samples: NDArray[np.float32], sfreq: float) -> tuple[Arrays, float]:
        """Return each layer over time, (n_frames, n_dims), and how many frames make a second.

        Parameters
        ----------
        samples : array of shape (n_times,)
            Sound.
        sfreq : float
            Its rate, in Hz.

        Notes
        -----
        Frame k begins at sample k of that rate. Long sounds are heard in blocks of 20 s, each
        with 2 s more on both sides.
        """
        import torch

        samples = resampled(samples, sfreq, _SPEECH_SFREQ)
        stride = int(np.prod(self._model.config.conv_stride))  # samples in a frame: 320
        n_frames = max(len(samples) // stride, 1)
        block = round(_SPEECH_BLOCK * _SPEECH_SFREQ / stride)
        context = round(_SPEECH_CONTEXT * _SPEECH_SFREQ / stride)
        parts: list[Arrays] = []
        for start in range(0, n_frames, block):
            stop = min(start + block, n_frames)
            first, last = max(start - context, 0), min(stop + context, n_frames)
            heard = samples[first * stride : last * stride]
            # The convolutions swallow 80 samples: frames would be one too few
            heard = np.pad(heard, (0, max(stride * (last - first) - len(heard), 0) + stride))
            values = self._processor(
                heard, sampling_rate=int(_SPEECH_SFREQ), return_tensors="pt"
            )
            with torch.inference_mode():
                out = self._model(values["input_values"], output_hidden_states=True)
            kept = slice(start - first, stop - first)
            parts.append([_numpy(hidden[0, kept]) for hidden in out.hidden_states])
        layers = [np.concatenate(column) for column in zip(*parts, strict=True)]
        return layers, _SPEECH_SFREQ / stride


class EfficientNet:
    """EfficientNet-Lite0, whose weights are installed with braincast[decode]."""

    modality: Modality = "image"

    def __init__(self) -> None:
        _one_thread()
        from models.efficientnet import load_efficientnet

        self._model = load_efficientnet()
        self.fingerprint = _fingerprint(self._model, "shorter side to 256, middle 224, -1 to 1")

    def __call__(self, items: Sequence[Item]) -> tuple[NDArray[np.float32], Arrays]:
        import torch

        from models.efficientnet import SIZE

        pictures = []
        for item in items:
            image = read_image(_file(item))
            side = min(image.size) * SIZE / 256  # of the middle that is seen
            left, top = (image.width - side) / 2, (image.height - side) / 2
            seen = image.resize((SIZE, SIZE), 3, (left, top, left + side, top + side))
            pictures.append(np.asarray(seen, np.float32) / 127.5 - 1)
        pixels = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
        with torch.inference_mode():
            layers = [_numpy(layer) for layer in self._model.layers(pixels)]
        return layers[-1], layers


KINDS: dict[str, Callable[[str], tuple[Network, ...]]] = {
    "sentence": lambda source: (TextNetwork(source),),
    "clip": _open_clip,
    "dinov2": lambda source: (ImageNetwork(source),),
    "image-embeds": lambda source: (ImageEmbeds(source),),
    "wav2vec2": lambda source: (SpeechNetwork(source),),
    "efficientnet": lambda _: (EfficientNet(),),
}
"""The networks of each kind of space: one for each modality that it embeds."""


def _load(what: str, source: str, preparer: str, network: str) -> tuple[Any, Any]:
    """Load what prepares items, and a network without pickle."""
    prepares = _prepared(what, source, preparer)
    model = _prepared(what, source, network, use_safetensors=True)
    return prepares, model.eval()


def _prepared(what: str, source: str, part: str, **options: bool | str) -> Any:
    """Load one part of a model: from this machine if it is there, else from the hub."""
    try:
        import transformers
    except ImportError as error:
        msg = f"a {what} needs torch and transformers; run: pip install 'braincast[decode]'"
        raise ModelError(msg) from error
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    _one_thread()
    is_path = is_folder(source)
    place = str(Path(source).expanduser()) if is_path else source
    reason: Exception | None = None
    for local in (True,) if is_path else (True, False):
        if not local and not hub_answers():  # its client would try again for a minute
            reason = OSError("it is not on this machine, and the hub does not answer")
            break
        try:
            return getattr(transformers, part).from_pretrained(
                place, local_files_only=local, trust_remote_code=False, **options
            )
        except (OSError, ValueError, KeyError) as error:
            reason = error
    where = "that folder" if is_path else "this machine or the hub"
    said = str(reason).strip().splitlines()
    msg = (
        f"no {what} {source!r} in {where} ({said[0] if said else 'no reason'}); give a folder "
        "written by save_pretrained with safetensors weights, or the id of one on the hub, and "
        "check the network"
    )
    raise ModelError(msg) from reason


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)  # two threads ran up to 10 times slower on a shared machine


def _fingerprint(model: Any, preparation: str) -> bytes:
    """Return a hash of all weights, and of what happens to an item before it meets them."""
    digest = hashlib.sha256(f"{type(model).__name__} {preparation}".encode())
    for name, weights in model.state_dict().items():
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(weights.detach().float().numpy()).data)
    return digest.digest()


def _tokens(tokenizer: Any, items: Sequence[Item], length: int) -> Any:
    return tokenizer(
        [str(item) for item in items],
        padding=True,
        truncation=True,
        max_length=length,
        return_tensors="pt",
    )


def _pixels(processor: Any, items: Sequence[Item]) -> Any:
    images = [read_image(_file(item)) for item in items]
    return processor(images=images, return_tensors="pt")["pixel_values"]


def _file(item: Item) -> Path | bytes:
    return Path(item) if isinstance(item, str) else item


def _numpy(tensor: Any) -> NDArray[np.float32]:
    return np.asarray(tensor.float().numpy())
