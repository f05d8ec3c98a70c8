"""The diffusion model of this process: loaded once, checked, offline; paints batches. The only module that touches torch.

torch and diffusers are of the dependency group avatar-gpu and are imported in the functions: some 5 s, and nothing for the worker's
parent. Nothing is ever fetched here: the hub's library is told that it is offline before it is imported, and only local files are read.
"""

import gc
import importlib.util
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from services.avatar.batches import CardFullError, OnStep, Room
from services.avatar.model_store import Manifest, manifest_of, verify
from services.avatar.pulling import UNUSED
from services.avatar.raster import RenderError
from services.avatar.settings import AvatarSettings
from shared.errors import SettingsError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Pixels = npt.NDArray[np.uint8]

log = structlog.get_logger()
_FULL = (
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION",
)
_loading = threading.Lock()
_loaded: dict[tuple[str, ...], "Painter"] = {}


@dataclass(frozen=True, slots=True)
class Wish:
    """What to paint. `start` is a photo of shape (edge, edge, 3) to begin from, `strength` (0 to 1) how far from it."""

    prompt: str
    negative: str | None
    steps: int
    guidance: float
    start: "Pixels | None" = None
    strength: float = 1.0


def painter(settings: AvatarSettings) -> "Painter":
    """The model that the settings name, ready; loaded once per process.

    Raises:
        SettingsError: no model is named, it is not pulled or was changed, the group avatar-gpu or a card is missing.
        CardFullError: the model itself does not fit.
    """
    name, root = settings.diffusion_model, settings.models_folder
    if not name:
        raise SettingsError("No diffusion model is set up on this worker: AVATAR_DIFFUSION_MODEL names none.")
    if missing := [package for package in ("torch", "diffusers", "transformers") if importlib.util.find_spec(package) is None]:
        raise SettingsError(f"{missing[0]} is not installed on this worker: python deploy/install.py avatar-gpu")
    manifest = manifest_of(root, name)
    key = (str(root), name, manifest.revision, str(manifest.acknowledged_at), settings.diffusion_device, str(settings.diffusion_edge))
    with _loading:  # the first job may come while the warm-up is at it
        if key not in _loaded:
            _refuse_missing_device(settings.diffusion_device)
            verify(root, manifest)
            _loaded.clear()  # a model that was pulled anew
            _loaded[key] = _load(root / name, manifest, settings.diffusion_device, settings.diffusion_edge)
        return _loaded[key]


def _is_full(error: RuntimeError) -> bool:
    """Whether it was for want of the card's memory: torch's own error, or that of a library which takes some behind torch's back."""
    import torch  # noqa: PLC0415 - see the module's docstring

    said = str(error)
    return isinstance(error, torch.OutOfMemoryError) or any(word in said for word in _FULL)


def _room(device: str) -> Room:
    """How the card's memory is shared out now; of no card, nothing."""
    import torch  # noqa: PLC0415 - see the module's docstring

    if device != "cuda":
        return Room(0, 0, 0)
    free, total = torch.cuda.mem_get_info()
    return Room(total, free, torch.cuda.memory_reserved())


def _give_back(device: str) -> None:
    import torch  # noqa: PLC0415 - see the module's docstring

    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()


def _refuse_missing_device(device: str) -> None:
    import torch  # noqa: PLC0415 - see the module's docstring

    if device == "cuda" and not torch.cuda.is_available():
        raise SettingsError("This worker has no GPU that CUDA can use. (AVATAR_DIFFUSION_DEVICE=cpu would take minutes a picture.)")


