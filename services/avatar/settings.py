"""The avatar service's settings: `AVATAR_*`, beside those that every service has."""

from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings


class AvatarSettings(ServiceSettings):
    """What a deployer may turn. Sizes in bytes and pixels."""

    model_config = SettingsConfigDict(env_prefix="AVATAR_", env_ignore_empty=True, extra="ignore", frozen=True)

    max_photo_bytes: int = Field(default=25_000_000, ge=1_000)
    """The largest photo file."""
    max_photo_pixels: int = Field(default=60_000_000, ge=10_000)
    """Width × height as the file declares them; 60 megapixels decode to 180 MB. Phones of 2026 make up to 50."""
    working_edge: int = Field(default=2_560, ge=512, le=8_192)
    """A photo is reduced to this longest edge before anything else is done to it."""
    seed_style: str = "moods"
    """The style of a bare `seed`: no licence to name (CC0), and it claims nothing about anybody's looks."""
    portrait_style: str = "poster"
    """The style of a photo where the request names none."""
    cache_bytes: int = Field(default=512_000_000, ge=0)
    """Finished avatars kept on this host's disk, by content; 0 keeps none. Portraits are among them, for `cache_hours` after their job."""
    cache_hours: float = Field(default=24.0, gt=0, le=720)
    """A kept avatar is drawn anew after so long."""
    content_threshold: float | None = Field(default=None, gt=0, le=1)
    """Photos, and pictures of a diffusion model, whose nudity score is at least this are refused (0.8 is usual); unset: none is scored.
    Needs the group avatar-content."""
    model_threads: int = Field(default=1, ge=1, le=16)
    """Threads a model may use; the pool children are the parallelism."""
    painting_threads: int = Field(default=2, ge=1, le=64)
    """Threads a painting may use: it is the one thing here that takes a core for a second."""
    models: Path = Path()
    """Where pulled diffusion models lie; empty: `models` in the home."""
    diffusion_model: str = ""
    """The pulled model that this worker answers `engine: diffusion` with; empty: none. For machines with a GPU and the group avatar-gpu."""
    diffusion_device: Literal["cuda", "cpu"] = "cuda"
    """What it computes with; `cpu` takes minutes for what a card does in seconds."""
    diffusion_edge: int = Field(default=0, ge=0, le=2_048, multiple_of=64)
    """The edge at which it paints, in pixels; 0: the model's own. Other sizes are scaled from it."""
    diffusion_batch: int = Field(default=4, ge=1, le=16)
    """Variants that are painted at once; halved for a job where the card has no room."""

    @property
    def models_folder(self) -> Path:
        """The folder of pulled diffusion models."""
        return self.models if self.models != Path() else self.home / "models" / "avatar"


@cache
def settings() -> AvatarSettings:
    """The settings, read once per process."""
    return AvatarSettings()
