"""A real watermark: where it is seen, at both sides of a join, and what is not taken for one."""

import subprocess
import zlib
from pathlib import Path
from struct import pack

import pytest

from services.transcoder.binary import tools
from services.transcoder.settings import TranscoderSettings
from shared.errors import PermanentError
from tests.integration.transcoder_media import do, ffmpeg, job_for, pattern

LOGO = "upl_watermark"


def shade(film: Path, frame: int, where: str) -> list[int]:
    """The average colour (red, green, blue) of a piece of a frame, `where` as the filter crop has it."""
    chain = f"select=eq(n\\,{frame}),crop={where},scale=1:1:flags=area,format=rgb24"
    command = [str(tools().ffmpeg.path), "-v", "error", "-i", str(film), "-vf", chain, "-frames:v", "1", "-f", "rawvideo", "-"]
    return list(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)


def test_a_watermark_is_in_its_place_in_every_part(tmp_path: Path) -> None:
    """A half-transparent red square on grey, in two sizes: before the join, after it and at the end, and nowhere else."""
    picture = pattern(tmp_path, "film.mp4", "-vf", "drawbox=color=gray:t=fill", size="320x180", rate="25", seconds=4.0, tone=False)
    ffmpeg("-f", "lavfi", "-i", "color=red@0.5:size=64x64,format=rgba", "-frames:v", "1", "logo.png", cwd=tmp_path)
    job = job_for(picture, tmp_path)
    job.uploads[LOGO] = tmp_path / "logo.png"
    asked = {"upload": LOGO, "position": "top-right", "margin": 0.1, "width": 0.2}
    settings = TranscoderSettings(shortest_part=2.0, longest_part=2.0)
    made = do(job, settings, outputs=[{"crf": 5}, {"crf": 5, "short_side": 90}], poster=False, watermark=asked, vmaf=True)

    assert made.segments == 2
    for name, inside, below in (
        ("video-1.mp4", "56:56:242:22", "64:40:236:90"),
        ("video-2.mp4", "24:24:122:12", "32:20:118:48"),
    ):
        for frame in (0, 49, 50, 99):
            assert shade(job.published / name, frame, inside) == pytest.approx([192, 64, 64], abs=6), (name, frame)
            assert shade(job.published / name, frame, below) == pytest.approx([128] * 3, abs=3)
    assert all((output.vmaf or 0) > 90 for output in made.outputs)


def giant() -> bytes:
    """A PNG of 30,000 × 30,000 black pixels in a few kilobytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return pack(">I", len(content)) + kind + content + pack(">I", zlib.crc32(kind + content))

    packed = zlib.compressobj(9)
    rows = b"".join(packed.compress(bytes(3_751)) for _ in range(2_000)) + packed.flush()
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", pack(">IIBBBBB", 30_000, 30_000, 1, 0, 0, 0, 0)) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'><image href='/etc/passwd'/></svg>", "unsupported-media"),
        (b"\x89PNG\r\n\x1a\nnothing of the kind", "invalid-media"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 garbage!", "invalid-media"),
        (giant(), "invalid-media"),
        (bytes(10_000_001), "too-large"),
    ],
    ids=["svg", "no png", "no webp", "giant", "heavy"],
)
def test_what_is_no_picture_is_no_watermark(tmp_path: Path, content: bytes, why: str) -> None:
    """Refused for good, with the field's name, before anything is encoded."""
    job = job_for(pattern(tmp_path, "film.mp4", size="64x64", rate="25", seconds=0.2, tone=False), tmp_path)
    job.uploads[LOGO] = tmp_path / "logo"
    job.uploads[LOGO].write_bytes(content)
    with pytest.raises(PermanentError) as refused:
        do(job, watermark={"upload": LOGO})

    assert (refused.value.type, refused.value.pointer) == (why, "/watermark/upload")
    assert job.artifacts == {}
