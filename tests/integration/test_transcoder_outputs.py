"""Real FFmpeg, real outputs: exact frame counts, playlists that agree, nothing left behind."""

import re
from pathlib import Path

import pytest

from services.transcoder.playlists import read_playlist
from tests.integration.transcoder_media import SAMPLE, ask, do, ffmpeg, job_for, keyframes, pattern
from tests.unit.transcoder_job import FakeJob


@pytest.fixture(scope="module")
def bunny(tmp_path_factory: pytest.TempPathFactory) -> FakeJob:
    """The sample as 720p and 480p, in one job."""
    job = job_for(SAMPLE, tmp_path_factory.mktemp("bunny"))
    result = do(job, presets=["mp4-720p", "mp4-480p"])
    job.labels["codecs"] = result.outputs[0].codecs
    return job


@pytest.fixture(scope="module")
def streamed(tmp_path_factory: pytest.TempPathFactory) -> FakeJob:
    """Fourteen seconds at 29.97 frames a second as HLS."""
    folder = tmp_path_factory.mktemp("streamed")
    job = job_for(pattern(folder, "long.mp4", seconds=14.0), folder)
    do(job, preset="hls")
    return job


@pytest.mark.parametrize(("name", "width", "height"), [("video-720p.mp4", 1280, 720), ("video-480p.mp4", 854, 480)])
def test_the_sample_keeps_every_frame(bunny: FakeJob, name: str, width: int, height: int) -> None:
    """132 frames in, 132 out, at the size asked for, with stereo sound, in colours that every player knows."""
    video, audio = ask(bunny.published / name)["streams"]

    assert (video["codec_name"], video["profile"], video["pix_fmt"]) == ("h264", "High", "yuv420p")
    assert (video["width"], video["height"], video["sample_aspect_ratio"]) == (width, height, "1:1")
    assert video["nb_read_packets"] == "132"
    assert (audio["codec_name"], audio["channels"]) == ("aac", 2)
    assert float(video["duration"]) == pytest.approx(5.28, abs=0.001)


def test_an_mp4_starts_with_its_index_and_tells_no_secrets(bunny: FakeJob) -> None:
    """`moov` before `mdat`; no creation time of the source."""
    head = (bunny.published / "video-720p.mp4").read_bytes()

    assert 0 < head.index(b"moov") < head.index(b"mdat")
    assert "creation_time" not in ask(bunny.published / "video-720p.mp4")["format"].get("tags", {})


def test_renditions_have_the_same_keyframes_on_a_grid_of_two_seconds(bunny: FakeJob) -> None:
    """So that a player can change between them."""
    assert keyframes(bunny.published / "video-720p.mp4") == [0.0, 2.0, 4.0]
    assert keyframes(bunny.published / "video-480p.mp4") == [0.0, 2.0, 4.0]


def test_progress_is_real_and_rises(bunny: FakeJob) -> None:
    """From FFmpeg's own figures: more than one step inside the encode, a speed, an estimate."""
    fractions = [fraction for fraction, *_ in bunny.told]
    encoding = [told for told in bunny.told if told[1] == "encode"]

    assert fractions == sorted(fractions)
    assert len({fraction for fraction, *_ in encoding}) > 3
    assert any(eta for *_, eta in encoding)
    assert re.fullmatch(r"0:0\d done, .*× real time", encoding[-1][2])


def test_nothing_is_left_in_the_work_folder(bunny: FakeJob) -> None:
    """The scratch folder went with the job."""
    assert list(bunny.workdir.iterdir()) == []


def test_the_poster_is_a_picture(bunny: FakeJob) -> None:
    """A JPEG at the source's size."""
    (stream,) = ask(bunny.published / "poster.jpg")["streams"]

    assert (stream["codec_name"], stream["width"], stream["height"]) == ("mjpeg", 1280, 720)


def test_a_package_agrees_with_itself(streamed: FakeJob) -> None:
    """Every file that a playlist names was published, the cuts are the same in every rendition, on keyframes."""
    for name in ("360p", "240p"):
        playlist = read_playlist((streamed.published / "hls" / name / "playlist.m3u8").read_text(encoding="utf-8"))
        assert playlist.seconds == pytest.approx((6.006, 6.006, 2.002), abs=0.001)
        assert {f"hls/{name}/{file}" for file in playlist.files} <= set(streamed.artifacts)
    assert streamed.artifacts["hls/master.m3u8"].media_type == "application/vnd.apple.mpegurl"


def test_the_master_playlist_is_published_last(streamed: FakeJob) -> None:
    """Whoever can read it can read all that it leads to."""
    names = list(streamed.artifacts)

    assert names[-1] == "hls/master.m3u8"
    assert all(name.endswith(".m3u8") for name in names[-4:])


