"""A film that was cut into segments is the film of a single run: every frame, at its time, with the sound where it was."""

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from services.transcoder.binary import tools
from services.transcoder.settings import TranscoderSettings
from tests.integration.transcoder_media import ask, do, job_for, pattern
from tests.integration.transcoder_sources import SIZE, SOURCES

IN_PARTS = TranscoderSettings(shortest_part=2.0, longest_part=2.0, threads=2)
IN_ONE = TranscoderSettings(shortest_part=1_000.0, longest_part=1_000.0, threads=2)
ALIKE = 34.0
"""Decibels of PSNR that two encodes of the same frame share; the test picture's neighbours differ by less than half of that."""


class Made(NamedTuple):
    """What an output holds."""

    pictures: list[float]
    keyframes: list[int]
    sounds: int
    starts: list[float]


def look(path: Path) -> Made:
    """The times of all frames, in seconds; which are keyframes; the packets of sound; when each stream begins."""
    packets = ask(path, "-show_packets")["packets"]
    pictures = sorted((float(packet["pts_time"]), "K" in packet["flags"]) for packet in packets if packet["codec_type"] == "video")
    starts = [float(stream["start_time"]) for stream in ask(path)["streams"]]
    sounds = sum(packet["codec_type"] == "audio" for packet in packets)
    return Made([at for at, _ in pictures], [index for index, (_, key) in enumerate(pictures) if key], sounds, starts)


def likeness(one: Path, other: Path) -> float:
    """The lowest PSNR of any pair of frames, in decibels."""
    command = [str(tools().ffmpeg.path), "-nostdin", "-v", "error", "-i", str(one), "-i", str(other)]
    command += ["-lavfi", "[0:v]settb=1/1000,setpts=N[a];[1:v]settb=1/1000,setpts=N[b];[a][b]psnr=stats_file=-", "-f", "null", "-"]
    said = subprocess.run(command, check=True, capture_output=True, timeout=60).stdout.decode()
    return min(float(found) for found in re.findall(r"psnr_y:([\d.]+)", said.replace("psnr_y:inf", "psnr_y:100")))


def decoded(path: Path) -> int:
    """How many frames a plain FFmpeg gets out of a file."""
    command = [str(tools().ffmpeg.path), "-nostdin", "-v", "quiet", "-i", str(path), "-map", "0:v"]
    command += ["-fps_mode", "passthrough", "-f", "framemd5", "-"]
    said = subprocess.run(command, check=True, capture_output=True, timeout=60).stdout.decode()
    return sum(not line.startswith("#") for line in said.splitlines())


@pytest.mark.parametrize("name", SOURCES)
def test_segments_make_the_film_of_a_single_run(name: str, tmp_path: Path) -> None:
    """The same frames at the same times, the same keyframes, the same sound at the same place; as many frames as the source has."""
    source = SOURCES[name](tmp_path)
    cut, whole = job_for(source, tmp_path / "cut"), job_for(source, tmp_path / "whole")
    segments = do(cut, IN_PARTS, preset="mp4-480p", poster=False).segments
    once = do(whole, IN_ONE, preset="mp4-480p", poster=False).segments
    in_parts, in_one = cut.published / "video-480p.mp4", whole.published / "video-480p.mp4"
    found, expected = look(in_parts), look(in_one)

    assert (segments or 0) >= 2
    assert once == 1
    assert len(found.pictures) == len(expected.pictures) == decoded(source)
    assert found.pictures == pytest.approx(expected.pictures, abs=0.00005)
    assert found.keyframes == expected.keyframes
    assert found.sounds == expected.sounds
    assert found.starts == pytest.approx(expected.starts, abs=0.00005)
    assert likeness(in_parts, in_one) > ALIKE


def test_a_pause_before_the_last_frame_is_no_missing_end(tmp_path: Path) -> None:
    """FFprobe says 6 s of such a file; it once passed for cut off. Found by a bent Matroska file of `python -m tests.hostile`."""
    source = SOURCES["a pause before the end"](tmp_path)
    job = job_for(source, tmp_path / "job")
    output = do(job, IN_PARTS, preset="mp4-480p", poster=False).outputs[0]

    assert float(ask(source)["streams"][0]["duration"]) == pytest.approx(6.0, abs=0.05)
    assert output.duration == pytest.approx(9.0, abs=0.001)


def test_a_film_of_one_frame_is_one_frame(tmp_path: Path) -> None:
    """As long as it was."""
    job = job_for(pattern(tmp_path, "a.mp4", size=SIZE, rate="25", seconds=0.04, tone=False), tmp_path / "job")
    output = do(job, IN_PARTS, preset="hls", poster=False).outputs[0]

    assert output.frames == 1
    assert output.duration == pytest.approx(0.04, abs=0.001)


def test_varying_times_are_the_sources_own(tmp_path: Path) -> None:
    """To the tick: no frame was moved onto a grid."""
    source = SOURCES["varying rate"](tmp_path)
    job = job_for(source, tmp_path / "job")
    do(job, IN_PARTS, preset="mp4-480p", poster=False)

    assert look(job.published / "video-480p.mp4").pictures == pytest.approx(look(source).pictures, abs=0.00002)


def test_a_clip_is_cut_into_the_same_frames(tmp_path: Path) -> None:
    """From frame 23 on, 150 frames, in several parts."""
    source = pattern(tmp_path, "a.mp4", "-bf", "2", "-g", "40", size=SIZE, rate="25", seconds=8.0)
    cut, whole = job_for(source, tmp_path / "cut"), job_for(source, tmp_path / "whole")
    clip = {"start": 0.9, "duration": 6.0}
    do(cut, IN_PARTS, preset="mp4-480p", clip=clip)
    do(whole, IN_ONE, preset="mp4-480p", clip=clip)
    found, expected = look(cut.published / "video-480p.mp4"), look(whole.published / "video-480p.mp4")

    assert len(found.pictures) == 150
    assert found.pictures == pytest.approx(expected.pictures, abs=0.00005)
    assert found.sounds == expected.sounds
    assert likeness(cut.published / "video-480p.mp4", whole.published / "video-480p.mp4") > ALIKE
