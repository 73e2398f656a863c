"""Real pipelines of diffusers with random weights, tiny, saved as anyone would save them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from safetensors.torch import save_file

__all__ = ["N_DIMS", "SAVERS", "image_encoder", "save_ip_adapter", "set_scheduler"]

N_DIMS = 8
"""Length of the embeddings that they take."""

_BLOCKS = {
    "block_out_channels": (4, 8),
    "layers_per_block": 1,
    "norm_num_groups": 2,
    "sample_size": 8,
}
_CROSS = {
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    "cross_attention_dim": 8,
    "attention_head_dim": 2,
}


def _tokenizer(folder: Path) -> Any:
    words = ["<|startoftext|>", "<|endoftext|>", "a</w>", "a"]
    (folder / "vocab.json").write_text(json.dumps({word: n for n, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return transformers.CLIPTokenizer(
        vocab=str(folder / "vocab.json"), merges=str(folder / "merges.txt"), model_max_length=6
    )


def _text_config() -> Any:
    return transformers.CLIPTextConfig(
        vocab_size=4,
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=6,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
        projection_dim=8,
    )


def _vae() -> Any:
    return diffusers.AutoencoderKL(
        block_out_channels=(4, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        norm_num_groups=2,
        sample_size=16,
    )


def image_encoder() -> Any:
    """Return CLIP's image side."""
    config = transformers.CLIPVisionConfig(
        hidden_size=8,
        intermediate_size=8,
        projection_dim=N_DIMS,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=28,
        patch_size=14,
    )
    return transformers.CLIPVisionModelWithProjection(config)


def _stable_diffusion(folder: Path, scheduler: Any = None) -> Path:
    torch.manual_seed(0)
    diffusers.StableDiffusionPipeline(
        vae=_vae(),
        text_encoder=transformers.CLIPTextModel(_text_config()),
        tokenizer=_tokenizer(folder),
        unet=diffusers.UNet2DConditionModel(**_BLOCKS, **_CROSS),
        scheduler=scheduler or diffusers.DDIMScheduler(clip_sample=False, steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)
    return folder


def _xl(folder: Path) -> Path:
    torch.manual_seed(0)
    unet = diffusers.UNet2DConditionModel(
        **_BLOCKS,
        **_CROSS,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + 8,
    )
    unet.config["cross_attention_dim"] = 16
    unet = diffusers.UNet2DConditionModel.from_config(unet.config)
    diffusers.StableDiffusionXLPipeline(
        vae=_vae(),
        text_encoder=transformers.CLIPTextModel(_text_config()),
        text_encoder_2=transformers.CLIPTextModelWithProjection(_text_config()),
        tokenizer=_tokenizer(folder),
        tokenizer_2=_tokenizer(folder),
        unet=unet,
        scheduler=diffusers.EulerAncestralDiscreteScheduler(timestep_spacing="trailing"),
        add_watermarker=False,
    ).save_pretrained(folder)
    return folder


def _unclip(folder: Path) -> Path:
    torch.manual_seed(0)
    diffusers.StableUnCLIPImg2ImgPipeline(
        feature_extractor=transformers.CLIPImageProcessor(crop_size=28, size=28),
        image_encoder=image_encoder(),
        image_normalizer=diffusers.pipelines.stable_diffusion.StableUnCLIPImageNormalizer(
            embedding_dim=N_DIMS
        ),
        image_noising_scheduler=diffusers.DDPMScheduler(beta_schedule="squaredcos_cap_v2"),
        tokenizer=_tokenizer(folder),
        text_encoder=transformers.CLIPTextModel(_text_config()),
        unet=diffusers.UNet2DConditionModel(
            **_BLOCKS,
            **_CROSS,
            class_embed_type="projection",
            projection_class_embeddings_input_dim=2 * N_DIMS,
        ),
        scheduler=diffusers.PNDMScheduler(skip_prk_steps=True, steps_offset=1),
        vae=_vae(),
    ).save_pretrained(folder)
    return folder


def _kandinsky(folder: Path) -> Path:
    torch.manual_seed(0)
    unet = diffusers.UNet2DConditionModel(
        **{**_BLOCKS, **_CROSS, "sample_size": 4},
        in_channels=4,
        out_channels=8,
        addition_embed_type="image",
        encoder_hid_dim=N_DIMS,
        encoder_hid_dim_type="image_proj",
        resnet_time_scale_shift="scale_shift",
    )
    movq = diffusers.VQModel(
        block_out_channels=(4, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        norm_num_groups=2,
        num_vq_embeddings=4,
        vq_embed_dim=4,
    )
    scheduler = diffusers.DDPMScheduler(variance_type="learned_range", clip_sample=False)
    diffusers.KandinskyV22Pipeline(unet, scheduler, movq).save_pretrained(folder)
    return folder


SAVERS: dict[str, Callable[[Path], Path]] = {
    "KandinskyV22Pipeline": _kandinsky,
    "StableDiffusionPipeline": _stable_diffusion,
    "StableDiffusionXLPipeline": _xl,
    "StableUnCLIPImg2ImgPipeline": _unclip,
}
"""Class of a pipeline -> what saves one in a folder."""


def set_scheduler(folder: Path, scheduler: Any) -> Path:
    """Give a saved pipeline another scheduler, of the settings that today's are saved with."""
    scheduler = type(scheduler).from_config(scheduler.config, steps_offset=1)
    scheduler.save_pretrained(folder / "scheduler")
    index = folder / "model_index.json"
    said = json.loads(index.read_text())
    said["scheduler"] = ["diffusers", type(scheduler).__name__]
    index.write_text(json.dumps(said))
    return folder


def save_ip_adapter(pipeline: Path, file: Path, width: int = 8) -> Path:
    """Save an IP-Adapter for a pipeline, its weights under the names of the published ones."""
    torch.manual_seed(1)
    unet = diffusers.UNet2DConditionModel.from_pretrained(pipeline / "unet")
    weights = {
        "image_proj.proj.weight": torch.randn(4 * width, N_DIMS),
        "image_proj.proj.bias": torch.randn(4 * width),
        "image_proj.norm.weight": torch.ones(width),
        "image_proj.norm.bias": torch.zeros(width),
    }
    names = [name for name in unet.attn_processors if name.endswith("attn2.processor")]
    for n, name in enumerate(names):
        module = unet.get_submodule(name.removesuffix(".processor"))
        for part in ("to_k", "to_v"):
            shape = (getattr(module, part).weight.shape[0], width)
            weights[f"ip_adapter.{2 * n + 1}.{part}_ip.weight"] = torch.randn(shape)
    save_file(weights, file)
    return file
