"""Texts: read as they are, cut to the clip, named by their language."""

import pytest
from pydantic import ValidationError

from services.transcoder import vtt
from services.transcoder.captions import decoded, is_srt, shown, wanted
from services.transcoder.probe import Writing
from shared.contracts.transcoder_options import Caption
from shared.errors import PermanentError
from tests.unit.transcoder_probes import media, picture

SAYING = """\ufeffWEBVTT - a film

STYLE
::cue { color: lime }

NOTE nobody reads this

intro
00:01.000 --> 00:03.500 line:0 align:start
<v Bob>Good <i>morning</i></v>
Bob

01:00:12.250 --> 01:00:13.750
Good night
"""


def test_cues_keep_their_place_and_voice() -> None:
    """Settings, styles, ids and tags go through: FFmpeg's own WebVTT muxer would lose them."""
    found = vtt.read(SAYING)
    assert found is not None
    first, second = found.cues

    assert (first.start, first.end, first.settings, first.id) == (1.0, 3.5, " line:0 align:start", "intro")
    assert first.lines == ("<v Bob>Good <i>morning</i></v>", "Bob")
    assert (second.start, second.end) == (3_612.25, 3_613.75)
    assert "::cue { color: lime }" in str(found)
    assert found == vtt.read(str(found))


def test_a_clip_has_its_own_part_of_the_text_in_its_own_time() -> None:
    """A cue that begins before it shows from its first moment on, one that ends after it until its last."""
    found = vtt.read(SAYING)
    assert found is not None

    assert [(cue.start, cue.end) for cue in found.within(2.0, 10.0).cues] == [(0.0, 1.5)]
    assert [(cue.start, cue.end) for cue in found.within(0.0, 3.0).cues] == [(1.0, 3.0)]
    assert [(cue.start, cue.end) for cue in found.within(3_600.0, None).cues] == [(12.25, 13.75)]


@pytest.mark.parametrize("text", ["", "WEBVTTX\n\n00:01.000 --> 00:02.000\nx", "1\n00:00:01,000 --> 00:00:02,000\nx\n", "<html>"])
def test_other_files_are_none(text: str) -> None:
    """Whatever they are called."""
    assert vtt.read(text) is None


def test_srt_is_known_by_its_time_lines() -> None:
    """With the comma that WebVTT does not have."""
    assert is_srt("1\r\n00:00:01,000 --> 00:00:02,000\r\nHello\r\n")
    assert not is_srt("Once upon a time --> a princess")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("Grüße".encode(), ("Grüße", False)),
        ("\ufeffGrüße".encode(), ("Grüße", False)),
        ("Grüße".encode("utf-16"), ("Grüße", False)),
        ("Grüße".encode("cp1252"), ("Grüße", True)),
    ],
)
def test_old_encodings_are_read_and_guesses_told(content: bytes, expected: tuple[str, bool]) -> None:
    """UTF-8 and UTF-16 are certain, Windows-1252 is a guess."""
    assert expected == decoded(content)


def test_texts_are_named_by_language_and_numbered_where_they_repeat() -> None:
    """The label is the user's, else the source's own title, else the name."""
    found = media(picture(), None, writings=(Writing(2, "subrip", "eng", "Commentary"),))
    asked = [Caption(upload="upl_12345678", language="de"), Caption(upload="upl_12345679", language="de", label="Groß"), Caption(track=0)]
    texts = wanted(asked, found)

    assert [text.artifact for text in texts] == ["captions/de.vtt", "captions/de-2.vtt", "captions/eng.vtt"]
    assert [text.track.label for text in texts] == ["de", "Groß", "Commentary"]
    assert [text.index for text in texts] == [None, None, 2]


def test_no_text_is_on_unasked() -> None:
    """And the first one that is asked for is."""
    asked = [Caption(upload="upl_12345678", language="de"), Caption(upload="upl_12345679", language="en", shown=True)]
    texts = wanted(asked, media(picture(), None))

    assert shown(asked[:1], texts[:1]) is None
    assert shown(asked, texts) == "en"


@pytest.mark.parametrize(("number", "words"), [(0, "is hdmv_pgs_subtitle: pictures of text"), (1, "has 1 text tracks, counted from 0")])
def test_a_track_must_be_there_and_be_text(number: int, words: str) -> None:
    """With a pointer to the one that is not."""
    found = media(picture(), None, writings=(Writing(2, "hdmv_pgs_subtitle"),))

    with pytest.raises(PermanentError, match=words) as caught:
        wanted([Caption(track=number)], found)

    assert caught.value.pointer == "/captions/0/track"


@pytest.mark.parametrize(
    "caption", [{}, {"upload": "upl_12345678", "track": 0}, {"track": 0, "language": "xx"}, {"track": 0, "label": "a,b"}]
)
def test_a_caption_comes_from_one_place_in_a_language_that_there_is(caption: dict[str, object]) -> None:
    """A label with a comma would be a second field in the packager's arguments."""
    with pytest.raises(ValidationError):
        Caption.model_validate(caption)
