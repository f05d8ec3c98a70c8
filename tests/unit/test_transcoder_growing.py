"""A package that is still growing, from one that is finished; pure."""

from datetime import UTC, datetime

import pytest

from services.transcoder.growing import milestone, open_end, whole_segments, without_skims
from services.transcoder.manifest import representations, unfinished
from services.transcoder.playlists import Playlist
from shared.contracts.transcoder import Transcode

FINISHED = """#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:7
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-MAP:URI="init.mp4"
#EXTINF:6.000,
seg_00001.m4s
#EXTINF:6.000,
seg_00002.m4s
#EXTINF:2.000,
seg_00003.m4s
#EXT-X-ENDLIST
"""

MANIFEST = """<?xml version="1.0" encoding="UTF-8"?>
<!--Generated with a packager-->
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:schemaLocation="urn:mpeg:dash:schema:mpd:2011 DASH-MPD.xsd" profiles="urn:mpeg:dash:profile:isoff-live:2011" minBufferTime="PT2S" \
type="static" mediaPresentationDuration="PT26S">
  <Period id="0">
    <AdaptationSet id="0" contentType="video">
      <Representation id="0" bandwidth="1201344" codecs="avc1.4d401f" mimeType="video/mp4">
        <SegmentTemplate timescale="25" initialization="720p/init.mp4" media="720p/seg_$Number%05d$.m4s" startNumber="1">
          <SegmentTimeline>
            <S t="0" d="150" r="3"/>
            <S t="600" d="50"/>
          </SegmentTimeline>
        </SegmentTemplate>
      </Representation>
    </AdaptationSet>
    <AdaptationSet id="1" contentType="audio">
      <Representation id="1" bandwidth="92435" codecs="mp4a.40.2" mimeType="audio/mp4">
        <SegmentTemplate timescale="48000" initialization="audio/init.mp4" media="audio/seg_$Number%05d$.m4s" startNumber="1">
          <SegmentTimeline>
            <S t="0" d="288768"/>
            <S t="288768" d="287744" r="2"/>
            <S t="1152000" d="96000"/>
          </SegmentTimeline>
        </SegmentTemplate>
      </Representation>
    </AdaptationSet>
  </Period>
</MPD>
"""


def test_what_is_shown_doubles() -> None:
    """Not before there are two parts, not when all are there, and never so often that joining costs more than two films."""
    assert [milestone(done, 12) for done in range(13)] == [0, 0, 2, 2, 4, 4, 4, 4, 8, 8, 8, 8, 0]
    assert milestone(2, 2) == 0


def test_a_list_that_grows_has_no_end() -> None:
    """Of type EVENT, begun at its beginning; the last segment, which the cut may have shortened, is left out with its length."""
    assert (
        open_end(FINISHED, 2)
        == """#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:7
#EXT-X-PLAYLIST-TYPE:EVENT
#EXT-X-START:TIME-OFFSET=0
#EXT-X-MAP:URI="init.mp4"
#EXTINF:6.000,
seg_00001.m4s
#EXTINF:6.000,
seg_00002.m4s
"""
    )


def test_sound_is_listed_as_far_as_the_pictures_are() -> None:
    """And no further, whatever the length of its segments; one segment of pictures is none."""
    pictures, sound, text = (Playlist((), seconds, complete=True) for seconds in ((6.0, 6.0, 2.0), (6.016, 5.995, 6.01, 6.0), (30.0,)))

    assert whole_segments(pictures, [sound, text]) == (2, [2, 1])
    assert whole_segments(Playlist((), (4.0,), complete=True), [sound]) == (0, [0])


def test_lists_of_keyframes_do_not_grow() -> None:
    """The finished master has them."""
    assert without_skims('#EXTM3U\n#EXT-X-I-FRAME-STREAM-INF:URI="a"\n#EXT-X-STREAM-INF:B=1\nb\n') == "#EXTM3U\n#EXT-X-STREAM-INF:B=1\nb\n"


@pytest.mark.parametrize(("pictures", "sounds"), [(4, 4), (2, 3), (1, 1), (5, 5)])
def test_an_unfinished_manifest_names_what_is_there(pictures: int, sounds: int) -> None:
    """The first segments of each folder, by the names that they keep."""
    made = representations(unfinished(MANIFEST, {"720p": pictures, "audio": sounds}, datetime(2026, 11, 27, tzinfo=UTC)))

    whole = representations(MANIFEST)
    assert made == {"720p": whole["720p"][: pictures + 1], "audio": whole["audio"][: sounds + 1]}
    assert (len(whole["720p"]), len(whole["audio"])) == (6, 6)


def test_an_unfinished_manifest_is_that_of_a_recording() -> None:
    """It is to be asked for again, has no end, and says when it was written; a period says when it begins."""
    made = unfinished(MANIFEST, {"720p": 2, "audio": 2}, datetime(2026, 11, 27, 1, 2, 3, tzinfo=UTC))

    for attribute in (
        'type="dynamic"',
        'availabilityStartTime="1970-01-01T00:00:00Z"',
        'publishTime="2026-11-27T01:02:03Z"',
        'minimumUpdatePeriod="PT4S"',
        'xmlns="urn:mpeg:dash:schema:mpd:2011"',
        'xsi:schemaLocation="urn:mpeg:dash:schema:mpd:2011 DASH-MPD.xsd"',
        '<Period id="0" start="PT0S">',
    ):
        assert attribute in made
    assert "static" not in made
    assert "mediaPresentationDuration" not in made


@pytest.mark.parametrize("preset", ["hls", "dash"])
def test_what_has_a_list_that_grows_can_be_played_early(preset: str) -> None:
    """Packages, and nothing else."""
    assert Transcode.model_validate({"source": "upl_12345678", "preset": preset, "play_early": True}).play_early
    with pytest.raises(ValueError, match="only the presets hls and dash can be played early"):
        Transcode.model_validate({"source": "upl_12345678", "presets": ["mp4-480p", "audio"], "play_early": True})
