"""Real FFmpeg, real packager: pictures, texts and encrypted packages, besides the film."""

import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest

from services.transcoder.manifest import representations
from services.transcoder.settings import TranscoderSettings
from shared.errors import PermanentError
from tests.integration.transcoder_media import UPLOAD, ask, do, ffmpeg, job_for, pattern
from tests.unit.transcoder_job import FakeJob

SRT = "1\r\n00:00:01,000 --> 00:00:02,000\r\nGrüß Gott\r\n\r\n2\r\n00:00:05,500 --> 00:00:06,500\r\n<i>Pfüati</i>\r\n"
KEY = "00112233445566778899aabbccddeeff"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight seconds with a keyframe each second and a text of its own, in Matroska."""
    folder = tmp_path_factory.mktemp("source")
    pattern(folder, "film.mp4", "-g", "30", rate="30", seconds=8.0)
    (folder / "own.srt").write_text(SRT, encoding="utf-8")
    title = ("-metadata:s:s:0", "language=ger", "-metadata:s:s:0", "title=Untertitel, alle")
    ffmpeg("-i", "film.mp4", "-i", "own.srt", "-map", "0", "-map", "1", "-c", "copy", *title, "film.mkv", cwd=folder)
    return folder / "film.mkv"


@pytest.fixture(scope="module")
def pictured(source: Path, tmp_path_factory: pytest.TempPathFactory) -> FakeJob:
    """All pictures of a clip of six seconds, and the sound."""
    job = job_for(source, tmp_path_factory.mktemp("pictured"))
    do(
        job,
        preset="audio",
        clip={"start": 1.0, "duration": 6.0},
        thumbnails={"at": [0.0, 5.9], "width": 200, "format": "png"},
        storyboard={"every": 1.0, "columns": 4},
        preview={"format": "gif", "start": 2.0, "duration": 1.0, "width": 160},
    )
    return job


def test_thumbnails_are_those_of_the_clip(pictured: FakeJob) -> None:
    """Two PNGs of the width asked for; the last one from its last tenth of a second."""
    heads = [(pictured.published / "thumbnails" / f"thumbnail-{number:03}.png").read_bytes()[:24] for number in (1, 2)]

    assert [(head[1:4], *struct.unpack(">II", head[16:])) for head in heads] == [(b"PNG", 200, 112)] * 2


def test_a_storyboard_is_one_sheet_of_six_tiles(pictured: FakeJob) -> None:
    """Four and two in two rows, and as many cues."""
    sheet = ask(pictured.published / "storyboard" / "sheet-001.jpg")["streams"][0]
    told = (pictured.published / "storyboard" / "storyboard.vtt").read_text(encoding="utf-8")

    assert (sheet["codec_name"], sheet["width"], sheet["height"]) == ("mjpeg", 640, 180)
    assert told.count(" --> ") == 6
    assert told.rstrip().endswith("00:00:05.000 --> 00:00:06.000\nsheet-001.jpg#xywh=160,90,160,90")


def test_a_preview_moves(pictured: FakeJob) -> None:
    """Ten pictures in its second."""
    stream = ask(pictured.published / "preview.gif")["streams"][0]

    assert (stream["codec_name"], stream["width"], stream["nb_read_packets"]) == ("gif", 160, "10")


def test_texts_become_webvtt_and_tracks(source: Path, tmp_path: Path) -> None:
    """The source's own one, and an upload in an old encoding, cut to the clip; in HLS each is a track by its label."""
    job = job_for(source, tmp_path)
    (tmp_path / "old.srt").write_bytes(SRT.encode("cp1252"))
    job.uploads["upl_captions"] = tmp_path / "old.srt"
    asked = [{"track": 0}, {"upload": "upl_captions", "language": "de-AT", "label": "Österreichisch", "shown": True}]
    result = do(job, preset="hls", clip={"start": 5.0}, captions=asked)
    master = (job.published / "hls" / "master.m3u8").read_text(encoding="utf-8")

    assert (job.published / "captions" / "ger.vtt").read_text(encoding="utf-8").endswith("00:00:00.500 --> 00:00:01.500\n<i>Pfüati</i>\n")
    assert 'LANGUAGE="de",NAME="Untertitel alle",DEFAULT=NO' in master
    assert 'LANGUAGE="de-AT",NAME="Österreichisch",DEFAULT=YES' in master
    assert result.notes[-1] == "captions/de-AT.vtt is not UTF-8, and was read as Windows-1252"
    assert list(job.artifacts)[-1] == "hls/master.m3u8"


