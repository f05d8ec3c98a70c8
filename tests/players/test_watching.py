"""A film watched while it is encoded, by the players that sites use: from its first segment over every growth to its end."""

from typing import Any

import pytest

from services.transcoder.media_types import media_type
from services.transcoder.settings import TranscoderSettings
from tests.integration.transcoder_media import UPLOAD, do, pattern
from tests.players.stage import Films, Showing, missing, play
from tests.unit.transcoder_job import FakeJob

pytestmark = pytest.mark.serial  # Chromium takes what CPU there is

SECONDS, RATE = 24.0, 25
IN_PARTS = TranscoderSettings(shortest_part=4.0, longest_part=4.0)
PATIENCE = 45.0
"""Seconds to the end: players read a list again every few seconds, whatever the rate they play at."""
STEADY = {"abr": {"enabled": False}}
"""A change of size at the very moment at which the film is whole can have Shaka Player 5.2.12 take HLS's last list but one for the last."""
SHOWINGS = {
    "hls by hls.js": Showing("hls", "hls-by-hls/hls/master.m3u8", patience=PATIENCE, grows=True),
    "hls by shaka": Showing("shaka", "hls-by-shaka/hls/master.m3u8", STEADY, patience=PATIENCE, grows=True),
    "dash by shaka": Showing("shaka", "dash-by-shaka/hls/manifest.mpd", patience=PATIENCE, grows=True, start=0.0),
}


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The film as it was after two of its six parts, after four, and whole; each player gets the next step when it needs it."""
    if why := missing():
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("growing")
    job = FakeJob(folder / "job", {UPLOAD: pattern(folder, "film.mp4", rate=str(RATE), seconds=SECONDS)})
    do(job, IN_PARTS, presets=["hls", "dash"], play_early=True, poster=False)
    whole = {name: (job.published / name).read_bytes() for name in job.artifacts}
    steps = [folder / "films" / str(number) for number in range(len(job.beginnings) + 1)]
    for step, files in zip(steps, [*job.beginnings, whole], strict=True):
        for name, content in files.items():
            (step / name).parent.mkdir(parents=True, exist_ok=True)
            (step / name).write_bytes(content)
    types = {f"{step.name}/{name}": media_type(name) for step in steps for name in whole if name != "plan.json"}
    return play(Films(folder / "films", types, {showing.source.partition("/")[0]: steps for showing in SHOWINGS.values()}), SHOWINGS)


@pytest.fixture(params=list(SHOWINGS))
def report(request: pytest.FixtureRequest, reports: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What one player said."""
    return reports[str(request.param)]


def test_the_player_has_nothing_to_complain_of(report: dict[str, Any]) -> None:
    """It waits where there is no more yet, and that is all: no error, no jump, no request without an answer."""
    assert report["errors"] == []


def test_it_begins_at_the_beginning(report: dict[str, Any]) -> None:
    """Not near the end of what is there, where a live stream would begin; with DASH somebody has to tell the player."""
    assert report["began"] < 1.0


def test_it_goes_on_to_the_end_of_the_film(report: dict[str, Any]) -> None:
    """In one piece, every frame, though it began when a quarter was there; and after that the film can be wound through like any other."""
    ((start, end),) = report["buffered"]

    assert (start, end) == (0, pytest.approx(SECONDS, abs=0.05))
    assert report["duration"] == pytest.approx(SECONDS, abs=0.05)
    assert report["frames"] >= SECONDS * RATE
    assert report["ended"] == 2
    assert len(report["seeks"]) == 3
    assert report["changed"]["got"] == report["changed"]["wanted"]
