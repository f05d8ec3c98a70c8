"""A real pipeline, tiny, from the pulled folder to the file: text-to-image, image-to-image, seeds, steps, cancel, a full card."""

import io
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

pytest.importorskip("diffusers", reason="the group avatar-gpu is not installed: python deploy/install.py avatar-gpu")

import torch

from services.avatar import content, diffusion, pipelines
from services.avatar.model_cards import ModelCard
from services.avatar.pipelines import Painter, painter
from services.avatar.pulling import pull_folder
from services.avatar.settings import AvatarSettings
from services.avatar.tasks import make
from services.avatar.workshop import Workshop
from shared.contracts.avatar import GenerateAvatar
from shared.errors import JobCanceled, PermanentError, SettingsError
from tests.diffusion import tiny
from tests.unit.avatar_job import UPLOAD, AvatarJob

SAMPLE = Path("deploy/samples/portrait.jpg")
NOW = datetime(2026, 11, 26, tzinfo=UTC)


class GpuJob(AvatarJob):
    """One that came by `avatar.gpu`."""

    need: str | None = "gpu"


torch.set_num_threads(1)  # for tensors of a kilobyte the second thread only waits


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both kinds of model, pulled."""
    folder = tmp_path_factory.mktemp("models")
    for name, save in (("sd", tiny.save_sd), ("xl", tiny.save_xl)):
        save(folder / "found" / name)
        card = ModelCard(name, name.upper(), "CC0 1.0", "https://creativecommons.org/publicdomain/zero/1.0/", (), steps=3)
        pull_folder(folder / "pulled", card, folder / "found" / name, NOW)
    return folder / "pulled"


def settings(root: Path, name: str = "sd", **more: Any) -> AvatarSettings:
    """A worker's, with a CPU for a card."""
    return AvatarSettings(models=root, diffusion_model=name, diffusion_device="cpu", cache_bytes=0, **more)


