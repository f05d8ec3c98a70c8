"""Old FFmpegs are refused with a sentence; the settings go before the packages."""

from pathlib import Path

import pytest

from services.transcoder.binary import find, parse_version, refuse_unsafe
from services.transcoder.settings import TranscoderSettings
from shared.errors import SettingsError


@pytest.mark.parametrize(
    ("banner", "expected"),
    [
        ("ffmpeg version n9.0.2-17-g2a571b6068-20260930 Copyright (c)", (9, 0, 2)),
        ("ffmpeg version 5.1.9-0+deb12u1 Copyright", (5, 1, 9)),
        ("ffmpeg version 7.1 Copyright", (7, 1)),
        ("packager version v3.8.0-75b2faf-release", (3, 8, 0)),
        ("ffmpeg version N-118000-gabcdef Copyright", None),
    ],
)
def test_versions_are_read_from_banners(banner: str, expected: tuple[int, ...] | None) -> None:
    """Releases, distributions' builds and nightly builds all write theirs differently."""
    assert expected == parse_version(banner)


@pytest.mark.parametrize("version", [(9, 0, 2), (8, 1, 2), (8, 2), (5, 1, 10), None])
def test_a_safe_version_passes(version: tuple[int, ...] | None) -> None:
    """At or above the floor of its branch; a nightly build was chosen by hand."""
    refuse_unsafe("ffmpeg", version, "TRANSCODER_FFMPEG")


@pytest.mark.parametrize("version", [(8, 1, 1), (8, 1), (8, 0, 9), (7, 1, 5), (5, 1, 9), (4, 4, 6)])
def test_an_unsafe_version_is_refused(version: tuple[int, ...]) -> None:
    """The sentence names the variable to change."""
    with pytest.raises(SettingsError, match="TRANSCODER_FFMPEG"):
        refuse_unsafe("ffmpeg", version, "TRANSCODER_FFMPEG")


def fake(path: Path, banner: str) -> str:
    """An executable that says this and no more."""
    path.write_text(f"#!/bin/sh\necho '{banner}'\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def test_a_chosen_ffmpeg_goes_before_the_package_s(tmp_path: Path) -> None:
    """`TRANSCODER_FFMPEG` is used, and its version asked."""
    chosen = fake(tmp_path / "mine", "ffmpeg version 8.2.1 Copyright")

    assert find(TranscoderSettings(ffmpeg=chosen)).ffmpeg.label == "8.2.1"


def test_an_old_chosen_ffmpeg_stops_the_service(tmp_path: Path) -> None:
    """It would read users' files with known holes."""
    old = fake(tmp_path / "old", "ffmpeg version 5.1.9-0+deb12u1 Copyright")

    with pytest.raises(SettingsError, match=r"ffmpeg 5\.1\.9 has known security holes"):
        find(TranscoderSettings(ffmpeg=old))


def test_a_missing_or_broken_binary_is_named(tmp_path: Path) -> None:
    """With the variable that chose it."""
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\nexit 3\n", encoding="utf-8")
    broken.chmod(0o755)

    with pytest.raises(SettingsError, match="TRANSCODER_FFPROBE must be an executable file"):
        find(TranscoderSettings(ffprobe=str(tmp_path / "none")))
    with pytest.raises(SettingsError, match="does not start"):
        find(TranscoderSettings(packager=str(broken)))
