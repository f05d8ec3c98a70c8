"""What each published file is, as IANA registers it."""

from pathlib import Path

from services.transcoder.package import AUDIO

MEDIA_TYPES = {
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".m4a": "audio/mp4",
    ".mp3": "audio/mpeg",
    ".opus": "audio/ogg",
    ".m4s": "video/iso.segment",
    ".m3u8": "application/vnd.apple.mpegurl",
    ".mpd": "application/dash+xml",
    ".vtt": "text/vtt",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".gif": "image/gif",
}


def media_type(name: str) -> str:
    """By the name's suffix, as IANA registers it; sound segments are audio."""
    found = MEDIA_TYPES[Path(name).suffix]
    return found.replace("video/", "audio/") if f"/{AUDIO}" in name else found
