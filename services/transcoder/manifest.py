"""A DASH manifest, read again: does it name the very files that the HLS playlists do? (ISO/IEC 23009-1)."""

import re
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree as ET

from services.transcoder.playlists import Playlist, contradiction

NUMBER = re.compile(r"\$Number%05d\$")
DIGITS = 5
DASH = "{urn:mpeg:dash:schema:mpd:2011}"


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
