"""MP4 and WebM as somebody else's parser sees them: MediaInfo, which players' makers and broadcasters go by."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration.transcoder_media import do, job_for
from tests.players.test_players import RATE, SECONDS, bilingual

pytestmark = pytest.mark.serial


def tracks(path: Path) -> dict[str, list[dict[str, Any]]]:
    """By type: General, Video, Audio."""
    told = subprocess.run(["mediainfo", "--Output=JSON", str(path)], check=True, capture_output=True, text=True, timeout=60).stdout
    found: dict[str, list[dict[str, Any]]] = {}
    for track in json.loads(told)["media"]["track"]:
        found.setdefault(track["@type"], []).append(track)
    return found


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """What MediaInfo says of each file of one job."""
    if shutil.which("mediainfo") is None:
        pytest.skip("no mediainfo here (Debian: apt-get install mediainfo); nothing is proved about what others make of our files")
    folder = tmp_path_factory.mktemp("files")
    job = job_for(bilingual(folder), folder)
    outputs = [{"name": "h265", "codec": "h265", "short_side": 240}, {"name": "vp9", "format": "webm", "short_side": 240}]
    do(job, preset="mp4-480p", outputs=outputs, audio_tracks="all", poster=False)
    return {name: tracks(job.published / name) for name in ("video-480p.mp4", "h265.mp4", "vp9.webm")}


@pytest.mark.parametrize(("name", "container", "codec"), [("video-480p.mp4", "MPEG-4", "AVC"), ("h265.mp4", "MPEG-4", "HEVC")])
def test_an_mp4_is_what_it_should_be(seen: dict[str, dict[str, list[dict[str, Any]]]], name: str, container: str, codec: str) -> None:
    """Streamable, with a constant rate, every frame and both sounds by their languages; it says nothing of where and when."""
    (general,), (video,), (german, english) = seen[name]["General"], seen[name]["Video"], seen[name]["Audio"]

    assert (general["Format"], general["IsStreamable"]) == (container, "Yes")
    assert float(general["Duration"]) == pytest.approx(SECONDS, abs=0.05)
    assert (video["Format"], video["FrameRate_Mode"], video["FrameCount"]) == (codec, "CFR", str(int(SECONDS * RATE)))
    assert (video["PixelAspectRatio"], video["ChromaSubsampling"], video["BitDepth"]) == ("1.000", "4:2:0", "8")
    assert [(sound["Format"], sound["Language"], sound["Default"]) for sound in (german, english)] == [
        ("AAC", "de", "Yes"),
        ("AAC", "en", "No"),
    ]
    assert not {"Encoded_Date", "Tagged_Date", "Movie", "Description", "Recorded_Location"} & {*general, *video}


def test_a_webm_is_what_it_should_be(seen: dict[str, dict[str, list[dict[str, Any]]]]) -> None:
    """VP9 and Opus; the index in front."""
    found = seen["vp9.webm"]

    assert (found["General"][0]["Format"], found["General"][0]["IsStreamable"]) == ("WebM", "Yes")
    assert (found["Video"][0]["Format"], [sound["Format"] for sound in found["Audio"]]) == ("VP9", ["Opus", "Opus"])
