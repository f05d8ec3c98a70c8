"""Presets, custom outputs and ladders become encodings, each made once."""

from fractions import Fraction
from typing import Any

import pytest
from pydantic import ValidationError

from services.transcoder.codecs import CODECS, writing
from services.transcoder.ladder import fit
from services.transcoder.outputs import Rendition
from services.transcoder.wishes import Wishes, pictures
from shared.contracts.transcoder import Transcode
from shared.contracts.transcoder_options import CustomOutput
from shared.errors import PermanentError
from tests.unit.transcoder_probes import media, picture, sound


def wished(**asked: Any) -> Wishes:
    """Of a 1080p film with sound."""
    return pictures(Transcode.model_validate({"source": "upl_12345678", **asked}), media(picture(), sound()))


def after(arguments: list[str], option: str) -> str:
    """The value of an option."""
    return arguments[arguments.index(option) + 1]


def made(**asked: Any) -> list[str]:
    """The options of one custom output."""
    (one,) = wished(outputs=[asked]).renditions
    return writing(one, Fraction(25), 2)


def test_outputs_alone_are_all_that_is_made() -> None:
    """No preset is added to them; without both, it is mp4-720p."""
    assert list(wished(outputs=[{"name": "small", "short_side": 360}]).single) == ["small.mp4"]
    assert list(wished().single) == ["video-720p.mp4"]


def test_an_output_like_a_preset_is_the_same_encoding() -> None:
    """And so is a step of the ladder."""
    wishes = wished(presets=["mp4-720p", "hls"], outputs=[{"short_side": 720}, {"short_side": 720, "crf": 30}])

    assert [one.file for one in wishes.renditions] == ["1920x1080.mp4", "1280x720.mp4", "1280x720-30.mp4", "854x480.mp4"]
    assert wishes.single["video-720p.mp4"] == wishes.single["video-1.mp4"] == wishes.steps[1]


def test_a_size_that_somebody_wants_silent_has_sound_where_another_wants_it() -> None:
    """It is one file; HLS takes its pictures alone."""
    wishes = wished(presets=["mp4-1080p", "hls"])

    assert [(one.file, one.sound) for one in wishes.renditions[:2]] == [("1920x1080.mp4", True), ("1280x720.mp4", False)]


def test_webm_has_parts_in_mp4() -> None:
    """It holds every codec, and times that are exact."""
    (one,) = wished(preset="webm-720p").renditions

    assert (one.container, one.codec, one.part(3)) == ("webm", "vp9", "part-00003-1280x720-vp9.webm.mp4")


@pytest.mark.parametrize(
    ("asked", "encoder", "crf"),
    [
        ({}, "libx264", "22"),
        ({"codec": "h265", "crf": 28}, "libx265", "28"),
        ({"codec": "av1"}, "libsvtav1", "34"),
        ({"format": "webm", "crf": 40}, "libvpx-vp9", "40"),
    ],
)
def test_quality_is_constant_with_a_cap(asked: dict[str, Any], encoder: str, crf: str) -> None:
    """The codec's own unless said; no codec sets keyframes of its own accord."""
    arguments = made(**asked, max_bit_rate=1_000_000)

    assert (after(arguments, "-c:v"), after(arguments, "-crf")) == (encoder, crf)
    assert after(arguments, "-b:v" if encoder == "libvpx-vp9" else "-maxrate") == "1000000"
    assert after(arguments, "-g") == "120"


