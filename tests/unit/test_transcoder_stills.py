"""Thumbnails, storyboards and previews: what to make, from as little of the source as will do."""

from array import array
from fractions import Fraction

import pytest
from pydantic import ValidationError

from services.transcoder.asides import Asides, asides
from services.transcoder.settings import TranscoderSettings
from services.transcoder.stills import Span, board
from services.transcoder.timeline import Timeline
from shared.contracts.transcoder import Transcode
from shared.contracts.transcoder_options import Storyboard, Thumbnails
from shared.errors import PermanentError
from tests.unit.transcoder_probes import picture

SETTINGS = TranscoderSettings()


def planned(duration: float | None = 100.0, timeline: Timeline | None = None, **asked: object) -> Asides:
    """The asides of a 1080p film."""
    request = Transcode.model_validate({"source": "upl_12345678", **asked})
    return asides(request, picture(), timeline, 0.0, duration, SETTINGS)


def film(seconds: int, keyframe_every: int) -> Timeline:
    """A frame each second."""
    frames = range(seconds)
    return Timeline(Fraction(1), array("q", frames), array("q", frames), array("q", range(0, seconds, keyframe_every)), seconds)


def after(arguments: tuple[str, ...], option: str) -> list[str]:
    """The values of an option."""
    return [arguments[at + 1] for at, argument in enumerate(arguments) if argument == option]


def test_thumbnails_are_spread_evenly_and_sought() -> None:
    """In the middle of each fifth; FFmpeg reads from the keyframe before, not from the start."""
    passes = planned(thumbnails={}).passes

    assert [after(one.arguments, "-ss") for one in passes] == [["10.000000"], ["30.000000"], ["50.000000"], ["70.000000"], ["90.000000"]]
    assert list(passes[0].makes) == ["thumbnails/thumbnail-001.jpg"]


def test_a_user_file_is_opened_under_guard() -> None:
    """In every pass, before its input."""
    for one in planned(thumbnails={}, storyboard={}, preview={}).passes:
        before = one.arguments[: one.arguments.index("-i")]
        assert after(before, "-protocol_whitelist") == ["file"]
        assert after(before, "-max_pixels") == [str(8_192 * 4_320)]


def test_a_storyboard_has_a_hundred_tiles_at_most_unless_asked() -> None:
    """None more often than each second; 90 minutes take one sheet of 10 × 10."""
    assert (board(Storyboard(), picture(), Span(0, 5_400)).every, board(Storyboard(), picture(), Span(0, 5_400)).count) == (54, 100)
    assert (board(Storyboard(), picture(), Span(0, 5.28)).every, board(Storyboard(), picture(), Span(0, 5.28)).count) == (1, 6)
    assert board(Storyboard(every=10), picture(), Span(0, 5_400)).sheets == 6


def test_its_cues_name_a_place_on_a_sheet() -> None:
    """As players read it; the last ends with the film."""
    told = board(Storyboard(every=2, columns=2), picture(), Span(0, 41.5)).vtt(41.5).split("\n\n")

    assert told[1] == "00:00:00.000 --> 00:00:02.000\nsheet-001.jpg#xywh=0,0,160,90"
    assert told[4] == "00:00:06.000 --> 00:00:08.000\nsheet-001.jpg#xywh=160,90,160,90"
    assert told[-1].strip() == "00:00:40.000 --> 00:00:41.500\nsheet-002.jpg#xywh=0,0,160,90"


@pytest.mark.parametrize(
    ("timeline", "skips"),
    [(film(100, 2), True), (film(100, 3), False), (film(100, 100), False), (None, False)],
    ids=["dense", "sparse", "one keyframe", "unknown"],
)
def test_keyframes_alone_are_decoded_where_they_are_near_enough(timeline: Timeline | None, skips: bool) -> None:
    """A tile each second, from keyframes three seconds apart, would show the same picture thrice."""
    (one,) = planned(timeline=timeline, storyboard={}).passes

    assert ("-skip_frame" in one.arguments) is skips


def test_times_after_the_end_are_refused() -> None:
    """Where they were written."""
    with pytest.raises(PermanentError, match="no picture at 100 s: the film lasts 100") as caught:
        planned(thumbnails={"at": [1, 100]})
    with pytest.raises(PermanentError) as start:
        planned(preview={"start": 101})

    assert (caught.value.pointer, start.value.pointer) == ("/thumbnails/at/1", "/preview/start")


def test_a_film_without_an_end_has_no_middle() -> None:
    """Nothing is guessed."""
    with pytest.raises(PermanentError, match="does not say how long it is"):
        planned(None, storyboard={})


def test_count_and_at_are_two_ways_to_say_it() -> None:
    """One of them."""
    with pytest.raises(ValidationError, match="give count or at, not both"):
        Thumbnails(count=3, at=[1.0])


def test_nothing_is_made_unasked() -> None:
    """Each costs a pass."""
    assert planned() == Asides()
