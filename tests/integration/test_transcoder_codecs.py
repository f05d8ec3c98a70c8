"""Real encoders: every codec keeps every frame and the keyframe grid, whole and in parts."""

from pathlib import Path
from typing import Any

import pytest

from services.transcoder.settings import TranscoderSettings
from tests.integration.transcoder_media import ask, do, job_for, keyframes, pattern

OUTPUTS: list[dict[str, Any]] = [
    {"name": "h265", "codec": "h265"},
    {"name": "av1", "codec": "av1", "sound": False},
    {"name": "vp9", "format": "webm"},
    {"name": "av1", "format": "webm", "codec": "av1"},
    {"name": "capped", "crf": 10, "max_bit_rate": 100_000},
    {"name": "h265-twice", "codec": "h265", "bit_rate": 150_000, "two_pass": True},
    {"name": "vp9-twice", "format": "webm", "bit_rate": 150_000, "two_pass": True},
    {"name": "sized", "size": 150_000, "two_pass": True},
]


@pytest.mark.parametrize(
    "settings", [TranscoderSettings(), TranscoderSettings(shortest_part=2.0, longest_part=2.0)], ids=["whole", "parts"]
)
def test_every_codec_keeps_every_frame(tmp_path: Path, settings: TranscoderSettings) -> None:
    """150 of 150, keyframes at 0, 2 and 4 s, sound where asked for; what has a bit rate or a size to keep in two passes keeps it."""
    job = job_for(pattern(tmp_path, "film.mp4", rate="25", seconds=6.0, size="160x120"), tmp_path)
    result = do(job, settings, outputs=OUTPUTS, poster=False)
    names = ["h265.mp4", "av1.mp4", "vp9.webm", "av1.webm", "capped.mp4", "h265-twice.mp4", "vp9-twice.webm", "sized.mp4"]
    found = {name: ask(job.published / name)["streams"] for name in names}

    assert result.segments == (3 if settings.shortest_part == 2.0 else 1)
    assert {name: [stream["codec_name"] for stream in streams] for name, streams in found.items()} == {
        "h265.mp4": ["hevc", "aac"],
        "av1.mp4": ["av1"],
        "vp9.webm": ["vp9", "opus"],
        "av1.webm": ["av1", "opus"],
        "capped.mp4": ["h264", "aac"],
        "h265-twice.mp4": ["hevc", "aac"],
        "vp9-twice.webm": ["vp9", "opus"],
        "sized.mp4": ["h264", "aac"],
    }
    assert [streams[0]["nb_read_packets"] for streams in found.values()] == ["150"] * 8
    assert [keyframes(job.published / name) for name in names] == [[0.0, 2.0, 4.0]] * 8
    assert found["h265.mp4"][0]["codec_tag_string"] == "hvc1"
    made = {output.name: output for output in result.outputs}
    assert made["capped.mp4"].bit_rate < 350_000
    assert int(found["h265-twice.mp4"][0]["bit_rate"]) == pytest.approx(150_000, rel=0.1)
    assert made["vp9-twice.webm"].bit_rate == pytest.approx(150_000 + 85_000, rel=0.2)
    assert 120_000 < (made["sized.mp4"].bytes or 0) <= 150_000
