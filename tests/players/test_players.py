"""HLS of our packaging, played to the end by the players that sites use, in a real Chromium."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.integration.transcoder_media import do, job_for, pattern
from tests.players.stage import Showing, missing, play

pytestmark = pytest.mark.serial  # Chromium takes what CPU there is

SECONDS = 14.0
RATE = 30
SHOWINGS = {
    "hls by hls.js": Showing("hls", "hls/master.m3u8"),
    "hls by shaka": Showing("shaka", "hls/master.m3u8"),
}
HOLED = Showing("hls", "holed/master.m3u8", patience=6.0)


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """All films, played once; the tests look at what the players said."""
    if why := missing():
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("films")
    job = job_for(pattern(folder, "film.mp4", rate=str(RATE), seconds=SECONDS), folder)
    do(job, preset="hls")
    _cut_a_hole(job.published / "hls", job.published / "holed")
    return play(job.published, {name: made.media_type for name, made in job.artifacts.items()}, {**SHOWINGS, "holed": HOLED})


def _cut_a_hole(package: Path, target: Path) -> None:
    """The same package, whose pictures lack the second of their three segments."""
    shutil.copytree(package, target)
    for playlist in target.glob("*p/playlist.m3u8"):
        told = playlist.read_text(encoding="utf-8")
        playlist.write_text(told.replace("#EXTINF:6.000,\nseg_00002.m4s\n", ""), encoding="utf-8")


@pytest.fixture(params=list(SHOWINGS))
def report(request: pytest.FixtureRequest, reports: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What one player said of one film."""
    return reports[str(request.param)]


def test_the_player_has_nothing_to_complain_of(report: dict[str, Any]) -> None:
    """Not an error, not a jump over a hole, not a nudge out of a stall, not a request without an answer."""
    assert report["errors"] == []


def test_it_plays_to_the_end_and_after_seeks_again(report: dict[str, Any]) -> None:
    """Twice: once straight through, once by three seeks, forward and back."""
    assert report["ended"] == 2
    assert len(report["seeks"]) == 3


def test_the_film_has_no_hole(report: dict[str, Any]) -> None:
    """One buffered range, from nought to the end, with every frame of it decoded."""
    ((start, end),) = report["buffered"]

    assert (start, end) == (0, pytest.approx(SECONDS, abs=0.05))
    assert report["duration"] == pytest.approx(SECONDS, abs=0.05)
    assert report["frames"] >= SECONDS * RATE


def test_sizes_are_offered_and_changed(report: dict[str, Any]) -> None:
    """The ladder's two rungs, and a switch to the one that it did not play so far."""
    assert report["tracks"]["heights"] == [360, 240]
    assert report["changed"]["got"] == report["changed"]["wanted"]


def test_a_hole_is_told(reports: dict[str, dict[str, Any]]) -> None:
    """The test of these tests: six seconds of picture are missing, and the player's jump over them does not go unnoticed."""
    assert any("hole" in error.lower() or "stall" in error.lower() for error in reports["holed"]["errors"])
