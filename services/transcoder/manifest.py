"""A DASH manifest, read again: does it name the very files that the HLS playlists do? And cut down to what is there (ISO/IEC 23009-1).

Pure but for `check`, which reads the file.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree as ET

from services.transcoder.playlists import Playlist, contradiction

NUMBER = re.compile(r"\$Number%05d\$")
DIGITS = 5
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
NAMES = {"": "urn:mpeg:dash:schema:mpd:2011", "xsi": "http://www.w3.org/2001/XMLSchema-instance"}
DASH = f"{{{NAMES['']}}}"
LONG_AGO = "1970-01-01T00:00:00Z"
"""When an unfinished film was broadcast, to a player: so long ago that all that is listed is there."""
ASK_AGAIN = "PT4S"
"""How often a player reads an unfinished manifest again."""

for _prefix, _name in NAMES.items():
    ET.register_namespace(_prefix, _name)


def representations(text: str) -> dict[str, list[str]]:
    """Folder → the files of its Representation in order, all names relative to the manifest."""
    found: dict[str, list[str]] = {}
    for template in ET.fromstring(text).iter(f"{DASH}SegmentTemplate"):  # noqa: S314 - the packager wrote it just now
        count = sum(int(line.get("r", "0")) + 1 for line in template.iter(f"{DASH}S"))
        first, media, start = int(template.get("startNumber", "1")), template.get("media", ""), template.get("initialization")
        names = [NUMBER.sub(str(at).zfill(DIGITS), media) for at in range(first, first + count)]
        found[media.partition("/")[0]] = [*([start] if start else []), *names]
    return found


def check(path: Path, playlists: Mapping[str, Playlist]) -> None:
    """Raise TransientError where the manifest names other files than the playlists, which were held against the disk."""
    expected = {name: [f"{name}/{file}" for file in playlist.files] for name, playlist in playlists.items()}
    told = representations(path.read_text(encoding="utf-8"))
    for name in sorted({*expected, *told}):
        if expected.get(name) != told.get(name):
            raise contradiction(f"{path.name} names other files than the playlists do: {name}")


def unfinished(text: str, segments: Mapping[str, int], now: datetime) -> str:
    """A finished manifest as that of a film which is being recorded: of each folder its first `segments`, and no duration.

    Players take it for a live stream (`dynamic`, §5.3.1.2): they ask for the manifest again and again, and stop asking when it is the
    `static` one of the whole film. With the duration that the film will have it would be an "in-progress recording", whose end Shaka
    Player (5.2.12) does not take for one: after it, other sizes have as many segments as they had at first, and seeks hang.
    """
    root = ET.fromstring(text)  # noqa: S314 - the packager wrote it just now
    root.attrib |= {
        "type": "dynamic",
        "availabilityStartTime": LONG_AGO,
        "publishTime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "minimumUpdatePeriod": ASK_AGAIN,
    }
    root.attrib.pop("mediaPresentationDuration", None)
    for period in root.iter(f"{DASH}Period"):
        period.set("start", "PT0S")  # else nobody could say when a period of a dynamic manifest begins
    for template in root.iter(f"{DASH}SegmentTemplate"):
        left = segments[template.get("media", "").partition("/")[0]]
        for timeline in template.iter(f"{DASH}SegmentTimeline"):
            for line in list(timeline):
                count = min(int(line.get("r", "0")) + 1, left)
                left -= count
                if count == 0:
                    timeline.remove(line)
                elif "r" in line.attrib:
                    line.set("r", str(count - 1))
    return f"{DECLARATION}\n{ET.tostring(root, encoding='unicode')}\n"
