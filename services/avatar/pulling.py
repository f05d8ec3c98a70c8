"""Brings a diffusion model to this machine, from a hub's repository at one commit or from a folder, as far as it is data and not program.

Taken are configurations, vocabularies and safetensors of the one variant; never a pickle, never code of the repository's own. The only
part of the house that downloads weights, and only when a deployer says so: at run time nothing is fetched (`pipelines`).
"""

import json
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, get_args
from uuid import uuid4

from services.avatar.model_cards import ModelCard, Pipeline
from services.avatar.model_store import Manifest, noted
from shared.errors import CounterfoilError
from shared.storage import sha256_of

INDEX = "model_index.json"
UNUSED = frozenset({"safety_checker", "feature_extractor", "image_encoder"})
"""Parts of a pipeline that are not loaded: the house has a content policy of its own (`content`)."""
_LIBRARIES = ("diffusers", "transformers")
_PART = re.compile(r"^[a-z][a-z0-9_]{0,40}$")
_COMMIT = re.compile(r"^[0-9a-f]{40}$")
_WORDS = (".json", ".txt")


class PullError(CounterfoilError):
    """The model cannot be had as it was asked for; the sentence says why."""

    title = "The model was not pulled"


def pull_folder(root: Path, card: ModelCard, folder: Path, now: datetime) -> Manifest:
    """Copy a model that lies in `folder` as diffusers saves it. Raises PullError."""
    index = _index(folder / INDEX)
    names = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
    with _draft(root, card) as draft:
        for name in chosen(names, index, card.variant):
            (draft / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / name, draft / name)
        own = replace(card, revision="")  # what lies there need not be the hub's commit
        return noted(draft, own, _pipeline(index), source=f"file:{folder}", now=now)


def pull_hub(root: Path, card: ModelCard, now: datetime) -> Manifest:
    """Download `card.repository` at the commit `card.revision` from the hub that HF_ENDPOINT names, by default Hugging Face.

    Every weights file must have the digest that the hub's own listing gives.

    Raises:
        PullError: no commit is named, the hub does not answer, or what came is not what it lists.
    """
    if not _COMMIT.fullmatch(card.revision):
        raise PullError(f"{card.repository}@{card.revision or '?'}: name the commit, 40 hex digits; a branch or a tag may move.")
    try:
        from huggingface_hub import HfApi, hf_hub_download  # noqa: PLC0415 - of the group avatar-gpu
    except ImportError:
        raise PullError("Pulling from a hub needs the group avatar-gpu: python deploy/install.py avatar-gpu") from None
    with _draft(root, card) as draft:

        def fetch(name: str) -> Path:
            return Path(hf_hub_download(card.repository, name, revision=card.revision, local_dir=draft))

        try:
            listed = HfApi().model_info(card.repository, revision=card.revision, files_metadata=True).siblings or []
            index = _index(fetch(INDEX))
            told = {file.rfilename: file.lfs.sha256 if file.lfs else None for file in listed}
            for name in chosen(told, index, card.variant):
                path = fetch(name)
                if told[name] is not None and sha256_of(path) != told[name]:
                    raise PullError(f"{name} came with another SHA-256 than the hub lists.")
        except (OSError, ValueError) as error:  # what huggingface_hub raises, its HTTP errors included
            raise PullError(f"The hub does not give {card.repository}: {type(error).__name__}: {_first_line(error)}") from error
        shutil.rmtree(draft / ".cache", ignore_errors=True)  # the library's notes
        return noted(draft, card, _pipeline(index), source=f"hub:{card.repository}", now=now)


def chosen(names: Iterable[str], index: Mapping[str, Any], variant: str) -> list[str]:
    """Of a model's files (by path in its folder) those that are taken.

    Raises:
        PullError: a part is of another library than diffusers and transformers, or has no safetensors of this variant.
    """
    names = sorted(names)
    taken = [name for name in names if "/" not in name and (name == INDEX or name.upper().startswith(("LICENSE", "README")))]
    for part in _parts(index):
        inside = [name for name in names if name.startswith(f"{part}/") and name.count("/") == 1]
        words = [name for name in inside if name.endswith(_WORDS)]
        weights = [name for name in inside if name.endswith(".safetensors") and _variant(name) == variant]
        if f"{part}/config.json" in words and not weights:
            kind = f"of the variant {variant}" if variant else "without a variant"
            raise PullError(f"The part {part} has no safetensors {kind}. Pickles (.bin, .ckpt, .pt) are programs and are not taken.")
        taken += [*words, *weights]
    return taken


def _parts(index: Mapping[str, Any]) -> Iterator[str]:
    for part, made_of in index.items():
        if part.startswith("_") or part in UNUSED or not isinstance(made_of, list) or made_of[:1] == [None]:
            continue
        if not _PART.fullmatch(part) or len(made_of) != 2 or made_of[0] not in _LIBRARIES:  # noqa: PLR2004 - library and class
            raise PullError(f"The part {part[:40]} is of no class of diffusers or transformers: a model's own code is not run here.")
        yield part


def _variant(name: str) -> str:
    """`unet/diffusion_pytorch_model.fp16.safetensors` is fp16; in pieces `….fp16-00001-of-00002.safetensors`."""
    middle = name.rpartition("/")[2].split(".")[1:-1]
    return middle[0].partition("-")[0] if middle else ""


def _index(path: Path) -> dict[str, Any]:
    try:
        index = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise PullError(f"{path.parent} holds no model as diffusers saves it: {INDEX} cannot be read ({type(error).__name__}).") from error
    if not isinstance(index, dict):
        raise PullError(f"{path} is no object of JSON.")
    _pipeline(index)
    return index


def _pipeline(index: Mapping[str, Any]) -> Pipeline:
    for pipeline in get_args(Pipeline):
        if index.get("_class_name") == pipeline:
            found: Pipeline = pipeline
            return found
    raise PullError(f"The model is a {str(index.get('_class_name'))[:60]}; here run {' and '.join(get_args(Pipeline))}.")


@contextmanager
def _draft(root: Path, card: ModelCard) -> Iterator[Path]:
    """A folder that becomes the model's in one step if all goes well, and is gone if not."""
    draft = root / f".{card.name}.{uuid4().hex}.part"
    draft.mkdir(parents=True)
    try:
        yield draft
        old = root / f".{card.name}.{uuid4().hex}.old"
        if (root / card.name).exists():
            (root / card.name).rename(old)
        draft.rename(root / card.name)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise PullError(f"The folder {root} cannot be written: {error.strerror or type(error).__name__}.") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no reason given"])[0]