@pytest.mark.parametrize("codec", list(CODECS))
def test_every_codec_has_a_cap_unasked(codec: str) -> None:
    """Below H.264's, for they need fewer bits."""
    rendition = Rendition(wished().renditions[0].size, "x.mp4", sound=False, codec=codec)
    arguments = writing(rendition, Fraction(25), 2)

    assert int(after(arguments, "-b:v" if codec == "vp9" else "-maxrate")) <= 3_300_000


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"codec": "vp9"}, "mp4 is made with h264, h265, av1, not with vp9"),
        ({"format": "webm", "codec": "h264"}, "webm is made with vp9, av1, not with h264"),
        ({"crf": 52}, "crf goes up to 51 for h264"),
        ({"name": "../etc"}, "String should match pattern"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(asked: dict[str, Any], words: str) -> None:
    """Before anything is read."""
    with pytest.raises(ValidationError, match=words):
        CustomOutput.model_validate(asked)


def test_two_outputs_of_one_name_are_refused() -> None:
    """Whether both are custom or one is a preset's."""
    with pytest.raises(ValidationError, match="two outputs have the same name"):
        wished(outputs=[{"name": "a"}, {"name": "a", "crf": 30}])
    with pytest.raises(PermanentError, match="two outputs have the same name"):
        wished(preset="mp4-720p", outputs=[{"name": "video-720p"}])


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"crf": 20, "bit_rate": 500_000}, "give crf or bit_rate, not both"),
        ({"size": 10**6, "bit_rate": 500_000}, "give bit_rate or size, not both"),
        ({"two_pass": True}, "two_pass needs a bit_rate or a size"),
        ({"two_pass": True, "crf": 20}, "two_pass needs a bit_rate or a size"),
        ({"codec": "av1", "bit_rate": 500_000}, "av1 is encoded by quality alone; give crf and max_bit_rate, or take h264 or h265"),
        ({"bit_rate": 500_000, "max_bit_rate": 400_000}, "max_bit_rate is below bit_rate"),
    ],
)
def test_an_output_has_one_aim(asked: dict[str, Any], why: str) -> None:
    """A quality, a bit rate or a size; what cannot be is refused when it is asked for."""
    with pytest.raises(ValidationError, match=why):
        CustomOutput.model_validate(asked)


@pytest.mark.parametrize("asked", [{"vmaf": True}, {"quality": {"vmaf": 90}}, {"watermark": {"upload": "upl_12345678"}}])
def test_what_is_for_pictures_needs_one(asked: dict[str, Any]) -> None:
    """Asked for with sound alone it would do nothing, so it is refused where it stands."""
    with pytest.raises(ValidationError, match="only sound was asked for") as refused:
        Transcode.model_validate({"source": "upl_12345678", "preset": "audio", **asked})
    assert [error["loc"] for error in refused.value.errors()] == [tuple(asked)]


def test_a_size_leaves_the_pictures_what_the_sound_does_not_take() -> None:
    """Of 1 MB for ten seconds the container takes 1.5 %, AAC 137 kbit/s; silent, all is for the pictures."""
    source = media(picture(), sound())

    def rates(**asked: Any) -> list[int | None]:
        request = Transcode.model_validate({"source": "upl_12345678", "outputs": [{"size": 10**6, "two_pass": True, **asked}]})
        return [one.rate for one in pictures(request, source, 10.0).renditions]

    assert (rates(), rates(sound=False)) == ([651_040], [788_000])
    with pytest.raises(PermanentError, match="are needed at least") as refused:
        rates(size=150_000)
    assert refused.value.pointer == "/outputs/0/size"


@pytest.mark.parametrize(
    ("codec", "said"), [("h264", "-pass 1 -passlogfile log"), ("h265", "pass=1:stats=log"), ("vp9", "-passlogfile log")]
)
def test_two_passes_share_a_file_and_all_else(codec: str, said: str) -> None:
    """The encoders need the same options in both; only the number of the pass differs."""
    one = Rendition(fit((1920, 1080), 720), "a.mp4", sound=False, codec=codec, rate=500_000, two_pass=True)
    first, second = (" ".join(writing(one, Fraction(25), 2, statistics="log", first=passing)) for passing in (True, False))

    assert said in first
    assert first.replace("pass 1", "pass 2").replace("pass=1", "pass=2") == second
    assert "-crf" not in first
