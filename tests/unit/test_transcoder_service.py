"""The service's closed list of files: handlers, policy, catalogue."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from services.transcoder import catalogue as page
from services.transcoder.policy import POLICY
from services.transcoder.settings import TranscoderSettings
from services.transcoder.source import is_remote, local_source
from services.transcoder.tasks import HANDLERS
from shared.contracts.transcoder import CONTRACT, Preset
from shared.contracts.upkeep import MeasureQueues, Sweep
from shared.errors import SettingsError
from shared.fetch import FetchRules
from tests.unit.transcoder_job import FakeJob


def test_every_command_that_is_not_upkeep_has_a_handler() -> None:
    """Sweeping and measuring are the platform's."""
    assert {kind for kind, command in CONTRACT.by_kind.items() if not issubclass(command, Sweep | MeasureQueues)} == set(HANDLERS)


def test_the_catalogue_names_every_preset_of_the_contract() -> None:
    """And is JSON, with the binaries' versions in it."""
    shown = json.loads(json.dumps(page.catalogue()))

    assert set(get_args(Preset)) == set(shown["presets"])
    assert set(shown["binaries"]) == {"ffmpeg", "ffprobe", "packager"}


def test_a_refused_binary_shows_in_the_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page must come up all the same."""

    def refuse() -> None:
        raise SettingsError("ffmpeg 4.4 has known security holes")

    monkeypatch.setattr(page, "tools", refuse)

    assert page.catalogue()["refused"] == "ffmpeg 4.4 has known security holes"


def test_no_time_limit_cuts_a_realistic_job() -> None:
    """10 GB as a ladder takes 5 CPU-hours."""
    assert POLICY.soft_time_limit > 6 * 3_600
    assert POLICY.concurrency == 1


def test_an_upload_is_linked_and_not_copied(tmp_path: Path) -> None:
    """10 GB need no second 10 GB; and the link has no suffix that FFmpeg could go by."""
    upload = tmp_path / "film.mp4"
    upload.write_bytes(b"media")
    job = FakeJob(tmp_path / "job", {"upl_12345678": upload})

    with local_source("upl_12345678", job, job.workdir, TranscoderSettings()) as path:
        assert path.is_symlink()
        assert (path.name, path.read_bytes()) == ("source", b"media")


@pytest.mark.parametrize(("private", "judge"), [(False, "is_public"), (True, "<lambda>")])
def test_urls_are_fetched_under_the_address_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, private: bool, judge: str) -> None:
    """Unless an installation says that its sources lie inside; the size limit is the setting's, and progress is told."""
    seen: list[FetchRules] = []

    def pretend(_url: str, target: Path, rules: FetchRules, *, checkpoint: object, progress: Callable[[int, int], None]) -> None:  # noqa: ARG001 - fetch's shape
        seen.append(rules)
        target.write_bytes(b"media")
        progress(50_000_000, 100_000_000)

    monkeypatch.setattr("services.transcoder.source.fetch", pretend)
    job = FakeJob(tmp_path)
    settings = TranscoderSettings(fetch_private=private, max_source_bytes=123)
    with local_source("https://films.example/f.mp4", job, job.workdir, settings) as path:
        assert path.read_bytes() == b"media"

    assert [(rules.allowed.__name__, rules.max_bytes) for rules in seen] == [(judge, 123)]
    assert job.told == [(0.05, "fetch", "50.0 of 100.0 MB", None)]
    assert is_remote("https://films.example/f.mp4")
