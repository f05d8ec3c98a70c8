"""A package that is still growing, from one that is finished; pure."""

from services.transcoder.growing import milestone, open_end, whole_segments, without_skims
from services.transcoder.playlists import Playlist

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
