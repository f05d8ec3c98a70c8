"""One process as a GPU worker's is: pulls a model, loads it, paints; prints its figures as JSON. Run by `bench.diffusion`."""

import gc
import json
import logging
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import structlog
import torch

from bench.diffusion.architectures import SAVE
from services.avatar.batches import Batches
from services.avatar.model_cards import CARDS
from services.avatar.pipelines import Painter, Wish, painter
from services.avatar.pulling import pull_folder
from services.avatar.settings import AvatarSettings
from services.avatar.tasks import make
from shared.contracts.avatar import GenerateAvatar
from shared.errors import JobCanceled, JobError
from tests.diffusion import tiny
from tests.unit.avatar_job import AvatarJob

GB = 2**30
CHUNK = 64 * 2**20
HOLD = """
import sys, torch
leave, kept = int(sys.argv[1]), []
while (free := torch.cuda.mem_get_info()[0]) > leave + 2**26:
    kept.append(torch.empty(min(2**30, free - leave), dtype=torch.uint8, device='cuda'))
print('holding', flush=True)
sys.stdin.read()
"""
MANY = 16
"""A batch that needs much more than one picture does: four are painted in the room that decoding one takes."""
WISH = Wish("a fox in a tweed jacket", "text", 30, 7.0)


def quiet(*_: object, **__: object) -> None:
    """Tell nobody."""


class GpuJob(AvatarJob):
    """One that came by `avatar.gpu`."""

    need: str | None = "gpu"


@dataclass(slots=True)
class Bench:
    """One model on one device, and how often each thing is done."""

    name: str
    root: Path
    device: str
    turns: int
    batch: int = 4

    def pulled(self) -> dict[str, Any]:
        """The model made, then pulled as a deployer does: copied, each file's digest noted."""
        source = self.root / "found" / self.name
        sizes: dict[str, float] = {}
        if self.name == "tiny":
            torch.set_num_threads(1)
            tiny.save_xl(source)
        else:
            sizes = SAVE[self.name](source, self.device)
        gc.collect()
        torch.cuda.empty_cache()
        card = CARDS.get(self.name) or replace(CARDS["sdxl-base"], name=self.name, variant="")
        began = time.perf_counter()
        manifest = pull_folder(self.root / "models", card, source, datetime.now(UTC))
        return {
            "parameters_m": sum(sizes.values()),
            "unet_m": sizes.get("unet", 0),
            "gb": manifest.bytes / 1e9,
            "pull_s": time.perf_counter() - began,
        }

    @property
    def settings(self) -> AvatarSettings:
        """A GPU worker's."""
        device: Any = self.device
        return AvatarSettings(models=self.root / "models", diffusion_model=self.name, diffusion_device=device, cache_bytes=0)

    def timed(self, model: Painter, wish: Wish, many: int = 1, turns: int = 0) -> dict[str, float]:
        """Seconds of a batch, the middle of some turns, and the memory above what the model itself takes."""
        walls = []
        self._forget_peak()
        resting = self._allocated()
        for turn in range(turns or self.turns):
            began = time.perf_counter()
            model.paint(wish, range(turn, turn + many), quiet)
            walls.append(time.perf_counter() - began)
        return {"s": statistics.median(walls), "slowest_s": max(walls), "above_gb": (self._peak() - resting) / GB}

    def canceled(self, model: Painter, many: int) -> list[float]:
        """Seconds from a cancel, at a moment of its own in each turn, until the painter has stopped and given back its memory."""
        found = []
        for turn in range(5):
            asked: list[float] = []

            def on_step(done: int, _of: int, asked: list[float] = asked, turn: int = turn) -> None:
                if done == turn + 2:
                    threading.Timer(0.017 * turn, lambda: asked.append(time.perf_counter())).start()
                if asked:
                    raise JobCanceled

            try:
                model.paint(replace(WISH, steps=100), range(many), on_step)
            except JobCanceled:
                found.append(time.perf_counter() - asked[0])
        return found

    def whole_job(self) -> dict[str, float]:
        """Seconds of four variants as a worker does them, from the command to four PNGs; its stages."""
        command = GenerateAvatar(prompt=WISH.prompt, engine="diffusion", variants=self.batch, size=512, steps=30)
        began = time.perf_counter()
        with patch("services.avatar.tasks.settings", lambda: self.settings):
            result = make(command, GpuJob(self.root))
        return {"s": time.perf_counter() - began, **{f"{name}_ms": ms for name, ms in result.timings_ms.items()}}

    def crowded(self, model: Painter, alone_gb: float, together_gb: float) -> dict[str, Any]:
        """A batch on a card that plain tensors leave too little of: how it was halved, how long it took, whether the pictures differ."""
        wish = replace(WISH, steps=4)
        whole = model.paint(wish, range(MANY), quiet)
        with self._filled(alone_gb + (together_gb - alone_gb) * 0.45) as free:
            tried: list[int] = []

            def paint(seeds: Sequence[int], on_step: Callable[[int, int], None]) -> Any:
                tried.append(len(seeds))
                return model.paint(wish, seeds, on_step)

            batches = Batches(paint, range(MANY), MANY, quiet, lambda: None)
            began = time.perf_counter()
            made = [batches.picture(number) for number in range(MANY)]
            seconds = time.perf_counter() - began
        differ = max(int(np.abs(one.astype(int) - other.astype(int)).max()) for one, other in zip(whole, made, strict=True))
        with self._filled(alone_gb * 0.3):
            refused = self._refusal(model)
        return {"free_gb": free / GB, "tried": tried, "s": seconds, "largest_difference": differ, "full": refused}

    def beside_others(self, model: Painter, alone_gb: float) -> dict[str, Any]:
        """Another process holds most of the card: the failure that passes."""
        torch.cuda.empty_cache()
        command = [sys.executable, "-c", HOLD, str(int(alone_gb * 0.3 * GB))]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            if other.stdout is None or other.stdin is None or "holding" not in other.stdout.readline():
                raise RuntimeError("the other process could not take the card's memory")
            found = self._refusal(model)
            other.stdin.close()
        return found

    def _refusal(self, model: Painter) -> dict[str, Any]:
        try:
            Batches(lambda seeds, on_step: model.paint(replace(WISH, steps=2), seeds, on_step), [1], 1, quiet, lambda: None).begin()
        except JobError as error:
            return {"type": error.type, "retryable": error.retryable, "detail": error.detail}
        return {"type": "", "retryable": False, "detail": "it fitted"}

    @contextmanager
    def _filled(self, leave_gb: float) -> Iterator[int]:
        """Plain tensors until only so much is free; the bytes that are."""
        torch.cuda.empty_cache()
        kept = []
        while (free := torch.cuda.mem_get_info()[0]) > leave_gb * GB + CHUNK:
            kept.append(torch.empty(min(GB, int(free - leave_gb * GB)), dtype=torch.uint8, device="cuda"))
        yield torch.cuda.mem_get_info()[0]
        kept.clear()
        torch.cuda.empty_cache()

    def _allocated(self) -> int:
        return int(torch.cuda.memory_allocated()) if self.device == "cuda" else 0

    def _peak(self) -> int:
        return int(torch.cuda.max_memory_allocated()) if self.device == "cuda" else 0

    def _forget_peak(self) -> None:
        if self.device == "cuda":
            torch.cuda.reset_peak_memory_stats()