@pytest.fixture(params=["sd"])
def model(root: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Painter:
    """What this process has loaded."""
    chosen = settings(root, request.param)
    monkeypatch.setattr("services.avatar.tasks.settings", lambda: chosen)
    return painter(chosen)


def asked(**more: Any) -> GenerateAvatar:
    """A fox by diffusion."""
    return GenerateAvatar.model_validate({"prompt": "a fox", "engine": "diffusion", "size": 32, "random_seed": 7, **more})


def pictures(job: AvatarJob) -> list[bytes]:
    """The pixels of what was published, in order."""
    return [Image.open(io.BytesIO(job.published[name])).convert("RGB").tobytes() for name in sorted(job.published)]


def painted(tmp_path: Path, **more: Any) -> list[bytes]:
    """The pixels of a job."""
    job = GpuJob(tmp_path, photo=SAMPLE)
    make(asked(**more), job)
    return pictures(job)


@pytest.mark.parametrize("model", ["sd", "xl"], indirect=True)
def test_both_kinds_of_pipeline_paint_from_text_and_from_a_photo(model: Painter, tmp_path: Path) -> None:
    """The same seed is the same picture, another seed, prompt, number of steps or beginning is another."""
    told: tuple[dict[str, Any], ...] = (
        {},
        {},
        {"random_seed": 8},
        {"prompt": "a hen"},
        {"steps": 2},
        {"negative_prompt": "teeth"},
        {"photo": UPLOAD},
    )
    first, again, *others = [painted(tmp_path, **more)[0] for more in told]

    assert tiny.EDGE == model.edge
    assert first == again
    assert len({first, *others}) == len(others) + 1


def test_a_weak_strength_stays_near_the_photo(model: Painter, tmp_path: Path) -> None:
    """Of five steps a strength of 0.2 does one, and of 1.0 all."""
    job = GpuJob(tmp_path, photo=SAMPLE)
    make(asked(photo=UPLOAD, strength=0.2, steps=5), job)
    most = GpuJob(tmp_path, photo=SAMPLE)
    make(asked(photo=UPLOAD, strength=1.0, steps=5), most)
    least = GpuJob(tmp_path, photo=SAMPLE)
    make(asked(photo=UPLOAD, strength=0.05, steps=1), least)

    assert ["step 1 of 1", "step 5 of 5", "step 1 of 1"] == [each.steps[-2][2].partition(",")[0] for each in (job, most, least)]
    assert "StableDiffusionImg2ImgPipeline" == type(model.image).__name__


def test_variants_are_the_same_alone_and_in_any_batch(model: Painter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    """A variant's own number paints it again; batches of four, of two and of one paint the same."""
    del model
    together = painted(tmp_path, variants=3)
    alone = [painted(tmp_path, random_seed=7 + number)[0] for number in range(3)]
    pairs = settings(root, diffusion_batch=2)
    monkeypatch.setattr("services.avatar.tasks.settings", lambda: pairs)

    assert together == alone == painted(tmp_path, variants=3)


def test_every_step_is_told_and_a_cancel_ends_it(model: Painter, tmp_path: Path) -> None:
    """Progress in steps; a cancel at the third of twenty stops there, publishes nothing, and the next job is whole."""
    job, done = GpuJob(tmp_path), GpuJob(tmp_path)
    make(asked(steps=20), done)
    steps = [detail for _, step, detail in done.steps if step == "paint"]
    job.cancel_at = 3
    with pytest.raises(JobCanceled):
        make(asked(steps=20), job)

    assert [f"step {number} of 20, picture 1 of 1" for number in range(1, 21)] == steps
    assert 2 == sum(step == "paint" for _, step, _ in job.steps)
    assert {} == job.published
    assert painted(tmp_path, steps=20) == pictures(done)
    assert model.edge == tiny.EDGE


@pytest.fixture
def room(model: Painter, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A card with room for `room[0]` pictures; the others in the list are the batches that were tried."""
    state = [2]
    forward = model.text.unet.forward

    def limited(sample: Any, *args: Any, **more: Any) -> Any:
        # Guidance doubles a batch. The second step fails, as where memory grows piecemeal.
        state.append(len(sample) // 2)
        if len(sample) // 2 > state[0] and len(state) % 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nmore")
        return forward(sample, *args, **more)

    monkeypatch.setattr(model.text.unet, "forward", limited)
    return state


def test_out_of_memory_halves_the_batch(room: list[int], tmp_path: Path) -> None:
    """Five variants, batches of four that do not fit: twos; every picture as with all the room in the world."""
    result = painted(tmp_path, variants=5)
    tried = list(room[1:])
    room[0] = 99

    assert {4, 2, 1} == set(tried)
    assert 4 == tried[0] == max(tried)
    assert result == painted(tmp_path, variants=5)


def test_out_of_memory_for_a_single_picture_is_a_typed_failure(room: list[int], tmp_path: Path) -> None:
    """After a try at half the size each; or another engine's picture, where that is wanted."""
    room[0] = 0
    with pytest.raises(PermanentError, match="does not fit") as caught:
        make(asked(variants=4), GpuJob(tmp_path))
    result = make(asked(degrade=True), GpuJob(tmp_path))

    assert "gpu-memory" == caught.value.type
    assert [4, 4, 2, 2, 1, 1] == room[1:7]
    assert ("prompt", True) == (result.engine, result.degraded)


def test_a_model_that_does_not_fit_the_card_is_a_typed_failure(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another engine may stand in; once there is room, the same process loads it."""

    def full(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(pipelines, "_loaded", {})
    own = settings(root)
    monkeypatch.setattr("services.avatar.tasks.settings", lambda: own)
    with monkeypatch.context() as patched:
        patched.setattr("diffusers.StableDiffusionPipeline.to", full)
        with pytest.raises(PermanentError, match="The model does not fit") as caught:
            make(asked(), GpuJob(tmp_path))
        assert "prompt" == make(asked(degrade=True), GpuJob(tmp_path)).engine

    assert "gpu-memory" == caught.value.type
    assert "diffusion" == make(asked(), GpuJob(tmp_path)).engine


@pytest.mark.parametrize("model", ["xl"], indirect=True)
def test_a_decoder_that_was_interrupted_is_as_it_was(model: Painter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """XL widens its decoder for the time of decoding; a card that is full just then must not spoil the next job."""
    before = painted(tmp_path)

    def widen_and_fail(*_: Any, **__: Any) -> None:
        model.text.vae.to(torch.float64)
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with monkeypatch.context() as patched:
        patched.setattr(model.text.vae, "decode", widen_and_fail)
        with pytest.raises(PermanentError, match="does not fit"):
            make(asked(), GpuJob(tmp_path))

    assert before == painted(tmp_path)


def test_nothing_is_fetched_at_run_time(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model is loaded with the network out of reach, once per process however often it is asked for."""
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("the network was asked"))
    monkeypatch.setattr(pipelines, "_loaded", {})
    loaded: list[str] = []
    load = pipelines._load

    def counted(folder: Path, *more: Any) -> Painter:
        loaded.append(folder.name)
        return load(folder, *more)

    monkeypatch.setattr(pipelines, "_load", counted)

    assert painter(settings(root)) is painter(settings(root))
    assert ["sd"] == loaded


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"diffusion_device": "cuda"}, "has no GPU that CUDA can use"),
        ({"diffusion_model": "none"}, "counterfoil models pull none"),
    ],
)
def test_what_is_missing_is_said(root: Path, more: dict[str, Any], words: str) -> None:
    """Of the commission too, as the type that another engine may stand in for."""
    if more.get("diffusion_device") == "cuda" and torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    own = settings(root).model_copy(update=more)
    with pytest.raises(SettingsError, match=words):
        painter(own)
    with pytest.raises(PermanentError, match=words) as caught:
        diffusion.commission(asked(), Workshop(own, need="gpu"))
    assert "diffusion-unavailable" == caught.value.type


def test_weights_that_were_changed_are_not_loaded(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A single byte, of the same length."""
    card = ModelCard("other", "Other", "CC0 1.0", "https://example.com", ())
    pull_folder(tmp_path, card, root / "sd", NOW)
    monkeypatch.setattr(pipelines, "_loaded", {})
    path = tmp_path / "other" / "vae" / "diffusion_pytorch_model.safetensors"
    weights = bytearray(path.read_bytes())
    weights[-1] ^= 1
    path.write_bytes(weights)

    with pytest.raises(SettingsError, match="was changed since it was pulled"):
        painter(settings(tmp_path, "other"))


def test_the_real_policy_scores_what_is_painted(model: Painter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a threshold below everything no picture gets out."""
    del model
    for module in (content, diffusion):
        monkeypatch.setattr(module, "settings", lambda: AvatarSettings(content_threshold=1e-9))
    with pytest.raises(PermanentError, match="content policy"):
        make(asked(variants=2), GpuJob(tmp_path))
