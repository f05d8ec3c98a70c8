"""What files say of themselves (title, artist, where they were filmed): left out, kept, or one's own. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from shared.contracts.transcoder_options import Tags

KEPT = (
    *("title", "artist", "album", "album_artist", "composer", "genre", "date", "comment", "description", "copyright"),
    *("synopsis", "lyrics", "track", "show", "episode_id", "network", "keywords", "creation_time", "location"),
)
"""FFmpeg's names of what MP4 and Matroska both can say. Not here: what describes the old file itself (encoder, brands, durations)."""
LONGEST = 1_000
"""Signs of one text that are kept."""


def known(container: Mapping[str, Any], streams: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Those of a probe that are worth keeping, without signs that break lines. Ogg has them in its first stream."""
    first = streams[0].get("tags", {}) if streams and streams[0].get("codec_type") == "audio" else {}
    said = {str(name).lower(): str(text) for name, text in (*first.items(), *container.items())}
    cleaned = {name: " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", said[name]).split())[:LONGEST] for name in KEPT if name in said}
    return {name: text for name, text in cleaned.items() if text}


def wanted(asked: Literal["strip", "keep"] | Tags, found: Mapping[str, str]) -> dict[str, str]:
    """What the outputs say."""
    if isinstance(asked, Tags):
        return asked.model_dump(exclude_none=True)
    return dict(found) if asked == "keep" else {}


def options(said: Mapping[str, str]) -> Iterator[str]:
    """FFmpeg's options for an output file. Each text is one argument; there is no shell between."""
    for name, text in said.items():
        yield from ("-metadata", f"{name}={text}")
