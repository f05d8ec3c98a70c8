"""Small files that ask for much: giant frames, thousands of streams, endless times, absurd rates. Made by FFmpeg, so they are valid."""

import os
from collections.abc import Iterator
from pathlib import Path

from tests.hostile.bases import make

SILENCE = ("-f", "lavfi", "-i", "anullsrc=r=8000:cl=mono:d=0.2")


def still(size: str, *, rate: str = "25", frames: int = 1) -> tuple[str, ...]:
    """A black picture: any size costs next to no bytes."""
    return ("-f", "lavfi", "-i", f"color=black:s={size}:r={rate}", "-frames:v", str(frames))


RECIPES: dict[str, tuple[str, ...]] = {
    **{
        f"frame-{size}-{codec}": (*still(size), "-c:v", codec, *options, "-f", "matroska")
        for size in ("16384x8192", "8192x4320", "16000x64", "64x16000", "16384x16")
        for codec, options in {"mjpeg": ("-pix_fmt", "yuvj420p"), "ffv1": (), "vp8": ("-b:v", "1k")}.items()
        if codec != "vp8" or "16384" not in size  # VP8 has 14 bits for a side
    },
    "frame-1x1": (*still("2x2"), "-c:v", "ffv1", "-vf", "crop=1:1:exact=1", "-pix_fmt", "gray", "-f", "matroska"),
    "rate-1000": (*still("64x64", rate="1000", frames=50), "-c:v", "mpeg4", "-f", "nut"),
    "rate-90000": (*still("64x64", rate="90000", frames=50), "-c:v", "ffv1", "-f", "nut"),
    "endless-still": (*still("64x64", rate="1/50000", frames=9), "-c:v", "ffv1", "-f", "matroska"),
    "endless-sound": (*SILENCE, "-af", "asetpts=PTS*1000000", "-c:a", "pcm_s16le", "-f", "nut"),
    "starts-late": ("-itsoffset", "900000", *still("64x64", frames=9), "-c:v", "ffv1", "-f", "matroska"),
    "starts-before": (*still("64x64", frames=9), "-c:v", "ffv1", "-output_ts_offset", "-900000", "-f", "nut"),
    "channels-64": ("-f", "lavfi", "-i", "aevalsrc=" + "|".join("0" * 64) + ":d=0.2", "-c:a", "pcm_s16le", "-f", "w64"),
    "rate-8": ("-f", "lavfi", "-i", "anullsrc=r=8000:d=0.2", "-af", "asetrate=8", "-c:a", "pcm_s16le", "-f", "nut"),
    "streams-100": (*SILENCE, *("-map", "0") * 100, "-c:a", "pcm_s16le", "-f", "matroska"),
    "streams-1000": (*SILENCE, *("-map", "0") * 1_000, "-c:a", "pcm_s16le", "-f", "nut"),
    "two-films": (*still("64x64", frames=5), *("-map", "0") * 2, "-c:v", "ffv1", "-f", "matroska"),
    "sizes-change": (*still("64x64", frames=5), "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-f", "mjpeg"),
    "metadata": (*SILENCE, "-metadata", f"title={'x' * 100_000}", "-c:a", "flac", "-f", "flac"),
}


def bombs(folder: Path) -> Iterator[tuple[str, bytes]]:
    """All of them, and three that FFmpeg would not make."""
    for name, recipe in RECIPES.items():
        yield name, make(folder, name, *recipe).read_bytes()
    small = make(folder, "small.mjpeg", *still("64x64"), "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-f", "mjpeg").read_bytes()
    large = make(folder, "large.mjpeg", *still("4096x4096"), "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-f", "mjpeg").read_bytes()
    header = still("64x64", frames=50)
    avi = make(folder, "grows.avi", *header, "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-f", "avi").read_bytes()
    yield "frames-grow", avi.replace(small, large[: len(small)])
    yield "id3-bomb", b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + bytes(2_000_000)
    yield "ogg-pages", (b"OggS\0\x02" + bytes(8) + b"\1\0\0\0" + bytes(8) + b"\xff" + b"\xff" * 255 + os.urandom(4)) * 2_000
