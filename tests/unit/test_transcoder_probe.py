"""ffprobe's JSON becomes typed values, and the limits that a source must keep."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from services.transcoder.admit import admit
from services.transcoder.probe import Probe, parse
from services.transcoder.settings import TranscoderSettings
from shared.errors import PermanentError
from tests.unit.transcoder_probes import media, picture, sound

FILM: dict[str, Any] = {
    "format": {"format_name": "mov,mp4,m4a,3gp,3g2,mj2", "duration": "5.312000", "size": "1055736", "bit_rate": "1589963"},
    "streams": [
        {"index": 0, "codec_type": "video", "codec_name": "mjpeg", "width": 300, "height": 300, "disposition": {"attached_pic": 1}},
        {
            "index": 1,
            "codec_type": "video",
            "codec_name": "hevc",
            "width": 1920,
            "height": 1080,
            "sample_aspect_ratio": "N/A",
            "pix_fmt": "yuv420p10le",
            "avg_frame_rate": "30000/1001",
            "r_frame_rate": "0/0",
            "nb_frames": "159",
            "duration": "5.305300",
            "color_transfer": "arib-std-b67",
            "field_order": "tt",
            "side_data_list": [{"side_data_type": "CPB"}, {"side_data_type": "Display Matrix", "rotation": -90}],
            "mime_codec_string": "hvc1.2.4.L120",
        },
        {"index": 2, "codec_type": "audio", "codec_name": "aac", "channels": 2, "sample_rate": "44100", "start_time": "0.021"},
        {"index": 3, "codec_type": "data"},
    ],
}


def test_a_telephone_s_film_is_understood() -> None:
    """Rotation, high dynamic range, a broken rate of frames a second, and a cover picture that is no film."""
    found = parse(FILM)

    assert found.video is not None
    assert (found.video.index, found.video.display, found.video.rotation) == (1, (1080, 1920), -90)
    assert (found.video.rate, found.video.frames, found.video.hdr) == (Fraction(30_000, 1_001), 159, "HLG")
    assert found.video.interlaced
    assert found.audio is not None
    assert (found.audio.index, found.audio.rate, found.audio.start) == (2, 44_100, 0.021)
    assert (found.duration, found.streams, found.bytes) == (5.312, 4, 1_055_736)


def test_what_a_container_does_not_say_is_none() -> None:
    """A live recording knows neither its length nor its frames."""
    found = parse({"format": {"format_name": "matroska,webm"}, "streams": [{"index": 0, "codec_type": "video", "avg_frame_rate": "0/0"}]})

    assert found.duration is None
    assert found.video is not None
    assert (found.video.frames, found.video.rate, found.video.duration) == (None, Fraction(0), None)


def test_the_summary_is_json_without_paths() -> None:
    """It goes into the job's result."""
    summary = parse(FILM).summary()

    assert summary["video"]["frame_rate"] == 29.97
    assert summary["audio"] == {"codec": "aac", "channels": 2, "sample_rate": 44_100}
    assert "filename" not in summary


@pytest.mark.parametrize(
    ("found", "type_", "word"),
    [
        (media(None, None, streams=0), "invalid-media", "neither picture nor sound"),
        (media(picture(), sound(), streams=65), "too-large", "65 streams"),
        (media(picture(), sound(), duration=50_000.0), "too-large", "13.9 hours"),
        (media(picture(16_384, 8_192), None), "too-large", "16384×8192"),
        (media(picture(0, 0), None), "invalid-media", "0×0"),
        (media(picture(4_000, 100), None), "invalid-media", "more than 16 times"),
        (media(picture(100, 100, sar=Fraction(1, 1_000)), None), "invalid-media", "100×100"),
        (media(picture(1_920, 1_080, sar=Fraction(15)), None), "too-large", "1920×1080"),
        (media(picture(rate=Fraction(1_000)), None), "too-large", "1000 frames a second"),
        (media(None, sound(channels=255)), "too-large", "255 audio channels"),
    ],
)
def test_the_absurd_is_refused_with_its_limit(found: Probe, type_: str, word: str) -> None:
    """A sentence that a user can act on, never a retry."""
    with pytest.raises(PermanentError) as caught:
        admit(found, TranscoderSettings())

    assert type_ == caught.value.type
    assert word in caught.value.detail


def test_the_usual_is_admitted() -> None:
    """8K upright included, and a source that does not know its duration."""
    admit(media(picture(7_680, 4_320, rotation=90), sound()), TranscoderSettings())
    admit(replace(media(picture(duration=None), None), duration=None), TranscoderSettings())


def test_a_varying_rate_in_a_broadcast_is_not_ninety_thousand_frames_a_second() -> None:
    """FFprobe names the stream's clock where it knows no rate: such a source was refused as too fast."""
    varying = {"avg_frame_rate": "0/0", "r_frame_rate": "90000/1", "time_base": "1/90000"}
    found = parse({**FILM, "streams": [{**FILM["streams"][1], **varying}]})

    assert found.video is not None
    assert found.video.rate == 0