def main() -> None:
    """Everything for one model, printed as one line of JSON; what it is at goes to stderr."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    name, root, device, turns = sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    bench = Bench(name, root, device, turns)
    began = time.perf_counter()

    def at(what: str) -> None:
        sys.stderr.write(f"{time.perf_counter() - began:7.1f} s  {name}: {what}\n")
        sys.stderr.flush()

    at("make and pull it")
    found: dict[str, Any] = {"name": name, "card": torch.cuda.get_device_name() if device == "cuda" else "no card", **bench.pulled()}
    at("load it")
    loading = time.perf_counter()
    model = painter(bench.settings)
    found |= {"load_s": time.perf_counter() - loading, "edge": model.edge, "model_gb": bench._allocated() / GB}  # noqa: SLF001 - its own
    start = np.random.default_rng(1).integers(0, 255, (model.edge, model.edge, 3), dtype=np.uint8)
    at("first picture")
    found["first_s"] = bench.timed(model, WISH, turns=1)["s"]
    at("pictures")
    few = replace(WISH, steps=4, guidance=0.0, negative=None)
    rows: dict[str, Any] = {}
    for edge in (512, 1_024) if device == "cuda" else (model.edge,):
        at_edge = replace(model, edge=edge)
        at_edge.paint(few, [0], quiet)
        rows[f"{edge} px, 30 steps"] = bench.timed(at_edge, WISH)
        rows[f"{edge} px, 4 steps without guidance"] = bench.timed(at_edge, few)
        rows[f"{edge} px, 30 steps, four at once"] = bench.timed(at_edge, WISH, bench.batch, 2)
    rows[f"{model.edge} px from a photo, 30 steps × 0.6"] = bench.timed(model, replace(WISH, start=start, strength=0.6))
    found["rows"] = rows
    at("a whole job")
    found["job"] = bench.whole_job()
    at("cancels")
    found["cancel_s"] = {"one": bench.canceled(model, 1), "four": bench.canceled(model, bench.batch)}
    if device == "cuda":
        alone = rows[f"{model.edge} px, 30 steps"]["above_gb"]
        rows[f"{model.edge} px, 4 steps, sixteen at once"] = sixteen = bench.timed(model, replace(WISH, steps=4), MANY, 1)
        at("a full card")
        found["crowded"] = bench.crowded(model, alone, sixteen["above_gb"])
        at("a card that another process holds")
        found["others"] = bench.beside_others(model, alone)
    at("done")
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
