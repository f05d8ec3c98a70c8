"""Plans are pure: probe and request in, argument lists out."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest

from services.transcoder.plan import Plan, make
from services.transcoder.probe import Probe
from services.transcoder.settings import TranscoderSettings
from services.transcoder.timeline import Timeline
from shared.contracts.transcoder import Transcode
from shared.errors import PermanentError
from tests.unit.transcoder_probes import media, picture, sound

FULL_HD = media(picture(), sound())


SETTINGS = TranscoderSettings()


def planned(found: Probe, timeline: Timeline | None = None, **request: Any) -> Plan:
    """The plan for a request on two threads."""
    return make(Transcode(source="upl_12345678", **request), found, timeline, SETTINGS, 2)


def encoding(plan: Plan, number: int = 0) -> list[str]:
    """The arguments that make a part in all its renditions."""
    return plan.encode(number, plan.renditions, SETTINGS, plan.threads)


def after(arguments: Sequence[str], flag: str) -> list[str]:
    """Every value that follows `flag`."""
    return [value for name, value in pairwise(arguments) if name == flag]


def test_one_decode_serves_every_rendition() -> None:
    """Two MP4s, a ladder and the sound come from one FFmpeg with one input, each size encoded once."""
    plan = planned(FULL_HD, presets=["mp4-720p", "mp4-480p", "hls", "audio"])

    assert after(encoding(plan), "-i") == ["file:source"]
    assert [rendition.size.name for rendition in plan.renditions] == ["1080p", "720p", "480p"]
    assert plan.package is not None
    assert plan.package.renditions == plan.renditions
    assert plan.publish == {"video-720p.mp4": "1280x720.mp4", "video-480p.mp4": "854x480.mp4", "audio.m4a": "audio.m4a"}
    assert [rendition.sound for rendition in plan.renditions] == [False, True, True]


def test_the_default_is_720p_with_a_poster() -> None:
    """A request that names no preset gets what plays everywhere."""
    plan = planned(FULL_HD)

    assert list(plan.publish) == ["video-720p.mp4"]
    assert plan.posters


def test_keyframes_lie_on_a_grid_of_two_seconds_only() -> None:
    """No scene cuts, forced keyframes, and a longest gap above the grid even at 60 frames a second."""
    plan = planned(media(picture(rate=Fraction(60), frames=600), None), preset="mp4-720p")

    assert after(encoding(plan), "-sc_threshold") == ["0"]
    assert after(encoding(plan), "-force_key_frames") == ["expr:gte(t,n_forced*2)"]
    assert after(encoding(plan), "-g") == ["240"]


def test_a_user_file_is_opened_under_guard() -> None:
    """Before every input: one protocol, a list of formats without playlists and scripts, a limit of pixels."""
    plan = planned(FULL_HD, presets=["mp4-720p"])

    for arguments in (encoding(plan), *plan.posters):
        before = arguments[: arguments.index("-i")]
        assert after(before, "-protocol_whitelist") == ["file"]
        assert after(before, "-max_pixels") == [str(8_192 * 4_320)]
        formats = after(before, "-format_whitelist")[0].split(",")
        assert not {"concat", "hls", "dash", "image2", "sdp", "lavfi", "webm_dash_manifest", "imf", "rtsp"} & set(formats)


def test_a_small_source_is_not_upscaled_and_the_user_is_told() -> None:
    """480p asked for at 1080p stays 480p, in one encode for both presets."""
    plan = planned(media(picture(854, 480), sound()), presets=["mp4-1080p", "mp4-720p"])

    assert [(rendition.size.width, rendition.size.height) for rendition in plan.renditions] == [(854, 480)]
    assert set(plan.publish) == {"video-1080p.mp4", "video-720p.mp4"}
    assert plan.notes == (
        "mp4-1080p: the source is only 854×480, and nothing is upscaled",
        "mp4-720p: the source is only 854×480, and nothing is upscaled",
    )


def test_a_telephone_s_upright_film_stays_upright() -> None:
    """Stored lying, turned by 90 degrees: 720p is 720 wide."""
    plan = planned(media(picture(rotation=-90), sound()), preset="mp4-720p")

    assert [(rendition.size.width, rendition.size.height) for rendition in plan.renditions] == [(720, 1280)]


def test_pixels_become_square() -> None:
    """PAL widescreen, 720×576 of 16:11 pixels, is shown 1047 wide: the output is as wide as seen, with square pixels."""
    plan = planned(media(picture(720, 576, sar=Fraction(16, 11)), None), preset="mp4-480p")

    assert [(rendition.size.width, rendition.size.height) for rendition in plan.renditions] == [(872, 480)]
    assert "setsar=1:1" in after(encoding(plan), "-filter_complex")[0]


def test_a_silent_film_has_no_sound_arguments() -> None:
    """Nothing is mapped that is not there."""
    plan = planned(media(picture(), None), preset="hls")

    assert "-c:a" not in encoding(plan)
    assert not plan.voices


def test_high_dynamic_range_is_tone_mapped_once() -> None:
    """PQ goes through linear light to BT.709 before the split, and the result says so."""
    plan = planned(media(picture(transfer="smpte2084"), None), preset="hls")
    graph = after(encoding(plan), "-filter_complex")[0]

    assert graph.count("tonemap=tonemap=") == 1
    assert graph.index("tonemap") < graph.index("split=3")
    assert any("PQ" in note for note in plan.notes)


def test_interlaced_frames_are_deinterlaced_without_doubling_them() -> None:
    """One frame out for each frame in."""
    plan = planned(media(picture(interlaced=True), None), preset="mp4-720p")

    assert "bwdif=mode=send_frame" in after(encoding(plan), "-filter_complex")[0]


def test_a_clip_is_sought_before_the_input() -> None:
    """Exact and cheap: FFmpeg decodes from the keyframe before. The expected frame count is then open."""
    plan = planned(FULL_HD, clip={"start": 2.5, "duration": 3.0})
    before = encoding(plan)[: encoding(plan).index("-i")]

    assert (after(before, "-ss"), after(before, "-t")) == (["2.500000"], ["3.000000"])
    assert (plan.duration, plan.frames) == (3.0, None)


def test_a_clip_ends_with_its_source() -> None:
    """Eight seconds from second 7 of 10 are three."""
    assert planned(FULL_HD, clip={"start": 7.0, "duration": 8.0}).duration == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("found", "request_", "type_", "pointer"),
    [
        (FULL_HD, {"clip": {"start": 10.0}}, "invalid-request", "/clip/start"),
        (media(None, sound()), {"preset": "mp4-720p"}, "no-video", "/source"),
        (media(picture(), None), {"preset": "audio"}, "no-audio", "/source"),
    ],
)
def test_what_the_source_cannot_give_is_refused(found: Probe, request_: dict[str, Any], type_: str, pointer: str) -> None:
    """With a type for programs and a pointer to the field."""
    with pytest.raises(PermanentError) as caught:
        planned(found, **request_)

    assert (type_, pointer) == (caught.value.type, caught.value.pointer)


def test_sound_is_encoded_once_and_apart() -> None:
    """Whatever carries it: three outputs take the same packets, and no picture's command names a sound."""
    plan = planned(FULL_HD, presets=["mp4-720p", "mp4-480p", "audio"])

    assert plan.sounding
    assert after(plan.sound(plan.voices, SETTINGS, 2), "-c:a") == ["aac"]
    assert "-c:a" not in encoding(plan)


def test_a_song_with_a_cover_needs_no_picture() -> None:
    """Sound alone: one file, no poster, stereo at a rate that every player knows."""
    plan = planned(media(None, sound(channels=6, rate=96_000)), preset="audio")

    assert plan.publish == {"audio.m4a": "audio.m4a"}
    assert plan.posters == ()
    assert after(plan.sound(plan.voices, SETTINGS, 2), "-filter_complex") == [
        "[0:1]aresample=48000:out_chlayout=stereo:async=1:first_pts=0[a0]"
    ]


def test_frames_are_expected_only_where_the_container_is_sure() -> None:
    """An edit list that hides half the film makes the frame count a lie."""
    assert planned(FULL_HD).frames == 250
    assert planned(media(picture(frames=500), sound())).frames is None


def test_nothing_of_the_source_s_metadata_survives() -> None:
    """It may say where somebody lives."""
    plan = planned(FULL_HD, presets=["mp4-720p", "audio"])

    assert after(encoding(plan), "-map_metadata") == after(plan.sound(plan.voices, SETTINGS, 2), "-map_metadata") == ["-1"]
