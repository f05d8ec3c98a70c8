"""The diffusion engine's own decisions, with a painter that needs no torch: who paints, who stands in, what the result says."""

import importlib.util
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from services.avatar import content, diffusion, engines, tasks
from services.avatar.batches import CardFullError, OnStep, Room
from services.avatar.model_store import Manifest
from services.avatar.pipelines import Painter, Wish
from services.avatar.settings import AvatarSettings
from services.avatar.tasks import generate, make
from shared.contracts.avatar import AvatarResult, GenerateAvatar
from shared.errors import JobCanceled, PermanentError
from tests.unit.avatar_job import UPLOAD, AvatarJob

SAMPLE = Path("deploy/samples/portrait.jpg")
MANIFEST = Manifest(
    name="tiny",
    title="Tiny",
    source="file:/x",
    revision="a" * 40,
    variant="",
    pipeline="StableDiffusionPipeline",
    licence="CreativeML Open RAIL++-M",
    licence_url="https://example.com/licence",
    acknowledged_at=datetime(2026, 11, 26, tzinfo=UTC),
    steps=4,
    guidance=6.5,
    files={},
)


class Fake(Painter):
    """Paints its seed as a grey; keeps what it was asked for; `full` where the card has no room at all."""

    wishes: list[Wish]
    full: bool

    def paint(self, wish: Wish, seeds: Sequence[int], on_step: OnStep) -> list[Any]:
        """As many steps as wished."""
        if self.full:
            raise CardFullError(Room(8_000_000_000, 0, 8_000_000_000))
        self.wishes.append(wish)
        for step in range(1, wish.steps + 1):
            on_step(step, wish.steps)
        return [np.full((self.edge, self.edge, 3), seed % 256, dtype=np.uint8) for seed in seeds]


class GpuJob(AvatarJob):
    """One that came by `avatar.gpu`."""

    need: str | None = "gpu"


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Fake:
    """A worker with a model."""
    fake = Fake(None, None, MANIFEST, "cuda", 64)
    object.__setattr__(fake, "wishes", [])
    object.__setattr__(fake, "full", False)
    monkeypatch.setattr(diffusion, "painter", lambda _: fake)
    return fake


def asked(**more: Any) -> GenerateAvatar:
    """A fox by diffusion."""
    return GenerateAvatar.model_validate({"prompt": "a fox", "engine": "diffusion", "size": 64, **more})


def test_a_result_names_model_licence_and_what_paints_it_again(card: Fake, tmp_path: Path) -> None:
    """Steps and guidance of the model where the request says none; each variant's number; the licence inside the file, too."""
    job = GpuJob(tmp_path)
    result = make(asked(variants=3, random_seed=2**63 - 2, negative_prompt="text"), job)

    assert ("diffusion", False, None) == (result.engine, result.degraded, result.degraded_reason)
    assert [2**63 - 2, 2**63 - 1, 0] == [variant.options["random_seed"] for variant in result.variants]
    told = {"model": "tiny", "revision": "a" * 40, "steps": 4, "guidance": 6.5, "negative_prompt": "text", "random_seed": 0}
    assert told == result.variants[2].options
    assert {("CreativeML Open RAIL++-M", "https://example.com/licence", "Made with Tiny, under CreativeML Open RAIL++-M")} == {
        (variant.licence, variant.licence_url, variant.attribution) for variant in result.variants
    }
    assert "Made with Tiny, under CreativeML Open RAIL++-M" == Image.open(io.BytesIO(job.published["avatar-1.png"])).info["Copyright"]
    assert [Wish("a fox", "text", 4, 6.5)] == [Wish(w.prompt, w.negative, w.steps, w.guidance) for w in card.wishes]


def test_the_same_prompt_has_the_same_numbers(card: Fake, tmp_path: Path) -> None:
    """Also with more variants: the first ones stay; another prompt has others; all are exact in JSON."""
    del card
    one, three, other = (make(asked(**more), GpuJob(tmp_path)) for more in ({}, {"variants": 3}, {"prompt": "a hen"}))
    numbers = [[variant.options["random_seed"] for variant in result.variants] for result in (one, three, other)]

    assert numbers[0] == numbers[1][:1]
    assert numbers[0] != numbers[2]
    assert all(0 <= number < 2**53 + 3 for row in numbers for number in row)


def test_a_photo_is_where_it_begins(card: Fake, tmp_path: Path) -> None:
    """Head and shoulders at the model's edge; the face is told; `strength` as asked, else a middle one."""
    results = [make(asked(photo=UPLOAD, **more), GpuJob(tmp_path, photo=SAMPLE)) for more in ({}, {"strength": 0.25})]

    assert [(64, 64, 3)] * 2 == [wish.start.shape for wish in card.wishes if wish.start is not None]
    assert [0.6, 0.25] == [wish.strength for wish in card.wishes] == [result.variants[0].options["strength"] for result in results]
    assert results[0].face is not None


def test_sizes_and_formats_are_made_of_one_painting(card: Fake, tmp_path: Path) -> None:
    """Larger and smaller than the model's edge."""
    job = GpuJob(tmp_path)
    make(asked(sizes=[32, 128], formats=["png", "webp"]), job)

    assert {(32, 32), (128, 128)} == {Image.open(io.BytesIO(data)).size for data in job.published.values()}
    assert (4, 1) == (len(job.published), len(card.wishes))


