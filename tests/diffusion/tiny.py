"""Whole Stable Diffusions of random weights, half a million parameters, as diffusers saves them: noise of 32 px, in milliseconds."""

from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

EDGE = 32
LETTERS = [chr(code) for code in range(ord("a"), ord("z") + 1)]
WORDS = {
    word: number for number, word in enumerate(["<|startoftext|>", "<|endoftext|>", *LETTERS, *(f"{letter}</w>" for letter in LETTERS)])
}
SCHEDULE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "clip_sample": False, "steps_offset": 1}


def _eye(**more: object) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=EDGE // 2,
        layers_per_block=1,
        block_out_channels=(16, 32),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=8,
        **more,
    )


def _decoder() -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(16, 32),
        down_block_types=("DownEncoderBlock2D", "DownEncoderBlock2D"),
        up_block_types=("UpDecoderBlock2D", "UpDecoderBlock2D"),
        latent_channels=4,
        norm_num_groups=8,
    )


def _words() -> CLIPTokenizer:
    return CLIPTokenizer(vocab=WORDS, merges=[], model_max_length=77)


def _reader(**more: object) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(WORDS),
        hidden_size=32,
        intermediate_size=37,
        num_hidden_layers=2,
        num_attention_heads=4,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
        **more,
    )


def save_sd(folder: Path) -> None:
    """A `StableDiffusionPipeline` in `folder`."""
    torch.manual_seed(0)
    StableDiffusionPipeline(
        vae=_decoder(),
        text_encoder=CLIPTextModel(_reader()),
        tokenizer=_words(),
        unet=_eye(cross_attention_dim=32),
        scheduler=DDIMScheduler(**SCHEDULE, set_alpha_to_one=False),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)


def save_xl(folder: Path) -> None:
    """A `StableDiffusionXLPipeline` in `folder`."""
    torch.manual_seed(0)
    sized = {"addition_embed_type": "text_time", "addition_time_embed_dim": 8, "transformer_layers_per_block": (1, 1)}
    StableDiffusionXLPipeline(
        vae=_decoder(),
        text_encoder=CLIPTextModel(_reader()),
        text_encoder_2=CLIPTextModelWithProjection(_reader(projection_dim=32)),
        tokenizer=_words(),
        tokenizer_2=_words(),
        unet=_eye(cross_attention_dim=64, projection_class_embeddings_input_dim=80, **sized),
        scheduler=DDIMScheduler(**SCHEDULE),
    ).save_pretrained(folder)
