"""The beginning of a film as a package that is still growing (RFC 8216 §4.3.3.5, an EVENT playlist). Pure.

The packager's playlist over the first parts is that of a whole, short film. Its segments are those of the film, byte for byte, for they
end at the same keyframes; only the last one may be cut short by the parts' end, so it is left out.
"""

import re
from collections.abc import Sequence
from itertools import accumulate

from services.transcoder.playlists import Playlist, read_playlist

GROWS = "#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-START:TIME-OFFSET=0"
FIRST = 2
"""Parts that there must be before anything is shown."""


def milestone(done: int, parts: int) -> int:
    """How many leading parts are shown once `done` of them are finished: a power of two, so that all joins together cost two films.

    0: none yet, or not worth it any more.
    """
    reached = 1 << max(done.bit_length() - 1, 0)
    return reached if FIRST <= reached < parts and done < parts else 0


def open_end(text: str, segments: int) -> str:
    """A finished media playlist as one that grows: its first `segments`, and no end.

    Played from its start (§4.3.5.2): where there is no end, players would begin near the last segment, as in a live stream.
    """
    lines, kept = [], 0
    for line in text.splitlines():
        if line == "#EXT-X-ENDLIST" or (kept >= segments and (line.startswith("#EXTINF") or not line.startswith("#"))):
            continue
        kept += not line.startswith("#") and bool(line)
        lines.append(re.sub("^#EXT-X-PLAYLIST-TYPE:VOD$", GROWS, line))
    return "\n".join(lines) + "\n"


def whole_segments(pictures: Playlist, beside: Sequence[Playlist]) -> tuple[int, list[int]]:
    """How many segments may be listed: of the pictures all but the last, of each sound and text what begins before their end."""
    count = max(len(pictures.seconds) - 1, 0)
    until = sum(pictures.seconds[:count])
    starts = [[0.0, *accumulate(one.seconds)][: len(one.seconds)] for one in beside]
    return count, [sum(start < until for start in begins) for begins in starts]


def without_skims(master: str) -> str:
    """A master playlist without lists of keyframes alone, which would have to grow as well."""
    return "".join(line for line in master.splitlines(keepends=True) if not line.startswith("#EXT-X-I-FRAME-STREAM-INF"))


def listed(text: str) -> list[str]:
    """The files that a media playlist names."""
    return list(read_playlist(text).files)
