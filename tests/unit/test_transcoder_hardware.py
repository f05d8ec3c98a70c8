"""Hardware encoders: what is tried, what is taken, what is said where nothing works; and their arguments. None was at hand."""

from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest

from services.transcoder import detect, hardware
from services.transcoder.codecs import encoder, writing
from services.transcoder.commands import encode
from services.transcoder.hardware import KINDS, Hardware, Kind
from services.transcoder.plan import Plan, make
from services.transcoder.segment import Workshop
from services.transcoder.settings import TranscoderSettings
from shared.contracts.transcoder import Transcode
from shared.errors import PermanentError, TransientError
from tests.unit.transcoder_probes import media, picture, sound

NO_DEVICE = "Cannot load libcuda.so.1"


def planned(here: Hardware, **request: Any) -> Plan:
    """A plan made on a machine with this hardware."""
    return make(Transcode(source="upl_12345678", **request), media(picture(), sound()), None, TranscoderSettings(), 2, hardware=here)


def works(*pairs: tuple[Kind, str]) -> Any:
    """A trial that succeeds for these kinds and codecs."""
    return lambda kind, codec: None if (kind, codec) in pairs else NO_DEVICE


def test_off_tries_nothing() -> None:
    """The default: nobody is asked, nothing is said."""
    assert detect.look(TranscoderSettings(), lambda *_: pytest.fail("it was tried")) == Hardware()


def test_auto_takes_the_first_that_works() -> None:
    """With the codecs that it really encodes; why the others were not taken is kept."""
    found = detect.look(TranscoderSettings(hardware="auto"), works(("vaapi", "h264"), ("vaapi", "h265"), ("qsv", "h264")))

    assert found == Hardware("vaapi", ("h264", "h265"), {"nvenc": NO_DEVICE})


def test_a_named_kind_alone_is_tried() -> None:
    """Another one that would work is not what was asked for."""
    assert detect.look(TranscoderSettings(hardware="nvenc"), works(("qsv", "h264"))) == Hardware(tried={"nvenc": NO_DEVICE})


def test_what_does_not_work_is_done_in_software_and_said() -> None:
    """In the notes, with the driver's own words."""
    plan = planned(Hardware(tried={"nvenc": NO_DEVICE}), preset="mp4-720p")

    assert [encoder(one) for one in plan.renditions] == ["libx264"]
    assert plan.notes == ("720p: encoded by software", f"nvenc does not work here ({NO_DEVICE})")
    assert planned(Hardware(), preset="mp4-720p").notes == ()


def test_each_output_by_what_can_encode_it() -> None:
    """H.264 by hardware, VP9 and two passes by software: in one FFmpeg, from one decode."""
    outputs = [{"short_side": 480, "bit_rate": 500_000, "two_pass": True}]
    plan = planned(Hardware("nvenc", ("h264",)), presets=["hls", "webm-720p"], outputs=outputs)

    assert {one.file: encoder(one) for one in plan.renditions} == {
        "1920x1080.mp4": "h264_nvenc",
        "1280x720.mp4": "h264_nvenc",
        "1280x720-vp9.webm": "libvpx-vp9",
        "854x480.mp4": "h264_nvenc",
        "854x480-500000b-2.mp4": "libx264",
    }
    assert plan.package is not None
    assert {one.encoder for one in plan.package.renditions} == {"nvenc"}
    arguments = plan.encode(0, plan.renditions[:3], TranscoderSettings(), 2)
    chains = dict(pairwise(arguments))["-filter_complex"].split(";")
    assert [chain.rpartition(",")[2] for chain in chains[1:]] == ["format=nv12[v0]", "format=yuv420p[v1]", "format=nv12[v2]"]
    assert arguments.count("-i") == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("asked", "aims"), [({"crf": 24}, {"-cq": "24", "-global_quality": "24"}), ({"bit_rate": 700_000}, {"-b:v": "700000"})]
)
def test_hardware_gets_the_same_aims(kind: Kind, asked: dict[str, int], aims: dict[str, str]) -> None:
    """A quality or a bit rate, the cap, and no keyframes but the forced ones."""
    (one,) = planned(Hardware(kind, ("h264", "h265")), outputs=[{"codec": "h265", "max_bit_rate": 900_000, **asked}]).renditions
    written = writing(one, Fraction(25), 2)
    options = dict(pairwise(written))

    assert (options["-c:v"], options["-tag:v"], options["-maxrate"], options["-g"]) == (f"hevc_{kind}", "hvc1", "900000", "120")
    assert any(options.get(name) == value for name, value in aims.items())
    assert not {"-crf", "-sc_threshold", "-x265-params"} & {*written}


def test_vaapi_has_its_device_and_its_upload() -> None:
    """The device before the first input, and pictures in the GPU's memory at the end of each chain."""
    plan = planned(Hardware("vaapi", ("h264",)), preset="mp4-720p")
    assert plan.film is not None
    arguments = encode(plan.film, None, plan.renditions, TranscoderSettings(), threads=2)

    assert arguments[:2] == ["-vaapi_device", "/dev/dri/renderD128"]
    assert dict(pairwise(arguments))["-filter_complex"].endswith("format=nv12,hwupload[v0]")
    assert hardware.opening("nvenc") == []


def shop_on(monkeypatch: pytest.MonkeyPatch, here: Hardware) -> Workshop:
    """A workshop on a worker with this hardware."""
    monkeypatch.setattr(detect, "found", lambda: here)
    return Workshop.__new__(Workshop)


def test_a_worker_without_the_plans_hardware_gives_the_part_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another worker may have it; parts by two encoders could not be joined."""
    pictures = list(planned(Hardware("nvenc", ("h264",)), preset="mp4-720p").renditions)
    with (
        pytest.raises(TransientError, match="must be the same on all") as refused,
        shop_on(monkeypatch, Hardware())._hardware(pictures),
    ):
        pytest.fail("it was begun")
    assert refused.value.type == "hardware-missing"


def test_failing_hardware_is_not_the_sources_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """What software would say of a source stays permanent, what only hardware says is tried again."""
    here = Hardware("nvenc", ("h264",))
    pictures = list(planned(here, preset="mp4-720p").renditions)
    for type_, raised in (("encoder-failed", TransientError), ("invalid-media", PermanentError)):
        with pytest.raises(raised), shop_on(monkeypatch, here)._hardware(pictures):
            raise PermanentError("FFmpeg gave up with status 187", type=type_)
