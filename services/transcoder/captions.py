"""Texts for the viewer, from uploads (SRT, WebVTT) and from the source's own tracks, as WebVTT. What is wanted, and FFmpeg's part of it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from services.transcoder.intake import guards
from services.transcoder.outputs import SOURCE
from services.transcoder.package import TEXT, UNKNOWN, Track
from services.transcoder.probe import Probe, Writing
from services.transcoder.settings import TranscoderSettings
from shared.contracts.transcoder_options import Caption
from shared.errors import PermanentError

TEXT_CODECS = frozenset({"subrip", "srt", "mov_text", "webvtt", "ass", "ssa", "text"})
"""Others are pictures of text (Blu-ray, DVD), or hidden in the picture (CEA-608)."""
QUIET = ("-hide_banner", "-nostdin", "-nostats", "-y", "-loglevel", "level+warning")
PLAIN = "captions.srt"
"""The name of an uploaded SRT file while it is converted."""


@dataclass(frozen=True, slots=True)
class Text:
    """One wanted text: an upload, or stream `index` of the source; `track` is what it becomes."""

    track: Track
    artifact: str
    upload: str | None
    index: int | None
    embed: bool = False
    """Whether it goes into single files, too."""
    shown: bool = False


def wanted(asked: Sequence[Caption], found: Probe) -> tuple[Text, ...]:
    """Raises PermanentError for a track that the source does not have, or that is no text."""
    texts: list[Text] = []
    for number, caption in enumerate(asked):
        writing = None if caption.track is None else _writing(found.writings, caption.track, f"/captions/{number}/track")
        language = caption.language if caption.language != UNKNOWN or writing is None else writing.language
        taken = sum(text.track.language == language for text in texts)
        name = language + (f"-{taken + 1}" if taken else "")
        label = caption.label or (writing.title if writing else "") or name
        track = Track(f"text-{number + 1}.vtt", f"{TEXT}-{name}", label, language)
        texts.append(Text(track, f"captions/{name}.vtt", caption.upload, writing.index if writing else None, caption.embed, caption.shown))
    return tuple(texts)


def shown(asked: Sequence[Caption], texts: Sequence[Text]) -> str | None:
    """The language whose text is on unless the viewer turns it off."""
    return next((text.track.language for caption, text in zip(asked, texts, strict=True) if caption.shown), None)


def _writing(writings: Sequence[Writing], number: int, pointer: str) -> Writing:
    if number >= len(writings):
        raise PermanentError(f"the source has {len(writings)} text tracks, counted from 0", type="no-text", pointer=pointer)
    if writings[number].codec not in TEXT_CODECS:
        raise PermanentError(
            f"text track {number} of the source is {writings[number].codec}: pictures of text, not text", type="no-text", pointer=pointer
        )
    return writings[number]


def extract(text: Text, settings: TranscoderSettings) -> list[str]:
    """FFmpeg's arguments that take a text out of the source."""
    opening = [*QUIET, *guards(settings.max_pixels), "-i", f"file:{SOURCE}", "-map", f"0:{text.index}"]
    return [*opening, "-map_metadata", "-1", "-f", "webvtt", f"file:{text.track.file}"]


def convert(text: Text) -> list[str]:
    """FFmpeg's arguments that make WebVTT of an uploaded SRT file, in UTF-8."""
    return [*QUIET, "-protocol_whitelist", "file", "-f", "srt", "-i", f"file:{PLAIN}", "-f", "webvtt", f"file:{text.track.file}"]


def decoded(content: bytes) -> tuple[str, bool]:
    """The text of an uploaded file, and whether its encoding had to be guessed (Windows-1252, as old SRT files are)."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace"), False
    try:
        return content.decode("utf-8-sig"), False
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace"), True


def is_srt(text: str) -> bool:
    """Whether it has a time line as SRT writes it."""
    return re.search(r"^\s*\d+:\d{2}:\d{2}[,.]\d{1,3}\s*-->\s*\d+:\d{2}:\d{2}[,.]\d{1,3}", text, re.MULTILINE) is not None