def _load(folder: Path, manifest: Manifest, device: str, edge: int) -> "Painter":
    os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1")
    import diffusers  # noqa: PLC0415 - see the module's docstring
    import torch  # noqa: PLC0415
    import transformers  # noqa: PLC0415

    for speaker in (diffusers.utils.logging, transformers.utils.logging):  # bars and hints are for terminals
        speaker.set_verbosity_error()
        speaker.disable_progress_bar()
    started = time.perf_counter()
    kind = getattr(diffusers, manifest.pipeline)
    given: dict[str, Any] = dict.fromkeys(UNUSED if manifest.pipeline == "StableDiffusionPipeline" else UNUSED - {"safety_checker"})
    if manifest.pipeline == "StableDiffusionPipeline":
        given["requires_safety_checker"] = False
    try:
        text = kind.from_pretrained(
            str(folder),
            dtype=torch.float16 if device == "cuda" else torch.float32,
            variant=manifest.variant or None,
            use_safetensors=True,
            local_files_only=True,
            **given,
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise SettingsError(f"The model {manifest.name} cannot be loaded: {type(error).__name__}: {str(error)[:200]}") from error
    try:
        text.to(device)
    except RuntimeError as error:
        if not _is_full(error):
            raise
        full = True
    else:
        full = False
    if full:  # not in the clause above: there the error's traceback would still hold what has arrived
        del text
        _give_back(device)
        raise CardFullError(_room(device))
    painted = Painter.of(text, manifest, device, edge)
    log.info(
        "diffusion_model_loaded", model=manifest.name, device=device, edge=painted.edge, seconds=round(time.perf_counter() - started, 2)
    )
    return painted


@dataclass(frozen=True, slots=True)
class Painter:
    """A loaded model: `text` and `image` are its two pipelines over the same weights, `edge` the edge at which it paints, in pixels."""

    text: Any
    image: Any
    manifest: Manifest
    device: str
    edge: int

    @classmethod
    def of(cls, text: Any, manifest: Manifest, device: str, edge: int = 0) -> "Painter":
        """Around a text-to-image pipeline that lies on `device`."""
        from diffusers import AutoPipelineForImage2Image  # noqa: PLC0415 - see the module's docstring

        image = AutoPipelineForImage2Image.from_pipe(text)
        for pipeline in (text, image):
            pipeline.set_progress_bar_config(disable=True)
        text.vae.enable_slicing()  # a batch is decoded picture by picture: its peak is then that of one
        return cls(text, image, manifest, device, edge or int(text.unet.config.sample_size) * int(text.vae_scale_factor))

    def paint(self, wish: Wish, seeds: Sequence[int], on_step: OnStep) -> "list[Pixels]":
        """A picture for each seed; the same seed begins from the same noise in any batch, on any device.

        Raises:
            CardFullError: the batch does not fit; what it had taken is given back.
            RenderError: the model's numbers overflowed.
            Exception: what `on_step` raises to stop it.
        """
        pictures = None
        try:
            pictures = self._run(wish, seeds, on_step)
        except RuntimeError as error:
            if not _is_full(error):
                raise
            log.info("card_full", batch=len(seeds), said=str(error).partition("\n")[0][:200])
        finally:
            self._as_loaded()
        if pictures is None:  # not in the clause above: there the error's traceback would still hold the batch
            _give_back(self.device)
            raise CardFullError(_room(self.device))
        return pictures

    def _run(self, wish: Wish, seeds: Sequence[int], on_step: OnStep) -> "list[Pixels]":
        import numpy as np  # noqa: PLC0415 - heavy
        import torch  # noqa: PLC0415 - see the module's docstring

        def after(pipeline: Any, step: int, _timestep: Any, values: dict[str, Any]) -> dict[str, Any]:
            if self.device == "cuda":  # else the steps are only queued up, and neither progress nor a cancel means anything
                torch.cuda.synchronize()
            on_step(step + 1, int(pipeline.num_timesteps))
            return values

        many = len(seeds)
        asked: dict[str, Any] = {
            "prompt": [wish.prompt] * many,
            "negative_prompt": None if wish.negative is None else [wish.negative] * many,
            "guidance_scale": wish.guidance,
            # On the processor: a card's own noise differs from card to card.
            "generator": [torch.Generator("cpu").manual_seed(seed) for seed in seeds],
            "callback_on_step_end": after,
            "output_type": "np",
        }
        if wish.start is None:
            out = self.text(**asked, num_inference_steps=wish.steps, height=self.edge, width=self.edge).images
        else:
            begin = torch.from_numpy(wish.start.astype(np.float32) / np.float32(255)).permute(2, 0, 1)[None].repeat(many, 1, 1, 1)
            steps = max(wish.steps, -int(-1 // wish.strength))  # of these, the share `strength` is done: at least one
            out = self.image(**asked, image=begin, strength=wish.strength, num_inference_steps=steps).images
        if not np.isfinite(out).all():
            raise RenderError("the model's numbers overflowed: half precision is too coarse for it")
        return [np.ascontiguousarray((picture * 255 + 0.5).clip(0, 255).astype(np.uint8)) for picture in out]

    def _as_loaded(self) -> None:
        """XL decodes in full precision and goes back to half by itself, unless something ended it in between: the next job would fail."""
        if self.text.vae.dtype != self.text.unet.dtype:
            self.text.vae.to(dtype=self.text.unet.dtype)