@pytest.mark.parametrize(("content", "words"), [(b"%PDF-1.7", "neither SRT nor WebVTT"), (b"WEBVTT\n\nNOTE none\n", "no text in it")])
def test_what_is_no_text_is_refused(source: Path, tmp_path: Path, content: bytes, words: str) -> None:
    """With a pointer to it, before anything is encoded."""
    job = job_for(source, tmp_path)
    (tmp_path / "text").write_bytes(content)
    job.uploads["upl_captions"] = tmp_path / "text"

    with pytest.raises(PermanentError, match=words) as caught:
        do(job, captions=[{"upload": "upl_captions"}])

    assert str(caught.value.pointer).startswith("/captions/0")


def joined(folder: Path, name: str, target: Path) -> Path:
    """A rendition's files, one after the other, as its manifest names them."""
    files = representations((folder / "manifest.mpd").read_text(encoding="utf-8"))[name]
    target.write_bytes(b"".join((folder / file).read_bytes() for file in files))
    return target


@pytest.mark.parametrize(("scheme", "presets"), [("cbcs", ["hls", "dash"]), ("cenc", ["dash"])])
def test_encrypted_segments_decode_with_the_key_and_only_with_it(source: Path, tmp_path: Path, scheme: str, presets: list[str]) -> None:
    """A film of 240 frames; with another key a decoder finds none of it right."""
    job = job_for(source, tmp_path)
    do(job, presets=presets, poster=False, encryption={"scheme": scheme, "key": KEY})
    whole = joined(job.published / presets[0], "360p", tmp_path / "whole.mp4")
    ffmpeg("-xerror", "-decryption_key", KEY, "-i", str(whole), "-f", "null", "-", cwd=tmp_path)

    assert ask(whole)["streams"][0]["nb_read_packets"] == "240"
    with pytest.raises(subprocess.CalledProcessError):
        ffmpeg("-xerror", "-err_detect", "explode", "-decryption_key", "0" * 32, "-i", str(whole), "-f", "null", "-", cwd=tmp_path)
    assert ("hls/master.m3u8" in job.artifacts) is ("hls" in presets)
    assert not any(name.endswith(".m3u8") for name in job.artifacts if name.startswith("dash/"))


def test_a_key_is_in_no_plan_and_in_no_result(source: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Nor in what was logged: only in the two artifacts that are there to carry it."""
    job = job_for(source, tmp_path)
    result: Any = do(job, preset="hls", poster=False, encryption={"scheme": "cbcs", "key": KEY})
    carriers = {name for name in job.artifacts if bytes.fromhex(KEY) in (job.published / name).read_bytes()}
    told = result.model_dump_json() + (job.published / "plan.json").read_text(encoding="utf-8") + "".join(capfd.readouterr())

    assert carriers == {"hls/key.bin"}
    assert KEY not in told
    assert UPLOAD in job.uploads


def test_files_say_what_they_were_asked_to_and_carry_their_texts(source: Path, tmp_path: Path) -> None:
    """In three parts: title and place kept, in files of sound too, whose length stays; the text as tx3g and as WebVTT, cut to the clip."""
    ffmpeg(
        "-i", str(source), "-map", "0", "-c", "copy", "-metadata", "title=Wien", "-metadata", "location=+48.2+16.4/", "s.mkv", cwd=tmp_path
    )
    job = job_for(tmp_path / "s.mkv", tmp_path)
    asked = {"captions": [{"track": 0, "label": "Alles", "embed": True}], "clip": {"duration": 6.0}, "poster": False}
    small = [{"name": "film", "short_side": 64}, {"name": "film", "format": "webm", "short_side": 64}]
    settings = TranscoderSettings(shortest_part=2.0, longest_part=2.0)
    made = do(job, settings, presets=["audio", "audio-mp3"], outputs=small, metadata="keep", **asked)
    films = [ask(job.published / name) for name in ("film.mp4", "film.webm")]
    sounds = [ask(job.published / name) for name in ("audio.m4a", "audio.mp3")]

    assert made.segments == 3
    assert [file["format"]["tags"]["title"] for file in films + sounds] == ["Wien"] * 4
    assert films[0]["format"]["tags"]["location"] == "+48.2000+016.4000/"
    assert [float(file["format"]["duration"]) for file in sounds] == pytest.approx([6.0, 6.0], abs=0.03)
    assert [output.bytes for output in made.outputs] == [(job.published / output.name).stat().st_size for output in made.outputs]
    texts = [file["streams"][2] for file in films]
    assert [(text["codec_name"], text["tags"]["language"]) for text in texts] == [("mov_text", "ger"), ("webvtt", "ger")]
    ffmpeg("-i", str(job.published / "film.mp4"), "-map", "0:s", "back.srt", cwd=tmp_path)
    told = (tmp_path / "back.srt").read_text(encoding="utf-8")
    assert "00:00:05,500 --> 00:00:06,000" in told
    assert "<i>Pfüati</i>" in told
