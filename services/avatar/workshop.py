"""What an engine may use of its surroundings while it works on one command."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from services.avatar.clock import Clock
from services.avatar.settings import AvatarSettings
from shared.job import Checkpoint, Progress


def _nothing(fraction: float, step: str, detail: str = "", eta_seconds: float | None = None) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """Settings and clock; the command's uploads as local files; progress and a look for a cancel, for engines that take their time.

    `need`: what the job's queue promises of this machine (`gpu`).
    """

    settings: AvatarSettings
    clock: Clock = field(default_factory=Clock)
    files: Mapping[str, Path] = field(default_factory=dict)
    progress: Progress = _nothing
    checkpoint: Checkpoint = lambda: None
    need: str | None = None


Load = Callable[[], object]
"""Loads what the first job would otherwise wait for; once per process, in a pool child, after the fork."""
