"""Real networks with random weights, tiny, saved as anyone would save them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from PIL import Image
from scipy.io import wavfile

__all__ = [
    "save_bert",
    "save_clip",
    "save_clip_images",
    "save_dinov2",
    "save_picture",
    "save_wav",
    "save_wav2vec2",
]

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "dog", "cat", "##s"]


def save_bert(folder: Path) -> Path:
    """Two layers of 16 dimensions."""
    torch.manual_seed(0)
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    config = transformers.BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
    )
    transformers.BertModel(config).save_pretrained(folder)
    transformers.BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


def save_dinov2(folder: Path) -> Path:
    """Two layers of 16 dimensions, pictures of 28 pixels."""
    torch.manual_seed(0)
    config = transformers.Dinov2Config(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=28,
        patch_size=14,
    )
    transformers.Dinov2Model(config).save_pretrained(folder)
    size, crop = {"shortest_edge": 28}, {"height": 28, "width": 28}
    transformers.BitImageProcessorPil(size=size, crop_size=crop).save_pretrained(folder)
    return folder


def save_clip(folder: Path) -> Path:
    """A text and an image side of two layers, that meet in 8 dimensions."""
    torch.manual_seed(0)
    small = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.CLIPConfig(
        text_config={
            **small,
            "vocab_size": len(WORDS),
            "max_position_embeddings": 12,
            "eos_token_id": 3,
            "intermediate_size": 32,
        },
        vision_config={
            **small,
            "image_size": 28,
            "patch_size": 14,
            "intermediate_size": 32,
        },
        projection_dim=8,
    )
    transformers.CLIPModel(config).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    transformers.BertTokenizerFast(
        vocab=str(folder / "vocab.txt"), model_input_names=["input_ids", "attention_mask"]
    ).save_pretrained(folder)
    size, crop = {"shortest_edge": 28}, {"height": 28, "width": 28}
    transformers.CLIPImageProcessorPil(size=size, crop_size=crop).save_pretrained(folder)
    return folder


def save_clip_images(folder: Path) -> Path:
    """Only the image side, as pipelines of diffusers have it."""
    torch.manual_seed(0)
    config = transformers.CLIPVisionConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=28,
        patch_size=14,
        intermediate_size=32,
        projection_dim=8,
    )
    transformers.CLIPVisionModelWithProjection(config).save_pretrained(folder)
    return folder


def save_wav2vec2(folder: Path) -> Path:
    """Two layers of 16 dimensions behind the usual convolutions, 50 frames a second."""
    torch.manual_seed(0)
    config = transformers.Wav2Vec2Config(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(8,) * 7,
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
    )
    transformers.Wav2Vec2Model(config).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return folder


def save_picture(path: Path, colour: str = "red", size: tuple[int, int] = (40, 30)) -> Path:
    """A picture of one colour."""
    Image.new("RGB", size, colour).save(path)
    return path


def save_wav(path: Path, samples: NDArray[np.float64], sfreq: int = 16_000) -> Path:
    """Sound with full scale at 1, as 16-bit PCM."""
    wavfile.write(path, sfreq, np.round(samples * 32767).astype(np.int16))
    return path
