"""Pulling from a hub: what is asked of it, what is checked. The hub is the test's own and speaks the part of the protocol that is used."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

pytest.importorskip("diffusers", reason="the group avatar-gpu is not installed: python deploy/install.py avatar-gpu")

from huggingface_hub import constants

from services.avatar.model_cards import ModelCard
from services.avatar.model_store import manifest_of, verify
from services.avatar.pulling import PullError, pull_hub
from tests.diffusion import tiny

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CARD = ModelCard("hubbed", "Hubbed", "CC0 1.0", "https://creativecommons.org/publicdomain/zero/1.0/", (), "owner/model", COMMIT)
NOW = datetime(2026, 11, 26, tzinfo=UTC)


@dataclass
class Hub:
    """A folder as a repository at one commit. `lies`: files that come other than listed. `asked`: the files that were fetched."""

    folder: Path
    lies: dict[str, bytes]
    asked: set[str]

    def content(self, name: str) -> bytes:
        """What comes for a name."""
        return self.lies.get(name, (self.folder / name).read_bytes())

    def listing(self) -> dict[str, Any]:
        """The model's page, with the digests of its weights."""
        files = []
        for path in sorted(path for path in self.folder.rglob("*") if path.is_file()):
            data = path.read_bytes()
            digest = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 128}
            lfs = {"lfs": digest} if path.suffix == ".safetensors" else {}
            files.append({"rfilename": str(path.relative_to(self.folder)), "size": len(data), "blobId": "0" * 40, **lfs})
        return {"id": "owner/model", "modelId": "owner/model", "sha": COMMIT, "siblings": files, "tags": [], "private": False}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub that has the tiny model and what else lies about in repositories."""
    tiny.save_sd(tmp_path / "repository")
    for name in ("unet/diffusion_pytorch_model.bin", "whole.ckpt", "unet/diffusion_pytorch_model.fp16.safetensors"):
        (tmp_path / "repository" / name).write_bytes(b"a program, or of another variant")
    own = Hub(tmp_path / "repository", {}, set())

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(with_body=True)

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def log_message(self, *_: Any) -> None:
            """Be quiet."""

        def _answer(self, *, with_body: bool) -> None:
            path = unquote(urlsplit(self.path).path)
            name = path.removeprefix(f"/owner/model/resolve/{COMMIT}/")
            if path.startswith(f"/api/models/owner/model/revision/{COMMIT}"):
                body, kind = json.dumps(own.listing()).encode(), "application/json"
            elif name != path and (own.folder / name).is_file():
                body, kind = own.content(name), "application/octet-stream"
                own.asked.add(name)
            else:
                self.send_error(404)
                return
            self.send_response(200)
            told = {
                "Content-Length": len(body),
                "Content-Type": kind,
                "X-Repo-Commit": COMMIT,
                "ETag": f'"{hashlib.sha256(body).hexdigest()}"',
            }
            for header, value in told.items():
                self.send_header(header, str(value))
            self.end_headers()
            if with_body:
                self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    yield own
    server.shutdown()
    server.server_close()


def test_data_of_one_commit_comes_and_is_noted(hub: Hub, tmp_path: Path) -> None:
    """Only what is taken is fetched: no pickle, no other variant; digests are the hub's own."""
    root = tmp_path / "models"
    pull_hub(root, CARD, NOW)
    manifest = manifest_of(root, "hubbed")
    verify(root, manifest)

    assert ("hub:owner/model", COMMIT) == (manifest.source, manifest.revision)
    assert set(manifest.files) == hub.asked
    assert not any(name.endswith((".bin", ".ckpt")) or ".fp16." in name for name in hub.asked)


def test_weights_that_are_not_as_listed_are_refused(hub: Hub, tmp_path: Path) -> None:
    """Of the same length, so that only the digest tells; nothing is left."""
    name = "vae/diffusion_pytorch_model.safetensors"
    weights = bytearray(hub.content(name))
    weights[-1] ^= 1
    hub.lies[name] = bytes(weights)
    with pytest.raises(PullError, match="another SHA-256 than the hub lists"):
        pull_hub(tmp_path / "models", CARD, NOW)

    assert [] == list((tmp_path / "models").iterdir())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"revision": "main"}, "name the commit"),
        ({"repository": "owner/other"}, "The hub does not give owner/other"),
        ({"variant": "bf16"}, "has no safetensors of the variant bf16"),
    ],
)
def test_what_the_hub_does_not_have_is_said(hub: Hub, tmp_path: Path, changes: dict[str, str], words: str) -> None:
    """A sentence, and nothing left behind."""
    del hub
    with pytest.raises(PullError, match=words):
        pull_hub(tmp_path / "models", replace(CARD, **changes), NOW)  # type: ignore[arg-type]

    assert [] == list((tmp_path / "models").glob("*"))
