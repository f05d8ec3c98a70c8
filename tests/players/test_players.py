"""HLS and DASH of our packaging, in the clear and encrypted, played to the end by the players that sites use, in a real Chromium."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.integration.transcoder_media import do, ffmpeg, job_for, pattern
from tests.players.stage import Films, Showing, missing, play

pytestmark = pytest.mark.serial  # Chromium takes what CPU there is

SECONDS = 14.0
RATE = 30
KEY, KEY_ID = "00112233445566778899aabbccddeeff", "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
LICENSED = {"drm": {"clearKeys": {KEY_ID: KEY}}}
SAYING = """WEBVTT

00:01.000 --> 00:03.500
Good morning

00:12.250 --> 00:13.750
Good night
"""
JOBS: dict[str, dict[str, Any]] = {
    "clear": {
        "presets": ["hls", "dash"],
        "captions": [{"upload": "upl_captions", "language": "en", "label": "English"}],
        "audio_tracks": "all",
    },
    "aes-128": {"preset": "hls", "encryption": {"scheme": "aes-128"}},
    "cbcs": {"presets": ["hls", "dash"], "encryption": {"scheme": "cbcs", "key": KEY, "key_id": KEY_ID}},
    "cenc": {"preset": "dash", "encryption": {"scheme": "cenc", "key": KEY, "key_id": KEY_ID}},
}
SHOWINGS = {
    "hls by hls.js": Showing("hls", "clear/hls/master.m3u8", text=0, audio=1),
    "hls by shaka": Showing("shaka", "clear/hls/master.m3u8", text=0, audio=1),
    "dash by shaka": Showing("shaka", "clear/hls/manifest.mpd", text=0, audio=1),
    "hls in aes-128 by hls.js": Showing("hls", "aes-128/hls/master.m3u8"),
    "hls in aes-128 by shaka": Showing("shaka", "aes-128/hls/master.m3u8"),
    "hls in cbcs by shaka": Showing("shaka", "cbcs/hls/master.m3u8"),  # it fetches the key as the playlist says
    "dash in cbcs by shaka": Showing("shaka", "cbcs/hls/manifest.mpd", LICENSED),
    "dash in cenc by shaka": Showing("shaka", "cenc/dash/manifest.mpd", LICENSED),
}
HOLED = Showing("hls", "holed/master.m3u8", patience=6.0)


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """All films, played once; the tests look at what the players said."""
    if why := missing():
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("films")
    source, films, types = bilingual(folder), folder / "films", dict[str, str]()
    (folder / "captions.vtt").write_text(SAYING, encoding="utf-8")
    for name, request in JOBS.items():
        job = job_for(source, folder)  # the second finds the first one's segments, and encodes nothing
        job.uploads["upl_captions"] = folder / "captions.vtt"
        job.published = films / name
        do(job, **request)
        types |= {f"{name}/{made.name}": made.media_type for made in job.artifacts.values()}
    _cut_a_hole(films / "clear" / "hls", films / "holed")
    return play(Films(films, types), {**SHOWINGS, "holed": HOLED})


def bilingual(folder: Path) -> Path:
    """A moving test picture with two sounds."""
    pattern(folder, "film.mp4", rate=str(RATE), seconds=SECONDS, tone=False)
    tones = [option for pitch in (330, 880) for option in ("-f", "lavfi", "-i", f"sine={pitch}:duration={SECONDS}")]
    names = ("-metadata:s:a:0", "language=ger", "-metadata:s:a:1", "language=eng", "-metadata:s:a:1", "title=Commentary")
    ffmpeg("-i", "film.mp4", *tones, "-map", "0", "-map", "1", "-map", "2", "-c:v", "copy", *names, "film.mkv", cwd=folder)
    return folder / "film.mkv"


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


@pytest.mark.parametrize("name", [name for name, showing in SHOWINGS.items() if showing.text is not None])
def test_captions_are_offered_and_shown(reports: dict[str, dict[str, Any]], name: str) -> None:
    """By their label, in their language, every cue of them."""
    report = reports[name]

    assert report["tracks"]["text"] == [{"name": "English", "lang": "en"}]
    assert report["cues"] == ["Good morning", "Good night"]


@pytest.mark.parametrize("name", [name for name, showing in SHOWINGS.items() if showing.audio is not None])
def test_sounds_are_offered_and_changed(reports: dict[str, dict[str, Any]], name: str) -> None:
    """Both of them by language, the first one at first, the other when it is chosen."""
    offered, chosen = (reports[name][when]["audio"] for when in ("tracks", "chosen"))

    assert [(track["lang"], track["chosen"]) for track in offered] == [("de", True), ("en", False)]
    assert [(track["lang"], track["chosen"]) for track in chosen] == [("de", False), ("en", True)]


def test_a_hole_is_told(reports: dict[str, dict[str, Any]]) -> None:
    """The test of these tests: six seconds of picture are missing, and the player's jump over them does not go unnoticed."""
    assert any("hole" in error.lower() or "stall" in error.lower() for error in reports["holed"]["errors"])
