"""The diffusion models on this machine: a folder each, with a manifest that says what was acknowledged and what every file's digest is.

A folder holds what `from_pretrained` of diffusers reads, weights as safetensors only: a pickle is a program.
"""

import hashlib
import json
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from services.avatar.model_cards import ModelCard, Pipeline
from shared.errors import SettingsError
from shared.storage import sha256_of

MANIFEST = "counterfoil.json"


class ModelFile(BaseModel):
    """One file as it was pulled."""

    model_config = ConfigDict(frozen=True)

    bytes: int
    sha256: str


class Manifest(BaseModel):
    """What was pulled, from where, under which licence. `files` by their path in the folder."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    title: str
    source: str
    revision: str
    """A hub's commit; of a folder the digest of all its files' digests."""
    variant: str
    pipeline: Pipeline
    licence: str
    licence_url: str
    acknowledged_at: datetime
    steps: int
    guidance: float
    files: dict[str, ModelFile]

    @property
    def bytes(self) -> int:
        """Of all files together."""
        return sum(file.bytes for file in self.files.values())


def manifest_of(root: Path, name: str) -> Manifest:
    """What is known of the model `name` in the folder `root`.

    Raises:
        SettingsError: it was not pulled, or its manifest cannot be read.
    """
    path = root / name / MANIFEST
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise SettingsError(f"The model {name} is not on this machine. Pull it: counterfoil models pull {name}") from None
    except (OSError, ValidationError) as error:
        raise SettingsError(f"The manifest of the model {name} cannot be read ({type(error).__name__}). Pull it again.") from error


def manifests(root: Path) -> list[Manifest]:
    """All models in the folder `root`, by name; what cannot be read is left out."""
    found = []
    for path in sorted(root.glob(f"*/{MANIFEST}")):
        try:
            found.append(manifest_of(root, path.parent.name))
        except SettingsError:
            continue
    return found


def verify(root: Path, manifest: Manifest) -> None:
    """Every file is the one that was pulled, and there is no other. Reads them all: some 5 s for 7 GB.

    Raises:
        SettingsError: a file is missing, was changed or was added.
    """
    folder = root / manifest.name
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - {MANIFEST}
    if odd := sorted(there.symmetric_difference(manifest.files)):
        raise SettingsError(f"The folder of the model {manifest.name} is not as it was pulled: see {odd[0]}. Pull it again.")
    for path, file in manifest.files.items():
        if (folder / path).stat().st_size != file.bytes or sha256_of(folder / path) != file.sha256:
            raise SettingsError(f"The file {path} of the model {manifest.name} was changed since it was pulled. Pull it again.")


def noted(folder: Path, card: ModelCard, pipeline: Pipeline, *, source: str, now: datetime) -> Manifest:
    """Write the manifest of a folder that holds a model; `now` is when its licence was acknowledged. Reads every file once."""
    files = {
        str(path.relative_to(folder)): ModelFile(bytes=path.stat().st_size, sha256=sha256_of(path))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }
    digests = "".join(f"{path} {file.sha256}\n" for path, file in files.items())
    manifest = Manifest(
        name=card.name,
        title=card.title,
        source=source,
        revision=card.revision or hashlib.sha256(digests.encode()).hexdigest()[:40],
        variant=card.variant,
        pipeline=pipeline,
        licence=card.licence,
        licence_url=card.licence_url,
        acknowledged_at=now,
        steps=card.steps,
        guidance=card.guidance,
        files=files,
    )
    (folder / MANIFEST).write_text(json.dumps(manifest.model_dump(mode="json"), indent=1) + "\n", "utf-8")
    return manifest