@pytest.mark.parametrize("name", ["360p", "240p"])
def test_a_packaged_rendition_starts_at_zero_and_has_every_frame(streamed: FakeJob, tmp_path: Path, name: str) -> None:
    """Initialisation and segments one after the other are a film of 420 frames that decodes without a word."""
    folder = streamed.published / "hls" / name
    playlist = read_playlist((folder / "playlist.m3u8").read_text(encoding="utf-8"))
    whole = tmp_path / "whole.mp4"
    whole.write_bytes(b"".join((folder / file).read_bytes() for file in playlist.files))
    ffmpeg("-xerror", "-i", str(whole), "-f", "null", "-", cwd=tmp_path)
    (video,) = ask(whole)["streams"]

    assert (float(video["start_time"]), video["nb_read_packets"]) == (0.0, "420")


def test_sound_alone_becomes_an_m4a(tmp_path: Path) -> None:
    """An MP3 has no picture to make a poster of."""
    ffmpeg("-f", "lavfi", "-i", "sine=440:duration=3", "tone.mp3", cwd=tmp_path)
    job = job_for(tmp_path / "tone.mp3", tmp_path)
    result = do(job, preset="audio")
    (stream,) = ask(job.published / "audio.m4a")["streams"]

    assert list(job.artifacts) == ["plan.json", "audio.m4a"]
    assert float(stream["duration"]) == pytest.approx(3.0, abs=0.06)
    assert (result.poster, result.outputs[0].codecs) == (None, "mp4a.40.2")


def test_a_silent_film_stays_silent(tmp_path: Path) -> None:
    """One stream in MP4, no audio group in HLS."""
    job = job_for(pattern(tmp_path, "silent.mkv", seconds=1.0, tone=False), tmp_path)
    do(job, presets=["mp4-480p", "hls"])

    assert [stream["codec_type"] for stream in ask(job.published / "video-480p.mp4")["streams"]] == ["video"]
    assert "EXT-X-MEDIA" not in (job.published / "hls/master.m3u8").read_text(encoding="utf-8")


def test_one_frame_is_a_film_too(tmp_path: Path) -> None:
    """With a poster of that frame."""
    job = job_for(pattern(tmp_path, "one.mp4", rate="25", seconds=0.04, tone=False), tmp_path)
    result = do(job)

    assert (result.outputs[0].frames, result.poster) == (1, "poster.jpg")


def test_an_upright_film_is_upright_without_being_told(tmp_path: Path) -> None:
    """The turn is done in the picture; no player has to know about it."""
    pattern(tmp_path, "lying.mp4", seconds=1.0)
    ffmpeg("-display_rotation", "90", "-i", "lying.mp4", "-c", "copy", "upright.mp4", cwd=tmp_path)
    job = job_for(tmp_path / "upright.mp4", tmp_path)
    do(job, preset="mp4-480p")
    video = ask(job.published / "video-480p.mp4")["streams"][0]

    assert (video["width"], video["height"]) == (360, 640)
    assert "side_data_list" not in video


def test_odd_sizes_lose_a_line(tmp_path: Path) -> None:
    """641×359 in 4:4:4 is no size for 4:2:0."""
    source = pattern(tmp_path, "odd.mkv", "-pix_fmt", "yuv444p", size="641x359", seconds=0.5, tone=False)
    job = job_for(source, tmp_path)
    do(job)
    video = ask(job.published / "video-720p.mp4")["streams"][0]

    assert (video["width"], video["height"], video["pix_fmt"]) == (640, 358, "yuv420p")


def test_a_clip_is_exact(tmp_path: Path) -> None:
    """From frame 45 on, 30 frames: between two keyframes at both ends."""
    job = job_for(pattern(tmp_path, "film.mp4", rate="30", seconds=4.0), tmp_path)
    result = do(job, clip={"start": 1.5, "duration": 1.0})

    assert result.outputs[0].frames == 30
    assert result.outputs[0].duration == pytest.approx(1.0, abs=0.05)


def test_high_dynamic_range_becomes_bt709(tmp_path: Path) -> None:
    """Tagged as such, 8 bits, and the user is told."""
    tags = "setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc"
    source = pattern(tmp_path, "hdr.mp4", "-vf", tags, "-pix_fmt", "yuv420p10le", seconds=0.5, tone=False)
    job = job_for(source, tmp_path)
    result = do(job)
    video = ask(job.published / "video-720p.mp4")["streams"][0]

    assert (video["color_transfer"], video["color_primaries"], video["pix_fmt"]) == ("bt709", "bt709", "yuv420p")
    assert result.notes[-1].startswith("PQ high dynamic range")


def test_late_sound_stays_late_and_stops_nothing(tmp_path: Path) -> None:
    """Two seconds of silence first, in the MP4 and in HLS; FFmpeg 9.0 deadlocks if each output pads them by itself."""
    pattern(tmp_path, "film.mp4", seconds=4.0)
    ffmpeg("-i", "film.mp4", "-itsoffset", "2", "-i", "film.mp4", "-map", "0:v", "-map", "1:a", "-c", "copy", "late.mp4", cwd=tmp_path)
    job = job_for(tmp_path / "late.mp4", tmp_path)
    result = do(job, presets=["mp4-480p", "hls"])
    video, audio = ask(job.published / "video-480p.mp4")["streams"]

    assert result.outputs[0].frames == 120
    assert (float(video["start_time"]), float(audio["start_time"])) == (0.0, 0.0)
    assert float(audio["duration"]) == pytest.approx(6.0, abs=0.06)
