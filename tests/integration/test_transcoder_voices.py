"""Real sound: formats, tracks, loudness."""

import re
import subprocess
from pathlib import Path

import pytest

from services.transcoder.binary import tools
from tests.integration.transcoder_media import SAMPLE, ask, do, ffmpeg, job_for, pattern


@pytest.fixture(scope="module")
def bilingual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds with two sounds: a quiet one in German, and a commentary."""
    folder = tmp_path_factory.mktemp("bilingual")
    pattern(folder, "film.mp4", rate="30", seconds=6.0, tone=False)
    tones = ("-f", "lavfi", "-i", "sine=330:duration=6,volume=-20dB", "-f", "lavfi", "-i", "sine=880:duration=6")
    names = ("-metadata:s:a:0", "language=ger", "-metadata:s:a:1", "title=Commentary", "-metadata:s:a:1", "language=eng")
    ffmpeg("-i", "film.mp4", *tones, "-map", "0", "-map", "1", "-map", "2", "-c:v", "copy", *names, "film.mkv", cwd=folder)
    return folder / "film.mkv"


def loudness(path: Path) -> float:
    """As FFmpeg's EBU R128 meter measures it, in LUFS."""
    command = [str(tools().ffmpeg.path), "-nostdin", "-hide_banner", "-i", str(path), "-map", "0:a:0", "-af", "ebur128", "-f", "null", "-"]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stderr
    return float(re.findall(r"I:\s+(-?[\d.]+) LUFS", told)[-1])


def test_sound_alone_in_every_format(bilingual: Path, tmp_path: Path) -> None:
    """From one reading of a source that also has pictures, which nobody decodes."""
    job = job_for(bilingual, tmp_path)
    result = do(job, presets=["audio", "audio-mp3", "audio-opus"], poster=False)
    found = {name: ask(job.published / name)["streams"] for name in ("audio.m4a", "audio.mp3", "audio.opus")}

    assert {name: [stream["codec_name"] for stream in streams] for name, streams in found.items()} == {
        "audio.m4a": ["aac"],
        "audio.mp3": ["mp3"],
        "audio.opus": ["opus"],
    }
    assert [output.container for output in result.outputs] == ["mp4", "mp3", "ogg"]
    assert [output.duration for output in result.outputs] == pytest.approx([6.0] * 3, abs=0.06)


def test_loud_peaks_make_nothing_late(tmp_path: Path) -> None:
    """The sample's peaks have to be held down, whose sound FFmpeg's filter would stamp 88 ms late, and so make the file longer."""
    job = job_for(SAMPLE, tmp_path)
    do(job, presets=["audio", "audio-opus"], loudness={}, poster=False)
    lasts = [float(ask(job.published / name)["format"]["duration"]) for name in ("audio.m4a", "audio.opus")]

    assert lasts == pytest.approx([5.312, 5.312], abs=0.01)


def test_every_track_is_in_every_output(bilingual: Path, tmp_path: Path) -> None:
    """In MP4 with language and title, the first one the default; in HLS and DASH as tracks to choose."""
    job = job_for(bilingual, tmp_path)
    do(job, presets=["mp4-480p", "hls", "dash"], audio_tracks="all", poster=False)
    _, german, english = ask(job.published / "video-480p.mp4")["streams"]
    master = (job.published / "hls" / "master.m3u8").read_text(encoding="utf-8")

    assert (german["tags"]["language"], german["disposition"]["default"]) == ("ger", 1)
    assert (english["tags"]["language"], english["disposition"]["default"]) == ("eng", 0)
    assert 'LANGUAGE="de",NAME="ger",DEFAULT=YES' in master
    assert 'LANGUAGE="en",NAME="Commentary",DEFAULT=NO' in master
    assert (job.published / "hls" / "manifest.mpd").read_text(encoding="utf-8").count('contentType="audio"') == 2


@pytest.mark.parametrize("target", [-16.0, -23.0])
def test_loudness_is_what_was_asked_for(bilingual: Path, tmp_path: Path, target: float) -> None:
    """Within half a unit, measured by EBU R128's own meter, at the source's sample rate; and the user is told."""
    job = job_for(bilingual, tmp_path)
    before = loudness(bilingual)
    result = do(job, preset="audio", loudness={"target": target}, poster=False)

    assert before < -40
    assert loudness(job.published / "audio.m4a") == pytest.approx(target, abs=0.5)
    assert ask(job.published / "audio.m4a")["streams"][0]["sample_rate"] == "44100"
    assert re.fullmatch(rf"sound track 0: -4\d\.\d+ LUFS became {target:g} \(EBU R128, two passes\)", result.notes[-1])
