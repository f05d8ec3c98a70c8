"""Stable Diffusion 1.5 and XL in their full size, with random weights: they compute as much as the real ones, and paint noise.

The shapes are those of the published `config.json`s; the tokenizer is a stand-in of 54 tokens, for a text always takes 77 places.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    EulerDiscreteScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

LETTERS = [chr(code) for code in range(ord("a"), ord("z") + 1)]
WORDS = {
    word: number for number, word in enumerate(["<|startoftext|>", "<|endoftext|>", *LETTERS, *(f"{letter}</w>" for letter in LETTERS)])
}
NOISE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}
VOCABULARY = 49_408
CLIP_L = {"hidden_size": 768, "intermediate_size": 3_072, "num_hidden_layers": 12, "num_attention_heads": 12}
BIG_G = {"hidden_size": 1_280, "intermediate_size": 5_120, "num_hidden_layers": 32, "num_attention_heads": 20, "projection_dim": 1_280}


def save_sd15(folder: Path, device: str) -> dict[str, float]:
    """Write Stable Diffusion 1.5 as fp16 safetensors; millions of parameters by part."""
    with _on(device):
        eye = UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8)
        decoder = _decoder(sample_size=512, scaling_factor=0.18215)
        reader = CLIPTextModel(_reader(hidden_act="quick_gelu", **CLIP_L))
    pipeline = StableDiffusionPipeline(
        vae=decoder,
        text_encoder=reader,
        tokenizer=_words(),
        unet=eye,
        scheduler=DDIMScheduler(**NOISE, clip_sample=False, set_alpha_to_one=False),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    return _save(pipeline, folder)


def save_sdxl(folder: Path, device: str) -> dict[str, float]:
    """Write Stable Diffusion XL base as fp16 safetensors; millions of parameters by part."""
    with _on(device):
        eye = UNet2DConditionModel(
            sample_size=128,
            block_out_channels=(320, 640, 1_280),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            transformer_layers_per_block=(1, 2, 10),
            attention_head_dim=(5, 10, 20),
            cross_attention_dim=2_048,
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=256,
            projection_class_embeddings_input_dim=2_816,
        )
        decoder = _decoder(sample_size=1_024, scaling_factor=0.13025)
        reader = CLIPTextModel(_reader(hidden_act="quick_gelu", **CLIP_L))
        second = CLIPTextModelWithProjection(_reader(hidden_act="gelu", **BIG_G))
    pipeline = StableDiffusionXLPipeline(
        vae=decoder,
        text_encoder=reader,
        text_encoder_2=second,
        tokenizer=_words(),
        tokenizer_2=_words(),
        unet=eye,
        scheduler=EulerDiscreteScheduler(**NOISE, timestep_spacing="leading"),
    )
    return _save(pipeline, folder)


def _on(device: str) -> AbstractContextManager[Any]:
    torch.manual_seed(0)
    place: AbstractContextManager[Any] = torch.device(device)
    return place


def _save(pipeline: Any, folder: Path) -> dict[str, float]:
    # A last layer of zeros: the noise that is "predicted" stays small, and half precision does not overflow in 30 steps.
    torch.nn.init.zeros_(pipeline.unet.conv_out.weight)
    parts = {name: part for name, part in pipeline.components.items() if isinstance(part, torch.nn.Module)}
    for part in parts.values():
        part.half()
    pipeline.save_pretrained(folder, variant="fp16")
    return {name: sum(weights.numel() for weights in part.parameters()) / 1e6 for name, part in parts.items()}


def _decoder(**more: Any) -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=4,
        **more,
    )


def _words() -> CLIPTokenizer:
    return CLIPTokenizer(vocab=WORDS, merges=[], model_max_length=77)


def _reader(**more: Any) -> CLIPTextConfig:
    return CLIPTextConfig(vocab_size=VOCABULARY, bos_token_id=0, eos_token_id=1, pad_token_id=1, **more)


SAVE: dict[str, Callable[[Path, str], dict[str, float]]] = {"sd-1-5": save_sd15, "sdxl-base": save_sdxl}
