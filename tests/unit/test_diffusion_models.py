"""Pulling a diffusion model: what is taken of it, what is refused, what is noted; and that nobody gets one without its licence."""

import json
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.avatar import models_command
from services.avatar.model_cards import CARDS
from services.avatar.model_store import manifest_of, manifests, verify
from services.avatar.pulling import PullError, chosen, pull_folder
from services.avatar.settings import AvatarSettings
from shared.errors import SettingsError

INDEX: dict[str, Any] = {
    "_class_name": "StableDiffusionPipeline",
    "_diffusers_version": "0.42.1",
    "feature_extractor": ["transformers", "CLIPImageProcessor"],
    "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
    "image_encoder": [None, None],
    "scheduler": ["diffusers", "DDIMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
}
FILES = {
    "LICENSE.md": "the licence",
    "README.md": "the card",
    "scheduler/scheduler_config.json": "{}",
    "text_encoder/config.json": "{}",
    "text_encoder/model.safetensors": "text",
    "text_encoder/model.fp16.safetensors": "half text",
    "text_encoder/pytorch_model.bin": "a program",
    "tokenizer/merges.txt": "a b",
    "tokenizer/tokenizer_config.json": "{}",
    "unet/config.json": "{}",
    "unet/diffusion_pytorch_model.safetensors": "eye",
    "unet/diffusion_pytorch_model.fp16-00001-of-00002.safetensors": "half",
    "unet/diffusion_pytorch_model.fp16-00002-of-00002.safetensors": "eye",
    "unet/diffusion_pytorch_model.non_ema.safetensors": "other",
    "unet/code.py": "a program",
    "unet/deeper/config.json": "{}",
    "safety_checker/model.safetensors": "unused",
    "whole.safetensors": "the same in one file",
    "whole.ckpt": "a program",
}
OWN = ("--licence", "CC0 1.0", "--licence-url", "https://creativecommons.org/publicdomain/zero/1.0/")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model as one finds them."""
    folder = tmp_path / "found"
    for name, text in {**FILES, "model_index.json": json.dumps(INDEX)}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of models."""
    monkeypatch.setattr(models_command, "settings", lambda: AvatarSettings(models=tmp_path / "models"))
    return tmp_path / "models"


def pull(folder: Path, *more: str, answer: str | None = None) -> int:
    """`counterfoil models pull mine --from file:…` on a terminal where `answer` is typed; without one there is no terminal."""
    words = ["pull", "mine", "--from", f"file:{folder}", *(OWN if "--licence" not in more else ()), *more]
    return models_command.main(words, ask=None if answer is None else lambda _: answer)


@pytest.mark.parametrize(
    ("variant", "weights"), [("", ["text_encoder/model.safetensors", "unet/diffusion_pytorch_model.safetensors"]), ("fp16", None)]
)
def test_only_data_of_one_variant_is_taken(variant: str, weights: list[str] | None) -> None:
    """Configurations, vocabularies, safetensors, licence and card; no pickle, no code, nothing of the parts that are not loaded."""
    taken = chosen([*FILES, "model_index.json"], INDEX, variant)
    plain = ["LICENSE.md", "README.md", "model_index.json", "scheduler/scheduler_config.json", "text_encoder/config.json"]
    plain += ["tokenizer/merges.txt", "tokenizer/tokenizer_config.json", "unet/config.json"]
    halves = ["text_encoder/model.fp16.safetensors"]
    halves += [f"unet/diffusion_pytorch_model.fp16-0000{part}-of-00002.safetensors" for part in (1, 2)]

    assert sorted([*plain, *(weights or halves)]) == sorted(taken)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"_class_name": "WanPipeline"}, "is a WanPipeline; here run StableDiffusionPipeline and"),
        ({"unet": ["my_code", "UNet"]}, "a model's own code is not run here"),
        ({"../unet": ["diffusers", "UNet"]}, "a model's own code is not run here"),
    ],
)
def test_what_is_not_understood_is_refused(root: Path, folder: Path, capsys: pytest.CaptureFixture[str], changes: Any, words: str) -> None:
    """Another pipeline, a class of its own, a part whose name is a path: nothing is left behind."""
    (folder / "model_index.json").write_text(json.dumps({**INDEX, **changes}))

    assert 2 == pull(folder, "--accept-licence")
    assert words in capsys.readouterr().err
    assert [] == [path for path in root.rglob("*") if path.is_file()]