def test_progress_and_cancel_at_every_step(card: Fake, tmp_path: Path) -> None:
    """Six variants in batches of four: progress never goes back; a cancel in the second batch leaves the first one's files."""
    job = GpuJob(tmp_path)
    make(asked(variants=6, steps=5), job)
    fractions = [fraction for fraction, step, _ in job.steps if step != "prepare"]
    late = GpuJob(tmp_path, cancel_at=5 + 2)
    with pytest.raises(JobCanceled):
        make(asked(variants=6, steps=5), late)

    assert sorted(fractions) == fractions
    assert {"step 3 of 5, pictures 1-4 of 6", "step 5 of 5, pictures 5-6 of 6"} < {detail for _, _, detail in job.steps}
    assert {"avatar-1.png"} == set(late.published)
    assert 3 == len(card.wishes)


MISSING = {
    "no model is named": (AvatarSettings(), "AVATAR_DIFFUSION_MODEL names none"),
    "the group is not installed": (AvatarSettings(diffusion_model="tiny"), "is not installed on this worker"),
}


def without(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, case: str) -> str:
    """A worker that lacks something; what its sentence says."""
    found = importlib.util.find_spec
    lacking = case == "the group is not installed"
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if lacking and name == "torch" else found(name))
    chosen, words = MISSING[case]
    own = chosen.model_copy(update={"models": tmp_path})
    monkeypatch.setattr(tasks, "settings", lambda: own)
    return words


@pytest.mark.parametrize("case", MISSING)
def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, case: str) -> None:
    """A permanent error of a type of its own, with a sentence for the deployer."""
    words = without(monkeypatch, tmp_path, case)
    with pytest.raises(PermanentError, match=words) as caught:
        make(asked(), GpuJob(tmp_path))

    assert ("diffusion-unavailable", "/engine") == (caught.value.type, caught.value.pointer)


def test_a_job_of_an_ordinary_queue_loads_no_model(card: Fake, tmp_path: Path) -> None:
    """Though this machine has one: the gateway found nobody at `avatar.gpu`, and each child of the pool would load its own."""
    result = make(asked(degrade=True), AvatarJob(tmp_path))
    with pytest.raises(PermanentError, match="No worker with a GPU was at work") as caught:
        make(asked(), AvatarJob(tmp_path))

    assert ("prompt", "No worker with a GPU was at work when the job was accepted.") == (result.engine, result.degraded_reason)
    assert "diffusion-unavailable" == caught.value.type
    assert [] == card.wishes


@pytest.mark.parametrize("case", MISSING)
@pytest.mark.parametrize(
    ("body", "engine"),
    [
        ({}, "prompt"),
        ({"style": "avataaars"}, "prompt"),
        ({"photo": UPLOAD, "strength": 0.5}, "portrait"),
        ({"photo": UPLOAD, "style": "micah"}, "lookalike"),
    ],
)
def test_another_engine_stands_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, case: str, body: Any, engine: str) -> None:
    """The photo's where there is one, in the style that was asked for; the result says so, and why."""
    words = without(monkeypatch, tmp_path, case)
    result = make(asked(degrade=True, steps=9, **body), GpuJob(tmp_path, photo=SAMPLE))

    assert (engine, True) == (result.engine, result.degraded)
    assert words in str(result.degraded_reason)
    assert body.get("style") in {None, result.variants[0].style}


def test_a_card_that_is_too_small_is_stood_in_for(card: Fake, tmp_path: Path) -> None:
    """Where it may be degraded; else the typed failure."""
    object.__setattr__(card, "full", True)
    result = make(asked(degrade=True, variants=4), GpuJob(tmp_path))
    with pytest.raises(PermanentError, match="does not fit") as caught:
        make(asked(), GpuJob(tmp_path))

    assert ("prompt", True) == (result.engine, result.degraded)
    assert "gpu-memory" == caught.value.type


def test_a_stand_in_is_not_kept(card: Fake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The next try may find a card; what a model painted is kept, until another model would paint it."""
    monkeypatch.setattr(tasks, "settings", lambda: AvatarSettings(home=tmp_path))
    models = iter(["", "", "tiny a", "tiny a", "tiny b"])
    monkeypatch.setattr(tasks, "model_of", lambda _: next(models))
    object.__setattr__(card, "full", True)
    results: list[AvatarResult] = [generate(asked(degrade=True), GpuJob(tmp_path)) for _ in range(2)]
    object.__setattr__(card, "full", False)
    results += [generate(asked(degrade=True), GpuJob(tmp_path)) for _ in range(3)]

    assert [(True, False), (True, False), (False, False), (False, True), (False, False)] == [(r.degraded, r.cached) for r in results]


def test_the_content_policy_sees_what_is_painted(card: Fake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One picture of three above the threshold is lost alone; all of them are the job's failure, by its own type."""
    del card
    monkeypatch.setattr(content, "settings", lambda: AvatarSettings(content_threshold=0.8))
    monkeypatch.setattr(diffusion, "settings", lambda: AvatarSettings(content_threshold=0.8))
    monkeypatch.setattr(content, "score_of", lambda pixels: 0.9 if pixels[0, 0, 0] == 8 else 0.1)
    job = GpuJob(tmp_path)
    result = make(asked(variants=3, random_seed=7), job)
    with pytest.raises(PermanentError, match="content policy") as caught:
        make(asked(random_seed=8), GpuJob(tmp_path))

    assert ["avatar-1.png", "avatar-3.png"] == list(job.published)
    assert [(2, "tiny")] == [(failed.number, failed.style) for failed in result.failed]
    assert "content-refused" == caught.value.type


def test_only_workers_of_the_need_load_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ordinary worker's warm-up touches no diffusion; a GPU worker's second one nothing else."""
    assert [("diffusion", "gpu")] == [(engine.name, engine.need) for engine in engines.ENGINES if engine.need]
    loaded: list[bool] = []
    monkeypatch.setattr(diffusion, "painter", lambda _: loaded.append(True))
    engines.ENGINES[0].load()
    assert [True] == loaded