def test_weights_that_are_only_pickles_are_refused(root: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence names the part."""
    (folder / "text_encoder" / "model.safetensors").unlink()

    assert 2 == pull(folder, "--accept-licence")
    assert "The part text_encoder has no safetensors without a variant. Pickles" in capsys.readouterr().err
    assert [] == manifests(root)


@pytest.mark.parametrize(("more", "answer", "status"), [((), None, 2), ((), "no", 2), ((), " Yes ", 0), (("--accept-licence",), None, 0)])
def test_nobody_gets_a_model_without_its_licence(root: Path, folder: Path, more: tuple[str, ...], answer: str | None, status: int) -> None:
    """By the flag, or by yes on a terminal; without a terminal nothing is assumed."""
    assert status == pull(folder, *more, answer=answer)
    assert (status == 0) == bool(manifests(root))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["pull", "mine", "--accept-licence"], "Say where yours is"),
        (["pull", "mine", "--from", "file:/x", "--accept-licence"], "Say the model's licence"),
        (["pull", "Mine!", "--from", "file:/x", *OWN, "--accept-licence"], "small letters"),
        (["pull", "mine", "--from", "ftp://x", *OWN, "--accept-licence"], "file:/FOLDER or hub:OWNER/REPOSITORY@COMMIT"),
        (["pull", "mine", "--from", "hub:a/b@main", *OWN, "--accept-licence"], "a branch or a tag may move"),
        (["pull", "sdxl-base", *OWN, "--accept-licence"], "Give a model of your own another name"),
        (["show", "mine"], "The catalogue has no mine"),
    ],
)
def test_a_wish_that_makes_no_sense_is_answered_with_what_would(
    root: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    """Exit status 2, a sentence, nothing written."""
    assert 2 == models_command.main(words)
    assert told in capsys.readouterr().err
    assert not root.exists()


def test_what_was_pulled_is_noted_and_checked(root: Path, folder: Path) -> None:
    """Source, licence, and a digest of each file; a changed, missing or added file is found."""
    pull(folder, "--accept-licence", "--steps", "4", "--guidance", "0")
    manifest = manifest_of(root, "mine")
    verify(root, manifest)

    assert (f"file:{folder}", "CC0 1.0", 4, 0.0) == (manifest.source, manifest.licence, manifest.steps, manifest.guidance)
    assert 10 == len(manifest.files)
    assert 40 == len(manifest.revision)
    for change in (
        lambda: (root / "mine" / "unet" / "diffusion_pytorch_model.safetensors").write_text("eyf"),
        lambda: (root / "mine" / "unet" / "pytorch_model.bin").write_text("a program"),
        (root / "mine" / "unet" / "config.json").unlink,
    ):
        pull(folder, "--accept-licence")
        change()
        with pytest.raises(SettingsError, match="Pull it again"):
            verify(root, manifest_of(root, "mine"))


def test_a_pull_that_fails_leaves_the_model_that_was_there(root: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk, half-way: the old one stays whole, and no draft lies about."""
    pull(folder, "--accept-licence")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    assert 2 == pull(folder, "--accept-licence")

    verify(root, manifest_of(root, "mine"))
    assert ["mine"] == [path.name for path in root.iterdir()]


def test_without_the_group_a_hub_is_out_of_reach(root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """And the sentence says what to install."""
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)

    assert 2 == models_command.main(["pull", "sd-1-5", "--accept-licence"])
    assert "needs the group avatar-gpu" in capsys.readouterr().err
    assert not root.exists()


def test_every_card_names_a_commit_and_a_licence() -> None:
    """A card is what a deployer acknowledges: a fixed revision, and what the licence asks."""
    for name, card in CARDS.items():
        assert name == card.name
        assert 40 == len(card.revision)
        assert card.licence_url.startswith("https://")
        assert card.demands


def test_list_tells_what_is_here_and_what_can_be_had(root: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both, with licence and revision."""
    pull(folder, "--accept-licence")
    capsys.readouterr()

    assert 0 == models_command.main(["list"])
    lines = capsys.readouterr().out.splitlines()
    assert [("mine", "here"), ("sdxl-base", "to"), ("sd-1-5", "to")] == [tuple(line.split()[:2]) for line in lines]
    assert root.exists()


def test_pull_errors_are_sentences(tmp_path: Path) -> None:
    """A model that is no folder."""
    with pytest.raises(PullError, match="holds no model as diffusers saves it"):
        pull_folder(tmp_path, CARDS["sd-1-5"], tmp_path / "nowhere", datetime.now(UTC))
